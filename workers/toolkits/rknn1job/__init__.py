"""RKNN-Toolkit 1.x's side of a conversion: runs inside its Python 3.6 or 3.8, standard library and `rknn` only."""
