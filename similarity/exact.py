"""Are two tensor files the same, bit for bit? Which tensors differ, in how many values, where first and by how much."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.tensorfile import TensorFile

BLOCK = 1 << 20  # values looked at together: a bound for memory, however large the tensors are
BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class TensorDifference:
    """One tensor that differs. `largest` is the largest difference of values, None when one is not finite.

    `first_index` is the place of the first differing value, row by row; its two values are given as texts.
    """

    name: str
    values: int
    differing: int
    largest: float | None
    first_index: int
    first_expected: str
    first_found: str


@dataclass(frozen=True)
class FileDifference:
    """What differs between two files: tensors by their values, and tensors that only one has or has otherwise."""

    tensors: tuple[TensorDifference, ...]
    strange: tuple[str, ...]  # sentences: a tensor is missing, new, or of another shape or type

    @property
    def is_equal(self) -> bool:
        return not self.tensors and not self.strange

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"tensors": [asdict(tensor) for tensor in self.tensors], "strange": list(self.strange)}


def compare_files(expected: TensorFile, found: TensorFile) -> FileDifference:
    """What of `found` is not bit for bit as in `expected`; metadata does not count."""
    strange = tuple(_strange(expected, found))
    shared = [name for name in expected.names if _is_alike(expected, found, name)]
    pairs = ((name, expected.array(name), found.array(name)) for name in shared)
    differing = (compare_arrays(name, one, other) for name, one, other in pairs)
    return FileDifference(tuple(one for one in differing if one), strange)


def compare_arrays(name: str, expected: NDArray[Any], found: NDArray[Any]) -> TensorDifference | None:
    """How two arrays of one shape and type differ; None when all bits agree (0.0 and -0.0 do not)."""
    one, other = expected.reshape(-1), found.reshape(-1)
    differing, largest, first = 0, 0.0, -1
    for start, at in _differing(one, other):
        differing += len(at)
        first = start + int(at[0]) if first < 0 else first
        largest = max(largest, _largest(one[start + at], other[start + at]))
    if not differing:
        return None
    known = None if np.isinf(largest) else largest
    return TensorDifference(name, one.size, differing, known, first, _shown(one[first]), _shown(other[first]))


def _differing(one: NDArray[Any], other: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Blocks in which bits differ: where the block starts, and the places in it."""
    bits = BITS[one.dtype.itemsize]
    for start in range(0, one.size, BLOCK):
        part = slice(start, start + BLOCK)
        at = np.flatnonzero(one[part].view(bits) != other[part].view(bits))
        if len(at):
            yield start, at


def _largest(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest difference of two arrays of values; infinite when one of the values is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return float(np.max(gaps)) if np.isfinite(gaps).all() else float("inf")


def _strange(expected: TensorFile, found: TensorFile) -> Iterator[str]:
    for name in sorted({*expected.names, *found.names}):
        if name not in found.specs:
            yield f"The output {name!r} is missing."
        elif name not in expected.specs:
            yield f"The output {name!r} is new."
        elif not _is_alike(expected, found, name):
            yield f"The output {name!r} is {_form(found, name)} instead of {_form(expected, name)}."


def _is_alike(expected: TensorFile, found: TensorFile, name: str) -> bool:
    one, other = expected.specs.get(name), found.specs.get(name)
    return bool(one and other and (one.dtype, one.shape) == (other.dtype, other.shape))


def _form(file: TensorFile, name: str) -> str:
    spec = file.specs[name]
    return f"{spec.dtype} {'x'.join(map(str, spec.shape))}"


def _shown(value: Any) -> str:
    return repr(value.item())


def first_sentence(difference: Mapping[str, Any]) -> str:
    """The first thing that differs, as a sentence; of a FileDifference as JSON. Empty when nothing does."""
    for one in difference.get("tensors", []):
        by = "values that are not finite" if one["largest"] is None else f"by {one['largest']:.4g} at most"
        return f"Output {one['name']!r} differs in {one['differing']} of {one['values']} values, {by}."
    return next(iter(difference.get("strange", [])), "")
