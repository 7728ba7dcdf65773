"""Each layer's error split among the steps of the ladder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from similarity.compare import Comparison
from similarity.steps import StepError, step_errors


@dataclass(frozen=True)
class StepShare:
    """One step's part in one layer's error; `introduced` is what the layer adds here (relative_l2)."""

    step: str
    relative_l2: float
    sqnr_db: float
    introduced: float


@dataclass(frozen=True)
class SplitError:
    """A layer's error on every step that was measured, and the step with the largest (None: no error)."""

    layer_key: str
    name: str
    shares: tuple[StepShare, ...]
    largest: str | None


def split_errors(steps: Mapping[str, Comparison]) -> tuple[SplitError, ...]:
    """Split the layers' errors among `steps`: names like "board", each with its comparison.

    Rows follow the order of the first comparison that has the layer; layers are recognised by the
    reference's key, or, where a step renames them, by the candidate's key of the step before.
    """
    rows: dict[str, list[StepShare]] = {}
    names: dict[str, str] = {}
    roots: dict[str, str] = {}
    for step, comparison in steps.items():
        renamed: dict[str, str] = {}
        for error in step_errors(comparison):
            layer = error.layer
            root = roots.get(layer.reference_key, layer.reference_key)
            renamed[layer.candidate_key] = root
            names.setdefault(root, layer.name)
            rows.setdefault(root, []).append(_share(step, error))
        roots = renamed
    return tuple(SplitError(key, names[key], tuple(shares), _largest(shares)) for key, shares in rows.items())


def _share(step: str, error: StepError) -> StepShare:
    return StepShare(step, error.own, error.layer.scores.sqnr_db, error.introduced)


def _largest(shares: list[StepShare]) -> str | None:
    worst = max(shares, key=lambda share: -math.inf if math.isnan(share.relative_l2) else share.relative_l2)
    return worst.step if worst.relative_l2 > 0.0 else None
