"""A worker counts as deaf only when jobs wait, it has processes to spare, and no message comes for long."""

import pytest
from pytest_django.fixtures import Settings

from dashboard.jobs.services import note_published
from dashboard.registry.models import Inspection
from tests.factories import make_version
from workers.deafness import Hearing
from workers.lifecycle import this_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(settings: Settings) -> Inspection:
    """A job that workers were told of, where nobody has patience."""
    settings.RING_AGAIN_SECONDS = 0
    job: Inspection = make_version(inspected=False).sources.get().inspection
    note_published(job)
    return job


def test_a_worker_that_is_told_and_hears_nothing_is_deaf(told: Inspection) -> None:
    assert Hearing(["inspect"], 1).is_deaf()


def test_a_worker_is_not_deaf_to_other_workers_queues(told: Inspection) -> None:
    assert not Hearing(["compare"], 1).is_deaf()


def test_a_worker_is_not_deaf_before_it_was_told_often(told: Inspection, settings: Settings) -> None:
    settings.RING_AGAIN_SECONDS = 60
    assert not Hearing(["inspect"], 1).is_deaf()


def test_a_job_that_nobody_was_told_of_proves_nothing(told: Inspection) -> None:
    Inspection.objects.update(published_at=None)
    assert not Hearing(["inspect"], 1).is_deaf()


def test_a_worker_whose_processes_are_all_at_work_is_not_deaf(told: Inspection) -> None:
    other: Inspection = make_version(inspected=False).sources.get().inspection
    other.claim(this_worker())
    assert not Hearing(["inspect"], 1).is_deaf()
