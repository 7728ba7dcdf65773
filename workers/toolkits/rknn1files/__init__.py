"""The files around RKNN-Toolkit 1.x: data set and plan before it runs, its dumps and tables afterwards."""
