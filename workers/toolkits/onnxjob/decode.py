"""From the bytes of one uploaded file to arrays: .npy by reading its header with mistrust, pictures by
Pillow."""

import ast
import io
import math
import struct
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from workers.toolkits.onnxjob.jobside import Refused

PIXELS = 25_000_000
PICTURES = ("PNG", "JPEG", "BMP")
HEADER_BYTES = 64 << 10
RANK = 16
Array = NDArray[Any]

Image.MAX_IMAGE_PIXELS = PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(name: str, data: bytes) -> Array:
    """The array in `data`: a picture as RGB uint8 HWC, an .npy as it is. Raises Refused data:*."""
    if data[:6] == b"\x93NUMPY":
        return canonical(name, decode_npy(name, data))
    if not data:
        raise Refused("data:unreadable", f"{name!r} is empty.")
    return decode_picture(name, data)


def decode_npy(name: str, data: bytes) -> Array:
    """The array of an .npy file whose header agrees with its length; nothing is allocated for sizes that
    only the header claims."""
    try:
        start, described = _header(data)
        dtype = np.dtype(described["descr"])
        shape = described["shape"]
        if type(described["fortran_order"]) is not bool:
            raise ValueError("fortran_order is neither True nor False")
    except (ValueError, SyntaxError, KeyError, TypeError, struct.error, RecursionError, MemoryError) as error:
        raise Refused("data:unreadable", f"{name!r} has a damaged header: {str(error)[:200]}") from error
    if dtype.hasobject:
        raise Refused("data:pickle", f"{name!r} has type {dtype}.")
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise Refused("data:wrong-type", f"{name!r} has type {str(dtype)[:100]}.")
    sizes = (
        isinstance(shape, tuple)
        and len(shape) <= RANK
        and all(type(size) is int and size >= 0 for size in shape)
    )
    if not sizes or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise Refused(
            "data:unreadable", f"{name!r} says shape {str(shape)[:100]} but holds {len(data) - start} bytes."
        )
    if math.prod(shape) == 0:
        raise Refused("data:unreadable", f"{name!r} has shape {shape}: no values.")
    flat = np.frombuffer(data, dtype, offset=start)
    return flat.reshape(shape, order="F" if described["fortran_order"] else "C")


def _header(data: bytes) -> tuple[int, dict[str, Any]]:
    wide = data[6] >= 2  # Version 1 has two bytes of length, later ones four.
    (length,) = struct.unpack_from("<I" if wide else "<H", data, 8)
    start = (12 if wide else 10) + length
    if length > HEADER_BYTES or start > len(data):
        raise ValueError("its length is wrong")
    text = data[start - length : start].decode("utf-8" if data[6] >= 3 else "latin1")
    described = ast.literal_eval(text.strip())
    if not isinstance(described, dict):
        raise ValueError("it describes no array")
    return start, described


def canonical(name: str, value: Array) -> Array:
    """`value` in a type that a samples file holds: little-endian, float64 as float32; NaN and infinity are
    refused."""
    if value.dtype.kind == "f":
        if not np.isfinite(value).all():
            raise Refused("data:not-finite", f"{name!r} holds NaN or infinite values.")
        if value.dtype.itemsize > 4:
            with np.errstate(over="ignore"):
                value = value.astype("<f4")
            if not np.isfinite(value).all():
                raise Refused("data:not-finite", f"{name!r} holds values too large for float32.")
    return np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<"), copy=False)).reshape(value.shape)


def decode_picture(name: str, data: bytes) -> Array:
    """A PNG, JPEG or BMP as RGB uint8, height x width x 3, turned as its EXIF data says; transparency is
    dropped."""
    try:
        with Image.open(io.BytesIO(data), formats=PICTURES) as picture:
            if picture.width * picture.height > PIXELS:
                raise Refused("data:too-large", f"{name!r} has {picture.width} x {picture.height} pixels.")
            turned = ImageOps.exif_transpose(picture)
            return np.asarray(_as_rgb(turned))
    except Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("data:too-large", f"{name!r}: {error}") from error
    except UnidentifiedImageError as error:
        raise Refused(
            "data:unreadable", f"{name!r} is neither a picture (PNG, JPEG, BMP) nor an .npy file."
        ) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        IndexError,
        KeyError,
        TypeError,
        EOFError,
    ) as error:
        raise Refused("data:unreadable", f"{name!r}: {str(error)[:200]}") from error


def _as_rgb(picture: Image.Image) -> Image.Image:
    if (
        picture.mode.startswith("I;16") or picture.mode == "I"
    ):  # 16-bit grey: Pillow would clip instead of scale.
        grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    return picture.convert("RGB")
