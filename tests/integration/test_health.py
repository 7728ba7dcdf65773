"""Golden checks through the real stack: the dispatcher asks, a worker runs, another judges."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from dashboard.boards.models import Run
from dashboard.health.golden import name_golden_model
from dashboard.health.models import BoardWatch, HealthCheck
from tests.chaos.work import Work

pytestmark = [pytest.mark.integration]


def test_a_board_that_is_due_is_checked_and_judged(
    work: Work, until: Callable[[Callable[[], object]], None]
) -> None:
    work.ask(("direct",))
    until(lambda: work.open_legs == 0)
    run = Run.objects.filter(result__isnull=False)[0]
    name_golden_model(run, work.user)
    until(BoardWatch.objects.exists)
    BoardWatch.objects.update(due_at=Now() - timedelta(seconds=1))
    until(lambda: HealthCheck.objects.exclude(outcome="").exists())
    assert HealthCheck.objects.get().outcome == "passed"
