"""Photographs that installed packages carry, and the input sets made from them.

scikit-learn and scikit-image ship a few photographs inside their wheels; nothing is downloaded and no picture
is committed. Two scenes are held out: training and calibration never see them.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
"""uint8, height x width x 3, red first, 0..255."""

SCALE = 4
LOW_HEIGHT, LOW_WIDTH = 120, 90
"""What the network takes, in pixels; it gives `SCALE` times as many on both sides."""

_SKIMAGE = ("skimage", "data")
_SKLEARN = ("sklearn", "datasets/images")

TRAINING = {
    "china": (*_SKLEARN, "china.jpg"),
    "flower": (*_SKLEARN, "flower.jpg"),
    "coffee": (*_SKIMAGE, "coffee.png"),
    "rocket": (*_SKIMAGE, "rocket.jpg"),
    "camera": (*_SKIMAGE, "camera.png"),
    "retina": (*_SKIMAGE, "retina.jpg"),
    "tissue": (*_SKIMAGE, "ihc.png"),
    "galaxies": (*_SKIMAGE, "hubble_deep_field.jpg"),
    "cat": (*_SKIMAGE, "chelsea.png"),
    "brick": (*_SKIMAGE, "brick.png"),
    "grass": (*_SKIMAGE, "grass.png"),
    "gravel": (*_SKIMAGE, "gravel.png"),
    "coins": (*_SKIMAGE, "coins.png"),
    "page": (*_SKIMAGE, "page.png"),
}
"""Photographs the weights were trained on: name -> package, folder in it, file."""

CALIBRATION = ("china", "flower", "coffee", "rocket", "camera", "retina", "tissue", "galaxies")
"""Training photographs whose middles are the calibration set; the others are too small or nearly flat."""

HELD_OUT = {
    "astronaut": (*_SKIMAGE, "astronaut.png"),
    "motorcycle": (*_SKIMAGE, "motorcycle_left.png"),
}
"""Photographs that neither training nor calibration sees (nor the motorcycle's other stereo picture)."""


@dataclass(frozen=True)
class Pair:
    """A photograph's crop (480 x 360) and what is left of it at a quarter of the size (120 x 90)."""

    high: Picture
    low: Picture


def photograph(package: str, folder: str, file: str) -> Picture:
    """Return a photograph out of an installed package, grey ones with three equal channels.

    Raises FileNotFoundError when the package, or the picture in it, is not installed.
    """
    spec = find_spec(package)  # Finds the folder without paying for the import.
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the example pictures need the package {package}")
    with Image.open(Path(spec.submodule_search_locations[0]) / folder / file) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8).copy()


def shrink(picture: Picture, factor: int = SCALE) -> Picture:
    """Return `picture` at 1/`factor` of its size: each pixel the rounded mean of a `factor` x `factor` block.

    Rows and columns that do not fill a block are dropped.
    """
    height, width = (side // factor for side in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    sums: NDArray[np.int64] = blocks.sum(axis=(1, 3), dtype=np.int64)
    return ((sums + factor * factor // 2) // (factor * factor)).astype(np.uint8)


def middle(picture: Picture) -> Pair:
    """Return the middle of `picture`, which is first turned by a quarter if it is not tall enough.

    Raises ValueError for a picture that is too small either way.
    """
    height, width = LOW_HEIGHT * SCALE, LOW_WIDTH * SCALE
    upright = picture if picture.shape[0] >= height else np.rot90(picture)
    top, left = (upright.shape[0] - height) // 2, (upright.shape[1] - width) // 2
    if top < 0 or left < 0:
        raise ValueError(f"a picture of {picture.shape[1]} x {picture.shape[0]} is too small")
    high = np.ascontiguousarray(upright[top : top + height, left : left + width])
    return Pair(high=high, low=shrink(high))


def calibration_pictures() -> dict[str, Picture]:
    """Return the low-resolution calibration pictures by name, each 120 x 90 x 3."""
    return {name: middle(photograph(*TRAINING[name])).low for name in CALIBRATION}


def held_out_pairs() -> dict[str, Pair]:
    """Return the held-out pictures by name, in both resolutions."""
    return {name: middle(photograph(*source)) for name, source in HELD_OUT.items()}


def as_zip(pictures: Mapping[str, Picture]) -> bytes:
    """Return a zip of PNG files in name order whose bytes depend on the pixels and on nothing else.

    Entries carry one fixed date and nothing is compressed: neither the clock nor the zlib version shows.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(pictures):
            entry = zipfile.ZipInfo(f"{name}.png", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, _png(pictures[name]))
    return buffer.getvalue()


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()
