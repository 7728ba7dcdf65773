"""Lint before converting: what a toolkit will probably do with each layer of a source, with the source of each fact."""
