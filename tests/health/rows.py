"""Rows of this room for tests of pages and addresses, made by the product's own verbs and moves."""

from typing import Any

from dashboard.boards.models import Board, Run, RunResult
from dashboard.health.checks import keep_judgement, request_check
from dashboard.health.golden import name_golden_model
from dashboard.health.judging import Judgement
from dashboard.health.models import Cause, HealthCheck, Outcome, TwinCheck, TwinOutcome
from dashboard.health.stacks import Stack
from dashboard.health.twins import Finding, keep_finding, request_twin_check
from dashboard.layers.models import Rung
from tests.factories import make_dump, owner_of, store, succeed

DIFFERENCE: dict[str, Any] = {
    "outputs": {
        "tensors": [
            {
                "name": "output",
                "values": 3072,
                "differing": 12,
                "largest": 0.25,
                "first_index": 17,
                "first_expected": "0.5",
                "first_found": "0.75",
            }
        ],
        "strange": [],
    },
    "expected_run": None,
    "changed": [{"field": "driver", "first": "6.4.3.5", "second": "6.4.6.2", "matters": True}],
}


def make_check(run: Run, board: Board, outcome: Outcome = Outcome.NEW_STACK, **fields: Any) -> HealthCheck:
    """A check of the board with the run's artifact as golden model (named now, unless it is already)."""
    if not board.checks.exists():
        name_golden_model(run, owner_of(run.project))
    check = request_check(board, Cause.INCIDENT, "board:rebooted")
    assert check is not None
    with_result(check.run, board, fields.get("median_us", 1500.0))
    succeed(check)
    evidence = fields.pop("evidence", DIFFERENCE if outcome in {"differs", "new stack"} else {})
    keep_judgement(
        check,
        Judgement(outcome, Stack("ab" * 32, {}), "cd" * 32, fields.get("median_us", 1500.0), False, evidence),
    )
    return check


def make_twin(run: Run, first: Board, second: Board, outcome: TwinOutcome = TwinOutcome.DIFFERS) -> TwinCheck:
    """A twin check of the run's artifact on both boards, ended."""
    twin = request_twin_check(run.artifact, owner_of(run.project), (first, second))
    for one, board in ((twin.first_run, first), (twin.second_run, second)):
        with_result(one, board)
    succeed(twin)
    told = "Output 'output' differs in 12 of 3072 values, by 0.25 at most. They part at the layer conv_2."
    keep_finding(twin, Finding(outcome, told, "conv_2", None, DIFFERENCE))
    return twin


def with_result(run: Run, board: Board, median_us: float = 1500.0) -> RunResult:
    """The run ends well on the board."""
    Run.objects.filter(pk=run.pk).update(board=board)
    succeed(run)
    return RunResult.objects.create(
        run=run,
        simulated=board.simulated,
        dump=make_dump(run.project, Rung.BOARD, board.simulated),
        outputs_sha256=store(f"outputs of {run.pk}").sha256,
        iterations_us=[median_us] * 3,
        median_us=median_us,
        fingerprint_before={"kernel": "5.10"},
        fingerprint_after={"kernel": "5.10"},
    )
