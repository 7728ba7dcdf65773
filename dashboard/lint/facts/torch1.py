"""RKNN-Toolkit 1.7.5's table by the operators that TorchScript writes down: its rows are PyTorch's own words.

What is called otherwise in the code of a traced network stands here; an operator whose name is a row's needs no entry.
"""

# the rank of a convolution is the number of its strides
CONVOLUTIONS = {
    "_convolution": ("convolution", "deconvolution"),
    "convolution": ("convolution", "deconvolution"),
}
ROW_OF = {
    "conv1d": "convolution_1D",
    "conv2d": "convolution_2D",
    "conv3d": "convolution_3D",
    "conv_transpose1d": "deconvolution_1D",
    "conv_transpose2d": "deconvolution_2D",
    "conv_transpose3d": "deconvolution_3D",
    "batch_norm": "batchnorm2d",  # one word for all dimensions; the convolution before it tells 3-D ones
    "instance_norm": "instancenorm2d",
    "constant_pad_nd": "constant_pad_2d",
    "pad": "constant_pad_2d",
    "hardsigmoid": "hard_sigmoid",
    "addmm": "linear",
    "bmm": "matmul",
    "mm": "matmul",
    "native_layer_norm": "layer_norm",
    "amax": "max",
    "amin": "min",
    "concat": "cat",
    "index_select": "select",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "swapaxes": "transpose",
    "max_pool2d_with_indices": "max_pool2d",
}
# what is no layer: sizes, types and places of tensors, and what only training sees
HARMLESS = frozenset(["dropout", "feature_dropout", "alpha_dropout"]) | frozenset(
    ["size", "len", "dim", "numel", "item", "device", "to", "cpu", "detach", "contiguous", "type_as"]
)
HARMLESS |= frozenset(
    ["zeros", "ones", "zeros_like", "ones_like", "tensor", "scalar_tensor", "empty", "full"]
)
HARMLESS |= frozenset(["floordiv", "remainder", "warn"])
