"""The verdict: which step of the ladder went wrong, at which layer, in plain words, and what to do next."""

from __future__ import annotations

from similarity.board_findings import judge_board
from similarity.compare import Comparison
from similarity.conversion_findings import judge_conversion
from similarity.quantization_findings import judge_quantization
from similarity.reasons import Finding, Limits, Outcome, Reason, StepName, Verdict

__all__ = ["Limits", "Outcome", "Reason", "StepName", "Verdict", "judge"]


def judge(
    quantization: Comparison | None,
    board: Comparison | None,
    limits: Limits | None = None,
    *,
    board_expected: bool = True,
    conversion: Comparison | None = None,
) -> Verdict:
    """Judge the comparisons framework -> quantized and quantized -> board of one sample.

    `conversion`, framework -> converted, comes from toolkits that show their own float graph.

    A step that fails makes the verdict "fail", the earliest of them names step and layer. When none fails,
    a step that is missing (None) or without layers in common makes it "cannot tell", never "pass"; pass
    `board_expected=False` where only a conversion was asked for.
    """
    limits = limits or Limits()
    findings = [] if conversion is None else [judge_conversion(conversion, limits)]
    findings.append(judge_quantization(quantization, limits))
    if board is not None or board_expected:
        findings.append(judge_board(board, limits, quantization))
    sentence = " ".join(finding.sentence for finding in findings)
    reasons = tuple(reason for finding in findings for reason in finding.reasons)
    advice = tuple(text for finding in findings for text in finding.advice)
    failed = next((finding for finding in findings if finding.outcome == "fail"), None)
    if failed is not None:
        return Verdict("fail", sentence, reasons, failed.first_bad_layer, failed.step, advice)
    return Verdict(_outcome(findings), sentence, reasons, None, None, advice)


def _outcome(findings: list[Finding]) -> Outcome:
    return "pass" if all(finding.outcome == "pass" for finding in findings) else "cannot tell"
