"""Verbs of layers: keep a dump, request a comparison, keep its scores, read them back for a verdict."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import transaction

from dashboard import files
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison, Dump, LayerScore
from dashboard.projects.models import Project
from similarity.alignment import Group
from similarity.compare import Comparison as Compared
from similarity.compare import LayerComparison
from similarity.dumpfile import DumpFile
from similarity.gather import Gather
from similarity.layout import Rearrangement
from similarity.scores import Scores

NUMBERS = [
    "cosine",
    "euclidean",
    "euclidean_norm",
    "relative_l2",
    "sqnr_db",
    "gain",
    "max_abs",
    "mean_abs",
    "lsb_max",
    "lsb_p999",
    "saturated",
    "order_free",
]
REQUIRED = ["cosine", "euclidean", "euclidean_norm", "relative_l2", "sqnr_db", "gain", "max_abs", "mean_abs"]
USEFUL = (State.QUEUED, State.RUNNING, State.SUCCEEDED)
COUNTS = ("nonfinite_reference", "nonfinite_candidate")


def store_dump(project: Project, path: Path) -> Dump:
    """Put a dump file into the store; the row is returned unsaved. Raises similarity.dumpfile.DamagedFile."""
    with DumpFile.open(path) as dump:
        layers = [asdict(layer) for layer in dump.layers]
        rung, simulated = dump.rung, dump.simulated
    stored = files.put_path(path)
    return Dump(
        project=project, rung=rung, simulated=simulated, sha256=stored.sha256, size=stored.size, layers=layers
    )


@transaction.atomic
def request_comparison(reference: Dump, candidate: Dump, user: Any = None) -> Comparison:
    """The comparison of these two dumps; one that is under way or done already is not made again.

    It is locked until the caller's transaction ends, so that it does not end between being found and being used.
    """
    comparison: Comparison
    useful = Comparison.objects.filter(state__in=USEFUL)
    comparison, _ = useful.select_for_update(no_key=True).get_or_create(
        reference=reference,
        candidate=candidate,
        defaults={"project": candidate.project, "created_by": user},
    )
    return comparison


def is_compared(reference: Dump, candidate: Dump) -> bool:
    """Is the comparison of these two dumps under way or done?"""
    return Comparison.objects.filter(state__in=USEFUL, reference=reference, candidate=candidate).exists()


def keep_scores(comparison: Comparison, compared: Compared) -> None:
    """Write one row per pair of layers and the summary; called in the transaction that ends the comparison."""
    LayerScore.objects.bulk_create([_row(comparison, pair) for pair in compared.layers], batch_size=500)
    Comparison.objects.filter(pk=comparison.pk).update(
        summary=summarize(compared),
        unmatched={
            "reference": [_group(group) for group in compared.only_in_reference],
            "candidate": [_group(group) for group in compared.only_in_candidate],
        },
    )


def summarize(compared: Compared) -> dict[str, Any]:
    """The few numbers that lists and the history show; null where there is none."""
    known = [pair for pair in compared.layers if pair.scores.as_dict()["cosine"] is not None]
    worst = min(known, key=lambda pair: pair.scores.cosine, default=None)
    last = compared.layers[-1] if compared.layers else None
    return {
        "layers": len(compared.layers),
        "worst_layer": worst.name if worst else None,
        "worst_cosine": worst.scores.as_dict()["cosine"] if worst else None,
        "output_layer": last.name if last else None,
        "output_cosine": last.scores.as_dict()["cosine"] if last else None,
        "output_sqnr_db": last.scores.as_dict()["sqnr_db"] if last else None,
        "output_exact": last.scores.is_exact if last else False,
    }


def _group(group: Group) -> dict[str, Any]:
    return {"layers": [layer.key for layer in group.layers], "stands_for": group.stands_for}


def _row(comparison: Comparison, pair: LayerComparison) -> LayerScore:
    numbers, order = pair.scores.as_dict(), pair.rearrangement
    return LayerScore(
        comparison=comparison,
        position=pair.position,
        reference_key=pair.reference_key[:300],
        candidate_key=pair.candidate_key[:300],
        name=pair.name[:300],
        op=pair.op[:60],
        shape=list(pair.shape),
        input_rank=pair.input_rank,
        rearrangement=order.sentence[:300] if order else "",
        rearrangement_name=order.name[:80] if order else "",
        rearrangement_cosine=order.cosine if order else None,
        note=pair.note[:300],
        flags=_flags(numbers, pair),
        **{name: numbers[name] for name in (*NUMBERS, *COUNTS)},
    )


def _flags(numbers: dict[str, Any], pair: LayerComparison) -> dict[str, bool]:
    """Why a number is missing: `exact` (sqnr would be infinite), `nonfinite` values, an all-zero tensor."""
    flags = {
        "exact": numbers["exact"],
        "nonfinite": not numbers["finite"],
        "zero_reference": numbers["zero_reference"],
        "zero_candidate": pair.candidate_is_zero,
        "order_is_fault": pair.order_is_fault,
    }
    return {flag: True for flag, is_so in flags.items() if is_so}


def compared(comparison: Comparison) -> Compared:
    """The stored scores as similarity's own value, for the verdict."""
    layers = {layer["key"]: layer for layer in comparison.reference.layers}
    return Compared(
        reference_rung=comparison.reference.rung,
        candidate_rung=comparison.candidate.rung,
        simulated=comparison.reference.simulated or comparison.candidate.simulated,
        layers=tuple(_pair(score, layers) for score in comparison.scores.all()),
        only_in_reference=(),
        only_in_candidate=(),
    )


def _pair(score: LayerScore, layers: dict[str, dict[str, Any]]) -> LayerComparison:
    order = None
    if score.rearrangement_name:
        cosine = score.rearrangement_cosine
        order = Rearrangement(
            score.rearrangement_name, score.rearrangement, math.nan if cosine is None else cosine, Gather()
        )
    inputs = layers.get(score.reference_key, {}).get("inputs", [])
    return LayerComparison(
        position=score.position,
        reference_key=score.reference_key,
        candidate_key=score.candidate_key,
        name=score.name,
        op=score.op,
        shape=tuple(score.shape),
        scores=_scores(score),
        rearrangement=order,
        note=score.note,
        inputs=tuple(key for key in inputs if key in layers),
        input_rank=score.input_rank,
        candidate_is_zero=score.flags.get("zero_candidate", False),
        order_is_fault=score.flags.get("order_is_fault", False),
    )


def _scores(score: LayerScore) -> Scores:
    """Stored nulls become the infinities and NaNs that they were; see Scores.as_dict."""
    numbers = {name: getattr(score, name) for name in NUMBERS}
    missing = {name: math.nan for name in REQUIRED if numbers[name] is None}
    if score.flags.get("exact"):
        missing["sqnr_db"] = math.inf
    elif score.flags.get("zero_reference"):
        missing |= {"relative_l2": math.inf, "sqnr_db": -math.inf}
    return Scores(
        elements=math.prod(score.shape),
        nonfinite_reference=score.nonfinite_reference,
        nonfinite_candidate=score.nonfinite_candidate,
        **{**numbers, **missing},
    )
