"""The real toolkit aborts in a real worker: that conversion ends with its code, and the worker does the next one."""

from collections.abc import Callable, Iterator

import pytest

from dashboard.conversions.models import Conversion
from dashboard.conversions.recipe import RecipeSettings
from dashboard.jobs.models import State
from tests.chaos.stack import Stack
from tests.chaos.work import Work
from tests.integration.conftest import bring_back_signs_of_life
from workers.toolkits import rknn2

TOOLKIT = next(iter(rknn2.here()), None)
pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)"),
]
ABORTS = RecipeSettings(toolkit="rknn2", platform="rk2118", dtype="w8a8")


@pytest.fixture(scope="module")
def running(told: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker with one process, which also has RKNN-Toolkit2."""
    assert TOOLKIT is not None
    mine = [TOOLKIT.python.parents[1]]
    with Stack(
        tmp_path_factory.mktemp("abort"), told, workers=1, quirks=(), processes=1, rknn2=[mine]
    ) as stack:
        yield stack


@pytest.fixture
def work(stack: Stack) -> Work:
    bring_back_signs_of_life(stack)
    return Work.begin()


def test_an_abort_of_the_compiler_is_a_crash_of_that_job_only(
    work: Work, stack: Stack, until: Callable[[Callable[[], object]], None]
) -> None:
    """rk2118 aborts on every convolution that was tried."""
    worker = stack.workers[0].pid
    work.ask(("direct",), recipe=ABORTS)
    until(lambda: Conversion.objects.filter(state=State.FAILED).exists())
    work.ask(("direct",))
    until(lambda: Conversion.objects.filter(state=State.SUCCEEDED).exists())

    failed = Conversion.objects.get(state=State.FAILED)
    assert (failed.failure, "unsupported conv" in failed.detail) == ("toolkit:crashed", True)
    assert (stack.workers[0].is_running, stack.workers[0].pid) == (True, worker)
