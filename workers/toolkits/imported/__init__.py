"""Uploads made with the vendor's own tools, opened in a limited child: what is in them, as dumps, scores and tables."""
