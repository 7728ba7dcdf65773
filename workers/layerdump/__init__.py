"""The vendor's layer files become one dump/1: what came from a board is read without trust, a layer at a time."""

from workers.layerdump.assemble import assemble
from workers.layerdump.names import keys_of

__all__ = ["assemble", "keys_of"]
