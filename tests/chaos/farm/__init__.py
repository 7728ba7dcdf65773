"""Faults of boards and of the links to them, over a farm of simulated boards."""
