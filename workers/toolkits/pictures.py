"""Pictures that a toolkit drew, as PNG files: is one whole, how large is it, how many are kept. Standard library only.

Nothing is decoded: the pixels stay packed until a browser draws them, which is bounded by the sizes checked here.
"""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PICTURES, MOST_BYTES = 3000, 1 << 20  # of one conversion; of one file. Those met have some 20 KB
MOST_PIXELS = 4096  # of either side; the pictures met are 640 x 480
# Bits a sample by colour type, and the methods of packing, filtering, interlacing [PNG 1.2, 4.1.1].
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


class NoPicture(ValueError):
    """It is no PNG file, not a whole one, or one of impossible sizes; the text says which."""


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of a whole PNG file. Raises NoPicture."""
    if not data.startswith(SIGNATURE):
        raise NoPicture("no PNG file")
    chunks = list(_chunks(data))
    kinds = [kind for kind, _ in chunks]
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or b"IDAT" not in kinds or kinds.count(b"IHDR") > 1:
        raise NoPicture("no whole PNG file")
    return _header(chunks[0][1])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk up to IEND, behind which nothing may follow. Raises NoPicture."""
    at, kind = len(SIGNATURE), b""
    while at < len(data) and kind != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if len(data) < end + 4:
            raise NoPicture("cut short")
        if int.from_bytes(data[end : end + 4], "big") != zlib.crc32(data[at + 4 : end]):
            raise NoPicture("damaged")
        yield kind, data[at + 8 : end]
        at = end + 4
    if at != len(data):
        raise NoPicture("longer than its picture")


def _header(content: bytes) -> tuple[int, int]:
    if len(content) != struct.calcsize(">IIBBBBB"):
        raise NoPicture("no whole PNG file")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", content)
    if depth not in DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise NoPicture("no kind of PNG")
    if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
        raise NoPicture(f"a picture of {width} x {height}")
    return width, height
