"""A STAND-IN for the vendor's `rknn` package of RKNN-Toolkit 1.7.5, for tests: it follows the documented interface
(return codes, files, names, formats) with a few operators in plain Python. Nothing that it computes is the vendor's."""
