"""What killed workers left behind is cleared up, what somebody works in is not."""

import os
import time
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dashboard.registry.models import Inspection
from tests.factories import make_version
from workers import leftovers

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Inspection:
    return make_version(inspected=False).sources.get().inspection


def folder_of(settings: Settings, name: str) -> Path:
    folder = Path(settings.WORK_DIR) / "jobs" / name
    folder.mkdir(parents=True)
    (folder / "result.json").touch()
    return folder


def test_the_folder_of_a_running_attempt_stays(job: Inspection, settings: Settings) -> None:
    job.claim("worker")
    folder = folder_of(settings, f"inspection-{job.pk}-1~abc")
    leftovers.sweep()
    assert folder.exists()


def test_the_folder_of_an_attempt_that_was_lost_goes(job: Inspection, settings: Settings) -> None:
    job.claim("worker")
    job.put_back(job.fence)
    job.claim("another")
    folder = folder_of(settings, f"inspection-{job.pk}-1~abc")
    assert (leftovers.sweep(), folder.exists()) == (1, False)


def test_the_folder_of_a_deleted_job_goes(settings: Settings) -> None:
    folder = folder_of(settings, "conversion-4711-1~abc")
    leftovers.sweep()
    assert not folder.exists()


@pytest.mark.parametrize("name", ["notes", "notes~1", "inspection-x-1~abc"])
def test_what_is_no_job_s_folder_is_left_alone(settings: Settings, name: str) -> None:
    folder = folder_of(settings, name)
    leftovers.sweep()
    assert folder.exists()


def test_an_upload_cut_short_goes_after_a_day(settings: Settings) -> None:
    incoming = Path(settings.STORE_DIR) / "incoming"
    incoming.mkdir()
    old, new = incoming / "old", incoming / "new"
    for part in (old, new):
        part.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    leftovers.sweep()
    assert (old.exists(), new.exists()) == (False, True)
