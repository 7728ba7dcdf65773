"""Pure numbers: dumps, metrics, alignment, order, verdicts. Standard library and NumPy only."""
