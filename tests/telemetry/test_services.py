"""What is kept of a board with every run: readings, changes of its fingerprint, and never more than a few rows."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.boards.models import Board
from dashboard.boards.services import set_state
from dashboard.dispatch import Dispatcher
from dashboard.telemetry.models import FingerprintChange, Moment, Reading
from dashboard.telemetry.services import MOST_CHANGES, note_hello, thin
from tests.factories import make_board, make_project, make_visit

pytestmark = pytest.mark.django_db
CALM = {"kernel": "4.19.111", "temperature_mc": 41_000, "libraries": {"/usr/lib/librknn_runtime.so": "aa"}}


@pytest.fixture
def board() -> Board:
    return make_board(make_project())


def changes(board: Board) -> list[tuple[str, str, str, bool]]:
    return list(board.changes.order_by("pk").values_list("field", "old", "new", "matters"))


def test_a_run_leaves_a_reading_before_and_one_after(board: Board) -> None:
    make_visit(board, CALM, {**CALM, "temperature_mc": 62_500})
    told = list(board.readings.order_by("at").values_list("moment", "temperature_c"))
    assert told == [(Moment.BEFORE, 41.0), (Moment.AFTER, 62.5)]


def test_a_reading_names_its_run(board: Board) -> None:
    run = make_visit(board, CALM, CALM)
    assert set(board.readings.values_list("run", flat=True)) == {run.pk}


def test_the_first_fingerprint_of_a_board_is_no_change(board: Board) -> None:
    make_visit(board, CALM, CALM)
    assert changes(board) == []


def test_the_same_fingerprint_again_is_no_change(board: Board) -> None:
    make_visit(board, CALM, CALM)
    make_visit(board, CALM, {**CALM, "temperature_mc": 70_000, "load": 3.5})
    assert changes(board) == []


def test_another_library_is_a_change_that_matters(board: Board) -> None:
    make_visit(board, CALM, CALM)
    make_visit(board, CALM, {**CALM, "libraries": {"/usr/lib/librknn_runtime.so": "bb"}})
    assert changes(board) == [("libraries./usr/lib/librknn_runtime.so", "aa", "bb", True)]


def test_a_reboot_is_a_change_that_does_not_matter_for_times(board: Board) -> None:
    make_visit(board, CALM, {**CALM, "boot_id": "one"})
    make_visit(board, CALM, {**CALM, "boot_id": "two"})
    assert changes(board) == [("boot_id", "one", "two", False)]


def test_a_change_names_the_run_that_brought_it(board: Board) -> None:
    make_visit(board, CALM, CALM)
    second = make_visit(board, CALM, {**CALM, "kernel": "5.10"})
    assert FingerprintChange.objects.get().run == second


def test_a_field_that_went_is_a_change(board: Board) -> None:
    make_visit(board, CALM, {**CALM, "driver": "6.4.3"})
    make_visit(board, CALM, CALM)
    assert changes(board) == [("driver", "6.4.3", "—", True)]


@pytest.fixture
def torrent() -> dict[str, Any]:
    """What a board gone mad may say: ten thousand fields, long names, huge numbers, NUL, half a surrogate pair."""
    return {
        "temperature_mc": "hot",
        "load": 10**300,
        "mem_available_kb": -4,
        "clocks": "fast",
        "nul\0": "a\0b\ud800",
        "long": "x" * 100_000,
        "n" * 5000: 10**400,
        **{f"field {number}": number for number in range(10_000)},
    }


def test_ten_thousand_new_fields_become_a_few_rows(board: Board, torrent: dict[str, Any]) -> None:
    make_visit(board, CALM, CALM)
    make_visit(board, torrent, torrent)
    assert board.changes.count() == MOST_CHANGES + 1


def test_what_is_left_out_is_counted(board: Board, torrent: dict[str, Any]) -> None:
    make_visit(board, CALM, CALM)
    make_visit(board, torrent, torrent)
    assert board.changes.get(field="(and more)").new.endswith("more fields")


def test_a_mad_fingerprint_is_kept_in_part(board: Board, torrent: dict[str, Any]) -> None:
    run = make_visit(board, torrent, torrent)
    assert len(run.result.fingerprint_after) <= 300


def test_a_mad_fingerprint_gives_readings_without_numbers(board: Board, torrent: dict[str, Any]) -> None:
    make_visit(board, torrent, torrent)
    assert set(board.readings.values_list("temperature_c", "load", "mem_available_kb", "npu_hz")) == {
        (None, None, None, None)
    }


def test_a_run_costs_two_inserts_however_much_changed(board: Board, torrent: dict[str, Any]) -> None:
    make_visit(board, CALM, CALM)
    with CaptureQueriesContext(connection) as seen:
        make_visit(board, torrent, torrent)
    inserts = [query["sql"] for query in seen if query["sql"].startswith('INSERT INTO "telemetry_')]
    assert len(inserts) == 2


def test_the_first_word_with_a_board_is_a_reading_too(board: Board) -> None:
    run = make_visit(board, {}, {})
    note_hello(run, board, 5_000_000, None)
    assert board.readings.values_list("moment", "disk_free_bytes", "mem_available_kb").get() == (
        Moment.HELLO,
        5_000_000,
        None,
    )


def test_a_change_of_state_notes_when(board: Board) -> None:
    before = board.state_since
    set_state(board, "paused", "cable")
    assert board.state_since > before


def test_the_same_state_again_keeps_its_time(board: Board) -> None:
    set_state(board, "paused", "cable")
    since = board.state_since
    set_state(board, "paused", "another cable")
    assert board.state_since == since


class TestThinning:
    """Old readings go in batches; everything else stays."""

    @pytest.fixture(autouse=True)
    def visited(self, board: Board) -> None:
        make_visit(board, CALM, CALM)
        make_visit(board, CALM, {**CALM, "kernel": "5.10"})

    def age(self) -> None:
        Reading.objects.update(at="2020-01-01T00:00:00Z")
        FingerprintChange.objects.update(at="2020-01-01T00:00:00Z")

    def test_young_readings_stay(self) -> None:
        assert thin() == 0

    def test_old_readings_go(self) -> None:
        self.age()
        assert (thin(), Reading.objects.count()) == (4, 0)

    def test_a_batch_is_all_that_goes_at_once(self) -> None:
        self.age()
        assert (thin(batch=3), Reading.objects.count()) == (3, 1)

    def test_changes_stay_for_ever(self) -> None:
        self.age()
        thin()
        assert FingerprintChange.objects.count() == 1

    def test_the_days_are_a_setting(self, settings: Any) -> None:
        self.age()
        settings.TELEMETRY_DAYS = 36_500
        assert thin() == 0


@pytest.mark.django_db(transaction=True)
def test_the_dispatcher_thins_by_itself(board: Board) -> None:
    make_visit(board, CALM, CALM)
    Reading.objects.update(at="2020-01-01T00:00:00Z")
    Dispatcher().turn()
    assert Reading.objects.count() == 0
