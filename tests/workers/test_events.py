"""What a child or a board says on its way into the row: kept when it can be stored, cleaned when not."""

import pytest

from tests import factories
from workers.lease import Lease
from workers.steps.events import report_to

pytestmark = pytest.mark.django_db


@pytest.fixture
def lease():
    job = factories.begin(factories.make_conversion())
    return Lease(job, job.fence)


@pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "a\u202eb"])
def test_what_cannot_be_stored_or_shown_is_left_out_of_the_log(lease, text):
    report_to(lease)({"event": "log", "text": text})
    lease.flush()
    assert factories.Conversion.objects.get().log == "ab\n"


def test_half_a_letter_does_not_lose_the_log(lease):
    report_to(lease)({"event": "log", "text": "a\ud800b"})
    lease.flush()
    assert factories.Conversion.objects.get().log == "a?b\n"


@pytest.mark.parametrize(("said", "kept"), [(-1, 0), ("9", 0), (10**12, 0), (7, 7)])
def test_a_count_is_kept_when_it_is_one(lease, said, kept):
    report_to(lease)({"event": "stage", "name": "x", "done": said, "total": 10})
    lease.flush()
    assert factories.Conversion.objects.get().stage_done == kept
