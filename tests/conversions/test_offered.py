"""What living workers offer: what is believed of what they registered, and what of a recipe nobody has."""

from typing import Any

import pytest

from dashboard.conversions.offered import (
    BadOffer,
    Offered,
    missing,
    newest_first,
    offered,
    registered,
    workers,
)
from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings
from dashboard.jobs.models import Heartbeat
from dashboard.jobs.services import beat
from tests.factories import make_converter, offer_of

RKNN2 = RecipeSettings(toolkit="rknn2", platform="rv1126b", dtype="w4a16")
GOOD: dict[str, Any] = {
    "toolkit": "rknn2",
    "version": "2.3.2",
    "title": "rknn-toolkit2 2.3.2",
    "dtypes": {"rk3588": ["w8a8"]},
    "algorithms": ["normal"],
}


def test_what_was_written_is_read_again() -> None:
    assert Offered.from_dict(Offered.from_dict(GOOD).as_dict()) == Offered.from_dict(GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"toolkit": "magic"}, {"toolkit": ["rknn2"]}, {"toolkit": None}, {"version": ""}, {"version": "2 3"},
        {"version": "2,inspect"}, {"version": "9" * 41}, {"version": 2.5}, {"title": ""}, {"title": "a\nb"},
        {"title": "x" * 81}, {"title": None}, {"dtypes": []}, {"dtypes": None}, {"dtypes": {}},
        {"dtypes": {"rk3588": "w8a8"}}, {"dtypes": {"rk3588": None}}, {"dtypes": {"moon": ["w8a8"]}},
        {"dtypes": {"rk3588": ["w3a3"]}}, {"dtypes": {str(n): [] for n in range(201)}}, {"algorithms": []},
        {"algorithms": None}, {"algorithms": {"normal": 1}}, {"algorithms": [["normal"]]},
    ],
)  # fmt: skip
def test_an_offer_that_makes_no_sense_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(BadOffer):
        Offered.from_dict(GOOD | change)


@pytest.mark.parametrize("data", [None, [], "rknn2", 3])
def test_an_offer_is_an_object(data: Any) -> None:
    with pytest.raises(BadOffer):
        Offered.from_dict(data)


def test_words_that_this_site_does_not_know_are_left_out() -> None:
    one = Offered.from_dict(GOOD | {"dtypes": {"rk3588": ["w8a8", "w1a1"], "rk9999": ["w8a8"]}})
    assert one.offer.dtypes == {"rk3588": ("w8a8",)}


def test_ten_is_newer_than_nine() -> None:
    versions = ["2.9.0", "2.10.0", "2.3.2", "2.5.0b1"]
    found = newest_first(offer_of("rknn2", version) for version in versions)
    assert [one.version for one in found] == ["2.10.0", "2.9.0", "2.5.0b1", "2.3.2"]


@pytest.mark.parametrize("version", ["2.3.2 ", " ", "2/3", "-1", "9" * 41, None, 2, True])
def test_a_recipe_names_a_version_or_none(version: Any) -> None:
    with pytest.raises(InvalidRecipe, match="toolkit_version"):
        RecipeSettings.from_dict({"toolkit_version": version})


def test_a_recipe_of_another_version_is_another_recipe() -> None:
    assert RecipeSettings().sha256 != RecipeSettings(toolkit_version="1.32.0").sha256


def test_a_recipe_that_names_no_version_is_stored_as_before() -> None:
    assert "toolkit_version" not in RecipeSettings().as_dict()


def test_what_somebody_has_is_not_missing() -> None:
    assert missing(RKNN2, [offer_of(), offer_of("rknn2", "2.5.0")]) == ""


def test_a_toolkit_that_nobody_has_is_named_with_how_to_add_it() -> None:
    told = missing(RKNN2, [offer_of()])
    assert "the toolkit rknn2" in told and "make toolkit-rknn2" in told


def test_a_version_that_nobody_has_is_named_with_those_there_are() -> None:
    pinned = RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8", toolkit_version="2.3.2")
    told = missing(pinned, [offer_of("rknn2", "2.5.0"), offer_of("rknn2", "2.4.0")])
    assert "rknn2 2.3.2, only 2.5.0 and 2.4.0" in told


@pytest.mark.parametrize(
    ("fewer", "words"),
    [
        ({"dtypes": {"rk3588": ["w8a8"]}}, "platform rv1126b: rknn2 2.3.2 takes rk3588"),
        ({"dtypes": {"rv1126b": ["w8a8"]}}, "dtype w4a16: rknn2 2.3.2 takes w8a8"),
        ({"algorithms": ["mmse"]}, "algorithm normal: rknn2 2.3.2 takes mmse"),
    ],
)
def test_what_the_versions_here_refuse_is_named(fewer: dict[str, Any], words: str) -> None:
    assert words in missing(RKNN2, [offer_of("rknn2", "2.3.2", **fewer)])


def test_two_workers_that_could_half_of_it_each_cannot_do_it() -> None:
    halves = [
        offer_of("rknn2", "2.3.2", dtypes={"rv1126b": ["w8a8"]}),
        offer_of("rknn2", "2.5.0", algorithms=["mmse"]),
    ]
    assert "algorithm normal: rknn2 2.5.0 takes mmse" in missing(RKNN2, halves)


@pytest.mark.django_db
def test_a_living_workers_offers_are_offered(converter: Heartbeat) -> None:
    assert offered() == [offer_of()]


@pytest.mark.django_db
def test_a_worker_that_fell_silent_offers_nothing(converter: Heartbeat) -> None:
    Heartbeat.objects.update(at="2020-01-01T00:00:00Z")
    assert offered() == []


@pytest.mark.django_db
def test_a_worker_that_does_not_serve_the_queue_does_not_offer_the_toolkit() -> None:
    beat("w", "worker", ["compare"], registered([offer_of()]))
    assert offered() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "told",
    [
        {}, [], {"schema": 2, "toolkits": [GOOD]}, {"schema": 1}, {"schema": 1, "toolkits": {"a": 1}},
        {"schema": 1, "toolkits": [None, 3, "x", {}]}, {"schema": 1, "toolkits": [{**GOOD, "version": "\x07"}]},
    ],
)  # fmt: skip
def test_nonsense_that_a_worker_registered_harms_nobody(told: Any) -> None:
    beat("w", "worker", ["convert.rknn2"])
    Heartbeat.objects.update(offers=told)
    assert [worker.offers for worker in workers()] == [()]


@pytest.mark.django_db
def test_one_worker_offers_at_most_sixteen() -> None:
    beat("w", "worker", ["convert.rknn2"])
    Heartbeat.objects.update(offers={"schema": 1, "toolkits": [GOOD] * 17})
    assert len(offered()) == 16


@pytest.mark.django_db
def test_a_worker_lives_since_its_first_sign_of_life(converter: Heartbeat) -> None:
    beat(converter.name, "worker", converter.queues, converter.offers)
    assert Heartbeat.objects.get().since == converter.since


@pytest.mark.django_db
def test_a_worker_that_starts_anew_under_the_same_name_lives_since_then() -> None:
    Heartbeat.objects.filter(pk=make_converter().pk).update(since="2020-01-01T00:00:00Z")
    assert make_converter().since.year > 2020
