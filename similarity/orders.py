"""The orders in which boards and toolkits are known to hand over a tensor, from the simplest on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from similarity.gather import Gather, Step

Shape = tuple[int, ...]

# All orders of up to six long axes are 719 guesses on a sample: some tens of milliseconds.
FREE_RANK = 6
BLOCK_SIZES = (2, 3, 4, 8)
PADDED_TO = (4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Guess:
    """`how` turns a candidate that holds this order into the reference's order."""

    name: str
    sentence: str
    how: Gather


def guesses(reference: Shape, candidate: Shape) -> Iterator[Guess]:
    """Every order worth trying between tensors of these shapes."""
    if math.prod(reference) != math.prod(candidate):
        yield from _padded(reference, candidate)
        return
    if reference != candidate:
        sentence = f"the values are right and in order, as {_text(candidate)} instead of {_text(reference)}"
        yield Guess("other shape", sentence, Gather())
    if len(reference) == 4:
        yield from _four_axes(reference)
        yield from _depth_to_space(reference)
    if len(reference) > 1 and reference[0] > 1:
        yield _batch_and_channels(reference)
    yield from _transpositions(reference)
    if len(reference) == 4:
        for block in _block_sizes(reference):
            yield from _transpositions(_split_blocks(reference, block))


def declared_order(
    reference: Shape, reference_layout: str, candidate: Shape, candidate_layout: str
) -> Gather:
    """What shapes and layouts alone say about how to put a candidate in the reference's order."""
    if is_padded(reference, candidate):
        return next(_padded(reference, candidate)).how
    if len(candidate) == 4 and (reference_layout, candidate_layout) == ("NCHW", "NHWC"):
        n, c, h, w = reference if len(reference) == 4 else (1, 1, 1, math.prod(reference))
        return Gather((Step((n, h, w, c), (0, 3, 1, 2)),))
    if len(candidate) == 4 and (reference_layout, candidate_layout) == ("NHWC", "NCHW"):
        n, h, w, c = reference if len(reference) == 4 else (1, 1, math.prod(reference), 1)
        return Gather((Step((n, c, h, w), (0, 2, 3, 1)),))
    return Gather()


def is_padded(reference: Shape, candidate: Shape) -> bool:
    """Whether one axis of the candidate is rounded up to a multiple and the others agree."""
    return next(_padded(reference, candidate), None) is not None


def _four_axes(reference: Shape) -> Iterator[Guess]:
    n, first, second, third = reference
    yield _guess(
        "NHWC for NCHW", "in NHWC order where NCHW is expected", (n, second, third, first), (0, 3, 1, 2)
    )
    yield _guess(
        "NCHW for NHWC", "in NCHW order where NHWC is expected", (n, third, first, second), (0, 2, 3, 1)
    )
    turned = "with height and width exchanged"
    yield _guess("H and W exchanged", turned, (n, first, third, second), (0, 1, 3, 2))
    yield _guess("H and W exchanged", turned, (n, second, first, third), (0, 2, 1, 3))
    for axis in (1, 3):
        step = Step(reference, (0, 1, 2, 3), flip=axis)
        sentence = "the values are right but with the channels in reverse order, as RGB for BGR"
        yield Guess("channels reversed", sentence, Gather((step,)))


def _batch_and_channels(reference: Shape) -> Guess:
    order = (1, 0, *range(2, len(reference)))
    split = (reference[1], reference[0], *reference[2:])
    return _guess("batch and channels exchanged", "with batch and channels exchanged", split, order)


def _depth_to_space(reference: Shape) -> Iterator[Guess]:
    """DepthToSpace's two conventions on its output of shape N, C, H r, W r.

    DCR takes input channel (i r + j) C + c to place (c, h r + i, w r + j), CRD takes channel (c r + i) r +
    j there (ONNX operator documentation). Undoing one and doing the other is two steps, with the input
    between them.
    """
    for r in _block_sizes(reference):
        n, c, h, _, w, _ = _split_blocks(reference, r)
        if c == 1:
            continue
        made = (n, c, h, r, w, r)
        undo_dcr, undo_crd = Step(made, (0, 3, 5, 1, 2, 4)), Step(made, (0, 1, 3, 5, 2, 4))
        do_crd, do_dcr = (
            Step((n, c, r, r, h, w), (0, 1, 4, 2, 5, 3)),
            Step((n, r, r, c, h, w), (0, 3, 4, 1, 5, 2)),
        )
        for name, steps in (("DCR for CRD", (undo_dcr, do_crd)), ("CRD for DCR", (undo_crd, do_dcr))):
            found, _, expected = name.split()
            sentence = (
                f"the values are right but in {found} order where {expected} is expected (blocks of {r})"
            )
            yield Guess(name, sentence, Gather(steps))


def _block_sizes(reference: Shape) -> list[int]:
    return [r for r in BLOCK_SIZES if reference[2] % r == 0 and reference[3] % r == 0]


def _split_blocks(reference: Shape, r: int) -> Shape:
    n, c, height, width = reference
    return n, c, height // r, r, width // r, r


def _transpositions(reference: Shape) -> Iterator[Guess]:
    """Every other order of the axes longer than one, while they are few enough."""
    axes = [axis for axis, size in enumerate(reference) if size > 1]
    if not 2 <= len(axes) <= FREE_RANK:
        return
    sizes = [reference[axis] for axis in axes]
    for order in itertools.islice(itertools.permutations(range(len(axes))), 1, None):
        moved = dict(zip(axes, (axes[axis] for axis in order), strict=True))
        named = ", ".join(str(moved.get(axis, axis)) for axis in range(len(reference)))
        phrase = f"with the axes of {_text(reference)} (counted from 0) in the order {named}"
        split = tuple(sizes[axis] for axis in order)
        back = tuple(order.index(axis) for axis in range(len(axes)))
        yield _guess(f"axes in the order {named}", phrase, split, back)


def _padded(reference: Shape, candidate: Shape) -> Iterator[Guess]:
    """Channels padded to a multiple: one axis of the candidate is longer and the others agree."""
    if len(reference) != len(candidate):
        return
    other = [axis for axis, size in enumerate(reference) if candidate[axis] != size]
    if len(other) == 1 and _is_rounded_up(reference[other[0]], candidate[other[0]]):
        axis = other[0]
        sentence = (
            f"the values are right, with axis {axis} padded from {reference[axis]} to {candidate[axis]}"
        )
        step = Step(candidate, tuple(range(len(candidate))), crop=axis, length=reference[axis])
        yield Guess("channels padded", sentence, Gather((step,)))


def _is_rounded_up(size: int, padded: int) -> bool:
    return any(padded == -(-size // multiple) * multiple for multiple in PADDED_TO)


def _guess(name: str, phrase: str, split: Shape, order: Shape) -> Guess:
    return Guess(name, f"the values are right but {phrase}", Gather((Step(split, order),)))


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape))
