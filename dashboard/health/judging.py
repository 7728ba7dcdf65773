"""What a check's run says about its board: outputs bit by bit, time by its trend. Reads files, writes nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dashboard import files
from dashboard.boards.fingerprints import differences
from dashboard.boards.models import RunResult
from dashboard.health.golden import expected_outputs
from dashboard.health.models import GoldenOutputs, HealthCheck, Outcome
from dashboard.health.stacks import Stack, stack_of, stratum_of
from dashboard.health.trend import CONFIRMATIONS, LAST, Band, band_of
from similarity.exact import FileDifference, compare_files
from similarity.tensorfile import DamagedFile, TensorFile


@dataclass(frozen=True)
class Judgement:
    """What was found; `evidence` is JSON for the page. `is_new` when nobody knew outputs of this stack before."""

    outcome: Outcome
    stack: Stack
    stratum: str
    median_us: float
    is_new: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)


class Unreadable(Exception):
    """The outputs that were stored cannot be read any more."""


def judge(check: HealthCheck, result: RunResult) -> Judgement:
    """Judge a run that ended well. Raises Unreadable, and files.Missing."""
    stack, stratum = stack_of(result.fingerprint_before), stratum_of(result.fingerprint_before)
    expected, known = expected_outputs(check.golden, stack)
    difference = outputs_difference(expected.outputs_sha256, result.outputs_sha256)
    evidence = {
        "outputs": difference.as_dict(),
        "expected_run": expected.run_id,
        "changed": changed_since_good(check, result),
    }
    if not difference.is_equal:
        outcome = Outcome.DIFFERS if known else Outcome.NEW_STACK
        return Judgement(outcome, stack, stratum, result.median_us, not known, evidence)
    band = band_of(earlier_times(check, stratum))
    evidence["band"] = asdict(band) if band else None
    return Judgement(_by_time(check, result, band), stack, stratum, result.median_us, not known, evidence)


def outputs_difference(expected_sha256: str, found_sha256: str) -> FileDifference:
    """What differs between two stored outputs; equal files are not even opened. Raises Unreadable, files.Missing."""
    if expected_sha256 == found_sha256:
        return FileDifference((), ())
    try:
        with (
            TensorFile.open(files.existing(expected_sha256)) as expected,
            TensorFile.open(files.existing(found_sha256)) as found,
        ):
            return compare_files(expected, found)
    except DamagedFile as error:
        raise Unreadable(str(error)) from error


def earlier_times(check: HealthCheck, stratum: str) -> list[float]:
    """The medians of the last good checks with this golden model on this board, in the same state of it."""
    good = HealthCheck.objects.filter(
        board=check.board_id, golden=check.golden_id, outcome=Outcome.PASSED, stratum=stratum
    )
    times = good.exclude(pk=check.pk).order_by("-pk").values_list("median_us", flat=True)[:LAST]
    return [time for time in times if time is not None]


def changed_since_good(check: HealthCheck, result: RunResult) -> list[dict[str, Any]]:
    """The fields of the fingerprint that are not as in the board's last good check, and matter."""
    before = last_good_fingerprint(check)
    found = differences(before, result.fingerprint_before) if before else []
    return [asdict(one) for one in found if one.matters]


def last_good_fingerprint(check: HealthCheck) -> Mapping[str, Any]:
    """As it was in the last good check of this board, else in the run whose outputs are the right ones."""
    good = HealthCheck.objects.filter(board=check.board_id, golden=check.golden_id, outcome=Outcome.PASSED)
    last = good.exclude(pk=check.pk).select_related("run__result").order_by("-pk").first()
    if last:
        return dict(last.run.result.fingerprint_before)
    first: GoldenOutputs | None = check.golden.outputs.select_related("run__result").order_by("pk").first()
    run = first.run if first else None
    return dict(run.result.fingerprint_before) if run else {}


def _by_time(check: HealthCheck, result: RunResult, band: Band | None) -> Outcome:
    """Slow once is a suspicion, slow in both confirming runs is blame; a simulated board's time is its host's."""
    if result.simulated or band is None or not band.is_slow(result.median_us):
        return Outcome.PASSED
    first = check.confirms
    confirmed = first.confirmations.filter(outcome=Outcome.SUSPECT).count() + 1 if first else 0
    return Outcome.SLOWER if confirmed >= CONFIRMATIONS else Outcome.SUSPECT
