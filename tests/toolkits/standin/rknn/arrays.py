""".npy files without numpy: float32, float64, uint8 and int64, version 1.0 of the format."""

import ast
import struct

CODES = {"<f4": "f", "<f8": "d", "|u1": "B", "<i8": "q", "|i1": "b"}


def load(path):
    """(shape, flat list of floats)."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10 : 10 + length].decode())
    assert not header["fortran_order"], "a data set is in C order"
    code = CODES[header["descr"]]
    body = data[10 + length :]
    numbers = struct.unpack("<%d%s" % (len(body) // struct.calcsize(code), code), body)
    return tuple(header["shape"]), [float(number) for number in numbers]


def save(path, shape, flat):
    sizes = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }" % sizes
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack("<%df" % len(flat), *flat))
