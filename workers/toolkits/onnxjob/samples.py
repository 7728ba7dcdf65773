"""Turning stored samples into what the graph takes: layout, channel order, mean and standard deviation,
type. Never a resize."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.tensorfile import DamagedFile, TensorFile
from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused

CHANNELS = (1, 3)
Array = NDArray[Any]


@dataclass(frozen=True)
class Preparation:
    """How one input's samples become graph values: x = (sample[channels reversed if reorder] - mean) /
    std."""

    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    reorder: bool = False

    @classmethod
    def from_recipe(cls, entry: dict[str, Any]) -> "Preparation":
        """Check the entry of recipe["inputs"]; Refused recipe:invalid when a number is missing its sense."""
        mean, std = ([float(value) for value in entry.get(name) or []] for name in ("mean", "std"))
        if not all(np.isfinite(mean + std)) or any(value == 0 for value in std):
            raise Refused("recipe:invalid", "mean and std must be finite, and no std may be 0.")
        return cls(mean, std, bool(entry.get("reorder", False)))


class Samples:
    """The samples of one file, prepared one at a time for `inputs`."""

    def __init__(
        self, path: Path, inputs: Sequence[Input], layout: str, preparations: dict[str, Preparation]
    ) -> None:
        try:
            self.file = TensorFile.open(path)
        except DamagedFile as error:
            raise Refused("data:unreadable", str(error)) from error
        self.inputs, self.layout, self.preparations = inputs, layout, preparations
        self.names = _by_sample(self.file)
        if not self.names:
            raise Refused("data:empty", "The samples file holds no sample.")

    def __len__(self) -> int:
        return len(self.names)

    def prepared(self, index: int) -> dict[str, Array]:
        """The graph's inputs for sample `index`. Raises Refused data:* naming sample and input."""
        if not 0 <= index < len(self.names):
            raise Refused("recipe:invalid", f"There is no sample {index}; the set holds {len(self.names)}.")
        held = self.names[index]
        return {
            wanted.name: self._one(wanted, index, self._find(held, wanted, index)) for wanted in self.inputs
        }

    def _find(self, held: dict[str, str], wanted: Input, index: int) -> str:
        if wanted.name in held:
            return held[wanted.name]
        if list(held) == [""] and len(self.inputs) == 1:
            return held[""]
        names = ", ".join(repr(name) for name in sorted(held))
        raise Refused(
            "data:wrong-names",
            f"Sample {index} holds {names} but the model's input {wanted.name!r} is not among them.",
        )

    def _one(self, wanted: Input, index: int, name: str) -> Array:
        value = self.file.array(name)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise Refused(
                "data:not-finite", f"Sample {index} holds NaN or infinite values (input {wanted.name!r})."
            )
        fitting = one_channel(value) if takes_one_channel(wanted.shape) else value
        arranged, axis = arrange(fitting, wanted, self.layout, index)
        return as_graph_type(
            normalised(arranged, axis, self.preparations.get(wanted.name, Preparation())), wanted, index
        )


def _by_sample(file: TensorFile) -> list[dict[str, str]]:
    """For each sample, in order: input name -> tensor name."""
    samples: dict[str, dict[str, str]] = {}
    for name in file.specs:
        number, _, input_name = name.partition("/")
        samples.setdefault(number, {})[input_name] = name
    return [samples[number] for number in sorted(samples)]


def takes_one_channel(shape: Sequence[int]) -> bool:
    """Whether a graph's input is a grey picture: four dimensions, one channel, first or last."""
    return len(shape) == 4 and 1 in (shape[1], shape[3]) and 3 not in (shape[1], shape[3])


def one_channel(value: Array) -> Array:
    """A grey picture, which is stored as three equal channels, with one of them; anything else as it is."""
    is_picture = value.ndim == 3 and value.dtype == np.uint8 and value.shape[-1] == 3
    is_grey = is_picture and bool((value == value[..., :1]).all())
    return value[..., :1] if is_grey else value


def looks_like(shape: Sequence[int]) -> str:
    """NCHW or NHWC when only one place looks like the channels of a picture; "" when that does not tell."""
    first, last = shape[1] in CHANNELS, shape[-1] in CHANNELS
    return "" if first == last else "NCHW" if first else "NHWC"


def arrange(value: Array, wanted: Input, layout: str, index: int) -> tuple[Array, int]:
    """`value` in the graph's axis order, and the channel axis there.

    Samples are transposed when their declared layout is not the graph's. Raises Refused data:wrong-layout when
    another declaration would fit, data:wrong-shape when none would.
    """
    target = wanted.shape
    batched = value[None] if value.ndim == len(target) - 1 and target[0] == 1 else value
    last = len(target) - 1
    if last < 2 or batched.ndim != len(target):
        if batched.shape == target:
            return batched, min(1, max(last, 0))
        raise _wrong_shape(value, wanted, index)
    orders = {
        "as it is": batched,
        "first to last": np.moveaxis(batched, 1, -1),
        "last to first": np.moveaxis(batched, -1, 1),
    }
    fitting = [name for name, order in orders.items() if order.shape == target]
    for name, axis in _allowed(layout, looks_like(target), last):
        if name in fitting:
            return orders[name], axis
    raise _wrong_layout(value, wanted, layout, index) if fitting else _wrong_shape(value, wanted, index)


def _allowed(layout: str, graph: str, last: int) -> list[tuple[str, int]]:
    """Which orders a declared layout allows, the likeliest first, each with the channel axis that it leads to."""
    if layout == "NCHW":
        return [("as it is", 1), ("first to last", last)]
    if layout == "NHWC":
        same, turned = ("as it is", last), ("last to first", 1)
        return {"NHWC": [same, turned], "NCHW": [turned]}.get(graph, [turned, same])
    return [("as it is", last if graph == "NHWC" else 1)]


def _wrong_layout(value: Array, wanted: Input, layout: str, index: int) -> Refused:
    text = f"Sample {index} has shape {list(value.shape)} and is declared {layout or 'as it is'}; "
    return Refused("data:wrong-layout", text + f"input {wanted.name!r} takes {list(wanted.shape)}.")


def _wrong_shape(value: Array, wanted: Input, index: int) -> Refused:
    text = f"Sample {index} has shape {list(value.shape)}; input {wanted.name!r} takes {list(wanted.shape)}."
    return Refused("data:wrong-shape", text + _likely_reason(value, wanted))


def _likely_reason(value: Array, wanted: Input) -> str:
    """What happened most likely, when the shapes tell."""
    if value.ndim == len(wanted.shape) and wanted.shape[:1] == (1,) and value.shape[1:] == wanted.shape[1:]:
        return (
            f" An array is one sample: if this one holds {len(value)}, save each in a file of its own and upload"
            " a zip of them."
        )
    if takes_one_channel(wanted.shape) and value.dtype == np.uint8 and value.shape[-1:] == (3,):
        return " The picture has colours, and the input takes one channel: upload grey pictures."
    return ""


def normalised(value: Array, axis: int, preparation: Preparation) -> Array:
    """Channel order, mean and std; the value itself when there is nothing to do."""
    if preparation.reorder:
        value = np.flip(value, axis)
    if not preparation.mean and not preparation.std:
        return value
    mean = _per_channel(preparation.mean or [0.0], value, axis)
    std = _per_channel(preparation.std or [1.0], value, axis)
    result: Array = (value.astype(np.float32) - mean) / std
    return result


def _per_channel(numbers: list[float], value: Array, axis: int) -> NDArray[np.float32]:
    channels = value.shape[axis] if value.ndim else 1
    if len(numbers) not in (1, channels):
        raise Refused("recipe:invalid", f"{len(numbers)} values of mean or std for {channels} channels.")
    shape = [1] * value.ndim
    if len(numbers) > 1:
        shape[axis] = channels
    return np.array(numbers, dtype=np.float32).reshape(shape)


def as_graph_type(value: Array, wanted: Input, index: int) -> Array:
    """`value` in the graph's type when no information is lost by it; Refused data:wrong-type otherwise."""
    target = np.dtype(wanted.dtype)
    numeric = value.dtype.kind in "fiu" and target.kind in "fiu"
    fits = value.dtype == target or (numeric and target.kind == "f")
    if not fits and numeric and value.dtype.kind in "fiu":
        bounds = np.iinfo(target)
        whole = value.dtype.kind in "iu" or bool((value == np.rint(value)).all())
        fits = whole and (value.size == 0 or (value.min() >= bounds.min and value.max() <= bounds.max))
    if not fits:
        raise Refused(
            "data:wrong-type",
            f"Sample {index} is {value.dtype.name}; input {wanted.name!r} takes {wanted.dtype}.",
        )
    # Not ascontiguousarray, which makes a row of one out of a scalar.
    return np.asarray(value.astype(target, copy=False), order="C")
