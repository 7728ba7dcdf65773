"""Switching a board's power: a program of an allowed folder, or a call to a smart plug."""
