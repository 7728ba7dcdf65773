"""What a verdict is made of: limits, reasons, and what was found on one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "cannot tell"]
StepName = Literal["preprocessing", "conversion", "quantization", "board"]


@dataclass(frozen=True)
class Limits:
    """Where fine ends. The first three are rules of the vendor's accuracy manual.

    first_layer_cosine   below it the network was fed wrongly: nothing is quantized yet that could explain it
    operator_cosine      below it an operator or driver is broken: 8 bits do not cost that much
    hybrid_cosine        at or below it a layer is a candidate for hybrid (16 bit) quantization; no failure
                         by itself
    output_relative_l2   the same for a gain, and for an output of one number, whose cosine is always 1 or -1
    output_cosine        what an output of the quantized network must reach. Layers inside may sink to 0.94
                         and the sum at the end still be right, so only outputs are held to it
    output_steps         a layer with no element further off than this many of its own quantization steps is as
                         right as 8 bits can be, also where nothing of a faint output is left
    conversion_introduced  relative_l2 that one layer of the toolkit's float graph may add: float32 summed in
                         another order gives some 1e-6, weights folded into a layer some 1e-5
    board_introduced     relative_l2 that one layer may add on the board. Integer kernels and their float
                         simulation round the same value to neighbouring steps now and then: with some tens
                         of steps in use that is a percent or two. A tenth (a cosine of 0.995) is beyond
                         rounding
    board_excused        as far as the board may be off where quantization itself is: see judge_board
    board_moved          the same for a layer that only moves numbers (Transpose, Reshape): it rounds nothing
    board_factor         a layer must be that much worse than its inputs to be blamed: operators that
                         amplify (sums that cancel, wide PReLUs) make errors two or three times larger
                         without being wrong
    board_steps          a layer with no element further off than this many quantization steps is only
                         rounding, even where a narrow tensor makes relative_l2 large
    board_output_cosine  below it the outputs have drifted away though no single layer is to blame
    """

    first_layer_cosine: float = 0.98
    operator_cosine: float = 0.5
    hybrid_cosine: float = 0.99
    output_cosine: float = 0.99
    output_relative_l2: float = 0.25
    output_steps: float = 1.0
    conversion_introduced: float = 0.001
    board_introduced: float = 0.1
    board_excused: float = 0.5
    board_moved: float = 0.002
    board_factor: float = 3.0
    board_steps: float = 2.0
    board_output_cosine: float = 0.99


@dataclass(frozen=True)
class Reason:
    """One ground of a verdict: a stable `code`, a sentence, and its layer (None: the whole network)."""

    code: str
    text: str
    layer_key: str | None = None


@dataclass(frozen=True)
class Finding:
    """What one step of the ladder says; `sentence` is the whole of it in plain words."""

    outcome: Outcome
    step: StepName
    sentence: str
    reasons: tuple[Reason, ...] = ()
    first_bad_layer: str | None = None
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """`first_bad_layer` is a layer key; `step` is where it went wrong, None unless the outcome is "fail"."""

    outcome: Outcome
    sentence: str
    reasons: tuple[Reason, ...]
    first_bad_layer: str | None
    step: StepName | None
    advice: tuple[str, ...]
