"""Our words for data types in those of RKNN-Toolkit 1.x; "float" is a build without quantization [UG 7.2]."""

FLOAT = "float"
DTYPES = {
    "u8": "asymmetric_quantized-u8",
    "i8": "dynamic_fixed_point-i8",
    "i16": "dynamic_fixed_point-i16",
}
