"""Recipes by API: the presets to begin with, what a request may say, and what it is refused with."""

import pytest

from dashboard.conversions.offers import OFFERS
from dashboard.conversions.presets import presets
from dashboard.evaluations.models import Evaluation
from tests import factories

pytestmark = pytest.mark.django_db
RV1126B = {"toolkit": "rknn2", "platform": "rv1126b", "dtype": "w8a8"}
RV1126 = {"toolkit": "rknn1", "platform": "rv1126", "dtype": "u8"}


@pytest.fixture
def asked(project):
    """A good request without a recipe; somebody converts by rknn2."""
    factories.make_converter(factories.offer_of("rknn2"))
    return {
        "version": factories.make_version(factories.make_model(project)).pk,
        "calibration": factories.make_input_set(project).pk,
        "samples": factories.make_input_set(project).pk,
    }


def test_every_platform_has_a_preset_to_begin_with(api):
    rows = api.get("/api/v1/presets/", {"page_size": 500}).json()["results"]
    places = {(row["settings"]["toolkit"], row["settings"]["platform"]) for row in rows}
    assert places == {(toolkit, name) for toolkit, offer in OFFERS.items() for name in offer.platforms}


def test_presets_of_one_platform_can_be_asked_for(api):
    rows = api.get("/api/v1/presets/", {"platform": "rv1106", "toolkit": "rknn2"}).json()["results"]
    assert [row["name"] for row in rows] == ["plain", "wide-ranges", "16-bit"]


def test_the_proposal_is_preset_only_where_the_toolkit_makes_one(api):
    rows = api.get("/api/v1/presets/", {"page_size": 500}).json()["results"]
    platforms = {row["settings"]["platform"] for row in rows if row["name"] == "find-layers"}
    assert ("rv1126b" in platforms, "rv1106" in platforms) == (True, False)


def test_histograms_are_preset_only_where_the_toolkit_draws_them(api):
    rows = api.get("/api/v1/presets/", {"page_size": 500}).json()["results"]
    assert {row["settings"]["toolkit"] for row in rows if row["name"] == "histograms"} == {"rknn1"}


def test_a_preset_can_be_asked_with_as_it_is(api, asked):
    settings = api.get("/api/v1/presets/", {"platform": "rv1126b"}).json()["results"][0]["settings"]
    assert api.post("/api/v1/evaluations/", {**asked, "recipe": settings}).json()["recipe"] == settings


def test_keys_of_presets_are_unique():
    keys = [preset.key for preset in presets()]
    assert len(keys) == len(set(keys))


def test_everything_that_a_recipe_says_is_kept(api, asked):
    said = {
        "method": "layer",
        "batch": 2,
        "propose": True,
        "hybrid": {"conv": "int16"},
        "extra": {"a": [1]},
    }
    answer = api.post("/api/v1/evaluations/", {**asked, "recipe": {**RV1126B, **said}}).json()
    stored = api.get(f"/api/v1/recipes/{answer['recipe_id']}/").json()["settings"]
    assert {name: stored[name] for name in said} == said


def test_what_a_recipe_does_not_say_is_not_shown(api, asked):
    answer = api.post("/api/v1/evaluations/", {**asked, "recipe": RV1126B}).json()
    assert set(answer["recipe"]) == {
        "toolkit",
        "platform",
        "dtype",
        "algorithm",
        "optimization_level",
        "inputs",
    }


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"precompile": True}, "precompile"),
        ({"histograms": True}, "histograms must be false"),
        ({"hybrid": {"conv": "int4"}}, "int16, float16"),
        ({"extra": {"target_platform": "rk3588"}}, "platform"),
        ({"batch": 99}, "from 1 to 31"),
        ({"method": "tensor"}, "layer, channel"),
    ],
)
def test_an_illegal_recipe_is_refused_before_any_job_is_made(api, asked, said, words):
    answer = api.post("/api/v1/evaluations/", {**asked, "recipe": {**RV1126B, **said}})
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:invalid")
    assert words in answer.json()["detail"] and not Evaluation.objects.exists()


def test_single_layers_and_the_proposal_of_rknn1_are_kept(api, asked):
    factories.make_converter(factories.offer_of("rknn1"))
    said = {"propose": True, "hybrid": {"Conv__model.0_conv_Conv_142": "i16"}}
    answer = api.post("/api/v1/evaluations/", {**asked, "recipe": {**RV1126, **said}}).json()
    stored = api.get(f"/api/v1/recipes/{answer['recipe_id']}/").json()["settings"]
    assert {name: stored[name] for name in said} == said


@pytest.mark.parametrize(
    "said", [{"hybrid": {"a": "i16", "b": "i8"}}, {"batch": 2, "propose": True}, {"method": "channel"}]
)
def test_what_rknn1_cannot_do_is_refused_before_any_job_is_made(api, asked, said):
    factories.make_converter(factories.offer_of("rknn1"))
    answer = api.post("/api/v1/evaluations/", {**asked, "recipe": {**RV1126, **said}})
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:invalid")


def test_rknn1_is_preset_to_find_layers(api):
    rows = api.get("/api/v1/presets/", {"platform": "rv1126", "toolkit": "rknn1"}).json()["results"]
    found = next(row for row in rows if row["name"] == "find-layers")
    assert (found["settings"]["dtype"], found["settings"]["propose"]) == ("u8", True)
