"""A fingerprint on a page: what the board told, and which fields it left empty."""

from dashboard.boards.fingerprints import facts_of

TOLD = {"kernel": "4.19", "clocks": {"cpu_hz": None, "npu_hz": 800}, "simulated": False, "driver": ""}


def test_what_was_told_before_and_after_stands_side_by_side() -> None:
    after = TOLD | {"kernel": "5.10"}
    assert ("kernel", "4.19", "5.10") in facts_of(TOLD, after).rows


def test_fields_that_the_board_left_empty_are_named_apart() -> None:
    assert facts_of(TOLD, TOLD).untold == ("clocks.cpu_hz", "driver")


def test_a_field_that_was_told_once_is_shown() -> None:
    assert ("driver", "", "6.4") in facts_of(TOLD, TOLD | {"driver": "6.4"}).rows


def test_no_is_an_answer() -> None:
    assert ("simulated", False, False) in facts_of(TOLD, TOLD).rows
