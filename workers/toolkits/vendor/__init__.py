"""What the vendor's tools print and write, read as data: standard library only, for any interpreter."""
