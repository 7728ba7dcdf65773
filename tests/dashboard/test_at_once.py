"""Two transactions that touch the same rows at once: whichever commits first, nothing waits for ever.

SQLite lets only one of them write at a time; the tests mean most on PostgreSQL (`python -m tests.postgres`).
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from dashboard.conversions.models import Conversion
from dashboard.conversions.recipe import RecipeSettings
from dashboard.evaluations.models import Evaluation
from dashboard.evaluations.services import Wanted, cancel_evaluation, request_evaluation
from dashboard.jobs.models import Job, State
from dashboard.pipeline import advance
from dashboard.projects.models import Membership, Role
from dashboard.projects.services import remove_member
from dashboard.registry.models import Inspection, ModelVersion, Purpose
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("converter")]
OVERLAP_S = 0.5  # how long the first transaction stays open after its last statement


def together(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Begin `second` when `first` has done everything but commit."""
    done = threading.Event()

    def open_for_a_while() -> None:
        try:
            with transaction.atomic():
                first()
                done.set()
                time.sleep(OVERLAP_S)
        finally:
            done.set()
            connection.close()

    def afterwards() -> None:
        try:
            assert done.wait(30)
            with transaction.atomic():
                second()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(open_for_a_while), pool.submit(afterwards)]:
            future.result(60)


def end(job: Job, how: Callable[[Job], Job]) -> Callable[[], None]:
    """End the job like a worker does, with what follows from it."""
    return lambda: advance(how(job))


@pytest.fixture
def wanted() -> tuple[ModelVersion, Wanted]:
    version = factories.make_version(routes=["direct", "traced"])
    sets = [factories.make_input_set(version.project, purpose) for purpose in Purpose]
    return version, Wanted(recipe=RecipeSettings(), calibration=sets[0], samples=sets[1])


def test_an_evaluation_ends_when_both_its_legs_end_at_once(wanted):
    evaluation, _ = request_evaluation(*wanted, None)
    one, other = (leg.conversion for leg in evaluation.legs.all())
    together(end(one, factories.fail), end(other, factories.fail))
    assert Evaluation.objects.get().has_ended


def test_who_asks_while_a_conversion_ends_is_taken_on(wanted):
    request_evaluation(*wanted, None)
    conversion = Conversion.objects.order_by("pk").first()
    together(end(conversion, factories.fail), lambda: request_evaluation(*wanted, None))
    late = Evaluation.objects.latest("pk").legs.get(source=conversion.source)
    assert late.conversion != conversion


def test_a_conversion_that_ends_while_somebody_asks_takes_them_on(wanted):
    request_evaluation(*wanted, None)
    conversion = Conversion.objects.order_by("pk").first()
    together(lambda: request_evaluation(*wanted, None), end(conversion, factories.fail))
    assert Evaluation.objects.latest("pk").legs.get(source=conversion.source).has_ended


@pytest.mark.parametrize("asks_first", [True, False])
def test_an_inspection_that_ends_while_somebody_asks_takes_them_on(wanted, asks_first):
    version, asked = wanted
    inspection = version.sources.first().inspection
    Inspection.objects.filter(pk=inspection.pk).update(state=State.QUEUED, attempt=0)
    inspection.refresh_from_db()

    def ask() -> None:
        request_evaluation(version, asked, None)

    steps = (ask, end(inspection, factories.fail))
    together(*(steps if asks_first else steps[::-1]))
    assert Evaluation.objects.get().legs.get(source=version.sources.first()).has_ended


def test_an_evaluation_can_be_cancelled_while_its_conversion_ends(wanted):
    evaluation, _ = request_evaluation(*wanted, None)
    conversion = evaluation.legs.first().conversion
    together(end(conversion, factories.fail), lambda: cancel_evaluation(evaluation, None))
    assert Evaluation.objects.get().has_ended


def test_who_asks_while_a_conversion_is_being_cancelled_gets_another(wanted):
    first, _ = request_evaluation(*wanted, None)
    dying = factories.begin(first.legs.earliest("pk").conversion)
    cancel_evaluation(first, None)
    again, _ = request_evaluation(*wanted, None)
    dying.end_cancelled(dying.fence)
    advance(dying)
    assert again.legs.earliest("pk").conversion.state == State.QUEUED


def test_who_asks_while_a_comparison_is_being_cancelled_gets_another(wanted):
    first, _ = request_evaluation(*wanted, None)
    advance(factories.make_artifact(first.legs.earliest("pk").conversion).conversion)
    dying = factories.begin(first.legs.earliest("pk").quantization)
    cancel_evaluation(first, None)
    again, _ = request_evaluation(*wanted, None)
    dying.end_cancelled(dying.fence)
    advance(dying)
    assert again.legs.earliest("pk").quantization.state == State.QUEUED


def test_two_admins_who_take_each_other_out_leave_one():
    project = factories.make_project()
    factories.make_member(project, Role.ADMIN)
    one, other = Membership.objects.filter(project=project)
    together(lambda: remove_member(one, None), lambda: remove_member(other, None))
    assert Membership.objects.filter(project=project, role=Role.ADMIN).count() == 1
