"""Asking for an evaluation, once per key, polling it and cancelling it."""

import json

import pytest

from dashboard.evaluations.models import Evaluation
from dashboard.jobs.models import State
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("converter")]
URL = "/api/v1/evaluations/"


@pytest.fixture
def asked(project):
    """A good request."""
    return {
        "version": factories.make_version(factories.make_model(project), ["direct", "traced"]).pk,
        "recipe": {"algorithm": "normal"},
        "calibration": factories.make_input_set(project).pk,
        "samples": factories.make_input_set(project).pk,
    }


def test_a_request_is_a_201(api, asked):
    assert api.post(URL, asked).status_code == 201


def test_every_source_gets_a_leg(api, asked):
    legs = api.post(URL, asked).json()["legs"]
    assert [leg["route"] for leg in legs] == ["direct", "traced"]


def test_a_leg_links_to_its_jobs(api, asked):
    job = api.post(URL, asked).json()["legs"][0]["jobs"][0]
    assert api.get(job["url"]).json()["kind"] == "conversion"


def test_the_same_key_gives_the_same_evaluation(api, asked):
    first = api.post(URL, asked, headers={"idempotency-key": "k1"})
    again = api.post(URL, asked, headers={"idempotency-key": "k1"})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


def test_without_a_key_every_request_is_a_new_evaluation(api, asked):
    api.post(URL, asked)
    assert api.post(URL, asked).status_code == 201


def test_one_key_for_two_requests_is_a_conflict(api, asked):
    api.post(URL, asked, headers={"idempotency-key": "k1"})
    answer = api.post(URL, {**asked, "iterations": 5}, headers={"idempotency-key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "request:conflict")


def test_a_key_that_is_too_long_is_refused(api, asked):
    assert api.post(URL, asked, headers={"idempotency-key": "k" * 101}).status_code == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"version": 999}, 404),
        ({"calibration": 999}, 400),
        ({"samples": None}, 400),
        ({"board": 999}, 400),
        ({"sample": -1}, 400),
        ({"sample": 4}, 422),
        ({"iterations": 0}, 400),
        ({"iterations": 10**9}, 400),
        ({"recipe": "fast"}, 422),
        ({"recipe": None}, 400),
        ({"recipe": {"toolkit": "magic"}}, 422),
        ({"recipe": {"speed": 1}}, 422),
        ({"recipe": {"inputs": {"x": {"std": 0}}}}, 422),
        ({"recipe": {"inputs": {"\x00": {}}}}, 422),
        ({"recipe": {"inputs": {"\ud800": {}}}}, 422),
        ({"recipe": {"inputs": [1]}}, 422),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(api, asked, change, status):
    body = json.dumps({**asked, **change})
    assert api.generic("POST", URL, body, content_type="application/json").status_code == status


def test_samples_of_another_project_are_unknown(api, asked):
    other = factories.make_input_set()
    assert api.post(URL, {**asked, "samples": other.pk}).status_code == 400


def test_a_board_that_the_project_may_not_use_is_unknown(api, asked):
    board = factories.make_board(factories.make_project())
    assert api.post(URL, {**asked, "board": board.pk}).status_code == 400


def test_a_board_of_another_platform_is_refused(api, asked, project):
    board = factories.make_board(project)
    answer = api.post(URL, {**asked, "board": board.pk, "recipe": {"platform": "rv1109"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:invalid")


def test_an_evaluation_under_way_has_no_outcome(api, asked):
    answer = api.post(URL, asked).json()
    assert (answer["state"], answer["outcome"]) == ("under way", None)


def test_an_ended_evaluation_tells_its_verdict(api, project):
    evaluation = factories.make_evaluation(factories.make_version(factories.make_model(project)))
    leg = api.get(f"{URL}{evaluation.pk}/").json()["legs"][0]
    assert (leg["outcome"], leg["first_bad_layer"], leg["advice"]) == (
        "fail",
        "add_3",
        ["Look at the kernel of add_3."],
    )


@pytest.mark.parametrize("simulated", [True, False])
def test_what_a_simulated_board_made_says_so(api, project, simulated):
    board = factories.make_board(project, simulated=simulated)
    version = factories.make_version(factories.make_model(project))
    evaluation = factories.make_evaluation(version, board=board)
    answer = api.get(f"{URL}{evaluation.pk}/").json()
    assert (answer["simulated"], answer["legs"][0]["simulated"]) == (simulated, simulated)


def test_cancelling_ends_the_evaluation(api, asked):
    pk = api.post(URL, asked).json()["id"]
    assert api.post(f"{URL}{pk}/cancel/").json()["outcome"] == "cannot tell"


def test_cancelling_ends_the_jobs(api, asked):
    pk = api.post(URL, asked).json()["id"]
    api.post(f"{URL}{pk}/cancel/")
    states = {leg.conversion.state for leg in Evaluation.objects.get(pk=pk).legs.all()}
    assert states == {State.CANCELLED}


def test_cancelling_what_has_ended_changes_nothing(api, project):
    evaluation = factories.make_evaluation(factories.make_version(factories.make_model(project)))
    assert api.post(f"{URL}{evaluation.pk}/cancel/").json()["outcome"] == "fail"
