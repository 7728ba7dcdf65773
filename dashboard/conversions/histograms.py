"""Histograms that a toolkit drew of what it calibrated, when the recipe asked for them."""

from dataclasses import dataclass
from pathlib import Path

from django.db import models


class Shows(models.TextChoices):
    """What of a layer is drawn."""

    WEIGHT = "weight", "weights"
    BIAS = "bias", "bias"
    OUT = "out", "output"


@dataclass(frozen=True)
class DrawnHistogram:
    """A picture in a job folder, checked: a whole PNG file of these sizes in pixels.

    `layer_key` is the layer's in the dumps, empty when none of their layers is called `layer_name`; `port` is the
    number of an output, else 0.
    """

    path: Path
    layer_key: str
    layer_name: str
    shows: Shows
    port: int
    width: int
    height: int
