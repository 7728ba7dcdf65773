"""Real networks that packages of the package index carry, driven through the product as an engineer would: upload,
inspection, lint, conversion by each toolkit, comparison. `python -m tools.networks` writes docs/networks.md.
"""
