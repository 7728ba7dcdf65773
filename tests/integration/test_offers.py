"""Real workers register what their toolkits say, and each conversion comes to the version that can do it.

The vendor's toolkits are stand-ins here (tests/toolkits/standin_rknn2.py): they answer for several versions, and end
every conversion with a sentence that names them.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dashboard.celery import app
from dashboard.conversions.models import Conversion
from dashboard.conversions.offered import offered, workers
from dashboard.conversions.recipe import RecipeSettings
from dashboard.jobs.models import Heartbeat, State
from dashboard.registry.services import Refused
from tests.chaos.processes import wait_until
from tests.chaos.settings import TIMES
from tests.chaos.stack import Stack
from tests.chaos.work import Work
from tests.integration.conftest import bring_back_signs_of_life
from tests.toolkits.standin_rknn2 import make_empty, make_standin

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
Until = Callable[[Callable[[], object]], None]
EVERYWHERE = {"rk3588": ("w8a8",)}
NEWEST = {"rk3588": ("w8a8",), "rv1126b": ("w8a8", "w4a16")}
ANY = RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8")


@pytest.fixture(scope="module")
def running(told: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers: `lab` has two versions and an environment without the package, `old` a third version."""
    folder = tmp_path_factory.mktemp("offers")
    lab = [
        make_standin(folder / "2.5.0", "2.5.0", NEWEST),
        make_standin(folder / "2.4.0", "2.4.0", EVERYWHERE),
        make_empty(folder / "gone"),
    ]
    old = [make_standin(folder / "2.3.2", "2.3.2", EVERYWHERE)]
    with Stack(folder, told, workers=2, quirks=(), processes=1, rknn2=[lab, old]) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack, settings: Settings, transactional_db: None) -> Iterator[Stack]:
    settings.STORE_DIR, settings.WORK_DIR = running.folder / "store", running.folder / "work"
    settings.LEASE_SECONDS = int(TIMES["LAYERWISE_LEASE_SECONDS"])
    app.conf.broker_url = running.redis_url
    bring_back_signs_of_life(running)
    yield running


def _conversion(work: Work, until: Until, recipe: RecipeSettings) -> Conversion:
    """Ask for it; the conversion when it has ended."""
    work.ask(("direct",), recipe=recipe)
    until(lambda: Conversion.objects.filter(state__in=[State.SUCCEEDED, State.FAILED]).exists())
    return Conversion.objects.get()


@pytest.fixture
def work(stack: Stack) -> Work:
    return Work.begin()


def _of(stack: Stack, number: int) -> Any:
    pid = stack.workers[number].pid
    return next(worker for worker in workers() if worker.name.endswith(f":{pid}"))


def test_a_worker_registers_its_versions_side_by_side_and_not_what_is_gone(stack: Stack) -> None:
    found = [(one.toolkit, one.version) for one in _of(stack, 0).offers]
    assert (
        found[1:] == [("rknn2", "2.5.0"), ("rknn2", "2.4.0"), ("ready", "1")] and found[0][0] == "reference"
    )


def test_it_registers_what_each_version_says_of_itself(stack: Stack) -> None:
    dtypes = {one.version: one.offer.dtypes for one in _of(stack, 0).offers if one.toolkit == "rknn2"}
    assert dtypes == {
        "2.5.0": {"rv1126b": ("w8a8", "float", "w4a16"), "rk3588": ("w8a8", "float")},
        "2.4.0": {"rk3588": ("w8a8", "float")},
    }


def test_it_serves_a_queue_for_each_version(stack: Stack) -> None:
    queues = Heartbeat.objects.get(name=_of(stack, 0).name).queues
    assert {"convert.rknn2", "convert.rknn2@2.5.0", "convert.rknn2@2.4.0"} <= set(queues)


@pytest.mark.parametrize("version", ["2.3.2", "2.4.0", "2.5.0"])
def test_a_conversion_comes_to_the_version_that_it_names(work: Work, until: Until, version: str) -> None:
    recipe = RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8", toolkit_version=version)
    conversion = _conversion(work, until, recipe)
    assert (conversion.failure, f"rknn-toolkit2 {version} converts nothing" in conversion.detail) == (
        "toolkit:failed",
        True,
    )


def test_a_worker_passes_on_what_only_another_ones_version_can_do(
    work: Work, stack: Stack, until: Until
) -> None:
    """Its message is put before the worker that cannot, as when that one was quicker at the common queue."""
    recipe = RecipeSettings(toolkit="rknn2", platform="rv1126b", dtype="w4a16")
    lab = stack.workers[0]
    os.kill(lab.pid, signal.SIGSTOP)  # the other one takes the messages
    try:
        work.ask(("direct",), recipe=recipe)
        until(lambda: "is passed on to convert.rknn2@2.5.0" in stack.workers[1].written())
    finally:
        os.kill(lab.pid, signal.SIGCONT)
    until(lambda: Conversion.objects.filter(state=State.FAILED).exists())
    assert "rknn-toolkit2 2.5.0 converts nothing" in Conversion.objects.get().detail


def test_a_version_that_nobody_has_is_refused_at_once(work: Work) -> None:
    recipe = RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8", toolkit_version="2.2.0")
    with pytest.raises(Refused, match=r"only 2\.5\.0 and 2\.4\.0 and 2\.3\.2"):
        work.ask(("direct",), recipe=recipe)


def test_what_is_deleted_while_a_worker_lives_is_soon_offered_no_longer(stack: Stack) -> None:
    kept = stack.folder / "kept"
    shutil.move(stack.folder / "2.4.0" / "bin", kept)
    try:
        assert wait_until(lambda: "2.4.0" not in [one.version for one in offered()], 30)
    finally:
        shutil.move(kept, stack.folder / "2.4.0" / "bin")


def test_a_worker_whose_only_toolkit_is_gone_lives_and_offers_nothing(
    stack: Stack, tmp_path: Path, until: Until
) -> None:
    """As after an update that removed the package: it says so in its log, and its queue is served by nobody."""
    worker = stack.lone_worker("lone", ["convert.rknn2"], LAYERWISE_RKNN2=str(make_empty(tmp_path / "gone")))
    worker.start()
    try:
        until(lambda: Heartbeat.objects.filter(name__endswith=f":{worker.pid}").exists())
        row = Heartbeat.objects.get(name__endswith=f":{worker.pid}")
        told = "this worker was to serve convert.rknn2" in worker.written()
        assert (row.queues, row.offers, told) == ([], {}, True)
    finally:
        worker.end()
