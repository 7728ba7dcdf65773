"""The pieces of the scripts that run inside a limited child: they import numpy, onnx, onnxruntime, Pillow and
similarity's tensor files, and nothing else of Layerwise."""
