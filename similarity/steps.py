"""One step of the ladder, layer by layer: who introduces error, who only carries it, where it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass

from similarity.compare import Comparison, LayerComparison


@dataclass(frozen=True)
class StepError:
    """A layer's error on one step. `own` and `inherited` are relative_l2: of it, and of the worst layer
    that feeds it.

    `introduced` is what the layer adds if errors add up like independent noise: sqrt(own^2 - inherited^2),
    0 when its inputs were as bad already. NaN and Inf count as infinite errors.
    """

    layer: LayerComparison
    own: float
    inherited: float

    @property
    def introduced(self) -> float:
        if self.own <= self.inherited:
            return 0.0
        return math.inf if math.isinf(self.own) else math.sqrt(self.own**2 - self.inherited**2)


def step_errors(comparison: Comparison) -> tuple[StepError, ...]:
    """The error of every layer beside that of its inputs, in topological order.

    A layer whose inputs are not known is held against the layer before it. Where the dump does say what feeds
    layers, a layer without inputs reads the network's input, which both runs share: it inherits nothing.
    """
    errors: dict[str, float] = {}
    inputs_are_known = any(layer.inputs for layer in comparison.layers)
    found = []
    previous = 0.0
    for layer in comparison.layers:
        fed_by = [errors[key] for key in layer.inputs if key in errors]
        unknown = previous if layer.inputs or not inputs_are_known else 0.0
        inherited = max(fed_by, default=unknown)
        own = inherited if is_unbounded_alike(layer) else error_of(layer)
        found.append(StepError(layer, own, inherited))
        errors[layer.reference_key] = previous = own
    return tuple(found)


def is_unbounded_alike(layer: LayerComparison) -> bool:
    """Whether the reference holds NaN or Inf too, and not far fewer: a mask of -Inf, or a logarithm of zeros.

    There is nothing to measure at such a layer, and nobody to blame: it hands on the error of its inputs.
    """
    scores = layer.scores
    return 0 < scores.nonfinite_candidate <= 2 * scores.nonfinite_reference or (
        scores.nonfinite_reference > 0 and scores.nonfinite_candidate == 0
    )


def is_rounding(layer: LayerComparison, steps: float) -> bool:
    """Whether no element is further off than `steps` quantization steps of the layer: 8 bits cannot say more,
    even where values near zero make every relative figure large."""
    return layer.scores.lsb_max is not None and layer.scores.lsb_max <= steps


def error_of(layer: LayerComparison) -> float:
    """relative_l2 of a layer, infinite when it holds NaN or Inf."""
    value = layer.scores.relative_l2
    return math.inf if math.isnan(value) else value


def output_layers(comparison: Comparison) -> tuple[LayerComparison, ...]:
    """The layers that feed no other; the last one where inputs are not known."""
    layers = comparison.layers
    if not any(layer.inputs for layer in layers):
        return layers[-1:]
    fed = {key for layer in layers for key in layer.inputs}
    return tuple(layer for layer in layers if layer.reference_key not in fed)
