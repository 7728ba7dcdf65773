"""Samples for the toolkit: files of its data set, and which inputs have mean and std built into the artifact."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.samples import Preparation, Samples, looks_like

Array = NDArray[Any]


class Feeding:
    """How the toolkit's inputs differ from the graph's: what it normalises itself goes in as it was taken.

    The toolkit subtracts means and divides per channel of a four-dimensional NCHW input; what else the recipe asks
    for is done before, so that the artifact then takes normalised values. `is_turned`: the toolkit makes NCHW of
    four-dimensional inputs of the source, which are NHWC.
    """

    def __init__(
        self, inputs: Sequence[Input], preparations: Mapping[str, Preparation], is_turned: bool = False
    ) -> None:
        self.inputs, self.is_turned = inputs, is_turned
        self.preparations = preparations
        self.baked = [one.name for one in inputs if self._is_baked(one)]

    def raw(self) -> dict[str, Preparation]:
        """Preparations for what goes into the artifact."""
        return {
            name: Preparation(reorder=how.reorder) if name in self.baked else how
            for name, how in self.preparations.items()
        }

    def config(self) -> dict[str, list[list[float]]]:
        """`mean_values` and `std_values` for RKNN.config, one list per input; empty when nothing is baked in."""
        if not self.baked:
            return {}
        means = [self._per_channel(one, "mean", 0.0) for one in self.inputs]
        stds = [self._per_channel(one, "std", 1.0) for one in self.inputs]
        return {"mean_values": means, "std_values": stds}

    def _is_baked(self, one: Input) -> bool:
        how = self.preparations.get(one.name)
        plain = how is None or (set(how.mean) <= {0.0} and set(how.std) <= {1.0})
        return not plain and len(one.shape) == 4 and (self.is_turned or looks_like(one.shape) != "NHWC")

    def _per_channel(self, one: Input, field: str, neutral: float) -> list[float]:
        channels = one.shape[-1 if self.is_turned else 1] if len(one.shape) == 4 else 1
        given = getattr(self.preparations.get(one.name), field, None) if one.name in self.baked else None
        numbers = given or [neutral]
        return list(numbers) * channels if len(numbers) == 1 else list(numbers)

    def lying(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """One sample as the toolkit takes it."""
        return {name: nchw(value) if self.is_turned else value for name, value in feed.items()}


def nchw(value: Array) -> Array:
    """NCHW of four dimensions that lie NHWC; anything else as it is."""
    return np.ascontiguousarray(value.transpose(0, 3, 1, 2)) if value.ndim == 4 else value


def write_dataset(folder: Path, samples: Samples, feeding: Feeding) -> Iterator[int]:
    """Write dataset.txt and its .npy files into `folder`; yields how many samples are written so far.

    One sample a line, its inputs separated by blanks in the graph's order; names of ours hold no blank.
    """
    folder.mkdir()
    with (folder / "dataset.txt").open("w", encoding="utf-8") as listing:
        for index in range(len(samples)):
            sample = feeding.lying(samples.prepared(index))
            listing.write(" ".join(save_sample(folder, sample, feeding.inputs, f"{index:06d}")) + "\n")
            yield index + 1


def save_sample(folder: Path, feed: Mapping[str, Array], inputs: Sequence[Input], stem: str) -> list[str]:
    """Save the inputs of one sample as .npy; their paths in the graph's order."""
    paths = [folder / f"{stem}-{number}.npy" for number in range(len(inputs))]
    for path, one in zip(paths, inputs, strict=True):
        np.save(path, feed[one.name])
    return [str(path) for path in paths]
