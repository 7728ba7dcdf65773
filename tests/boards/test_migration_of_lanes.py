"""Runs that were queued before lanes told simulations apart are served after it."""

from importlib import import_module

import pytest
from django.apps import apps

from dashboard.boards.models import Lane, Run
from dashboard.boards.queue import claim_next
from tests import factories

pytestmark = pytest.mark.django_db
MOVE = import_module("dashboard.boards.migrations.0009_lines_of_simulations").move


@pytest.mark.parametrize(("toolkit", "simulation"), [("reference", True), ("rknn1", False)])
def test_a_queued_run_waits_where_its_board_looks(toolkit: str, simulation: bool) -> None:
    artifact = factories.make_artifact(toolkit=toolkit)
    board = factories.make_board(artifact.conversion.project, simulated=simulation)
    run = factories.make_queued_run(artifact, board)
    Lane.objects.update(simulation=False)  # as the column's default left it
    MOVE(apps, None)
    claimed = claim_next(board, "worker")
    assert (claimed, Run.objects.get(pk=run.pk).lane.simulation) == (run, simulation)
