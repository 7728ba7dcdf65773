"""Our words for data types in those of RKNN-Toolkit 1.x; "float" is a build without quantization [UG 7.2]."""

FLOAT = "float"
DTYPES = {
    "u8": "asymmetric_quantized-u8",
    "i8": "dynamic_fixed_point-i8",
    "i16": "dynamic_fixed_point-i16",
}
# of single layers: other words than config() has [UG 4.5.2]; "float32" is computed in 16 bits on the NPU [TS 6.3]
LAYER_DTYPES = {
    "u8": "asymmetric_affine-u8",
    "i8": "dynamic_fixed_point-i8",
    "i16": "dynamic_fixed_point-i16",
    FLOAT: "float32",
}
