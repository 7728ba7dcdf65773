"""The example network, its weights, its pictures and the demonstration of the forum's case."""
