"""Two labs and a centre on one machine, each in network namespaces of its own; needs root."""
