"""Asking for a run of a ready .rknn file: by recipe, by REST and in the form; what is refused, and with which words."""

from typing import Any

import pytest
from django.test import Client

from dashboard.conversions.models import Artifact
from dashboard.conversions.offers import AS_BUILT, OFFERS, READY
from dashboard.conversions.presets import find_preset
from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings
from dashboard.evaluations.models import Evaluation
from dashboard.layers.models import Comparison
from dashboard.registry.models import Inspection, ModelVersion, Purpose
from tests.api.conftest import caller
from tests.factories import (
    make_artifact,
    make_conversion,
    make_converter,
    make_evaluation,
    make_input_set,
    make_model,
    make_project,
    make_recipe,
    make_run,
    make_version,
    offer_of,
    owner_of,
)

pytestmark = pytest.mark.django_db
URL = "/api/v1/evaluations/"
RECIPE = {"toolkit": READY, "platform": "rv1126"}


def ready_version(*, platforms: tuple[str, ...] = ("rv1126",), inputs: bool = True) -> ModelVersion:
    """A version that is one .rknn file, in a project with both kinds of input sets, and a worker for everything."""
    make_converter(offer_of(), offer_of(READY, "1"))
    version = make_version(make_model(make_project()), formats={"main": "rknn"})
    inspection = Inspection.objects.get(source__version=version)
    inspection.report |= {"platforms": list(platforms)} | ({} if inputs else {"inputs": []})
    inspection.save()
    make_input_set(version.project)
    make_input_set(version.project, Purpose.EVALUATION)
    return version


def body(version: ModelVersion, recipe: dict[str, Any] = RECIPE) -> dict[str, Any]:
    samples = version.project.input_sets.get(purpose=Purpose.EVALUATION)
    return {"version": version.pk, "recipe": recipe, "samples": samples.pk}


def post(version: ModelVersion, **changes: Any) -> Any:
    return caller(version.project).post(URL, {**body(version), **changes}, format="json")


def client_of(version: ModelVersion) -> Client:
    client = Client()
    client.force_login(owner_of(version.project))
    return client


def form_of(version: ModelVersion) -> Any:
    return client_of(version).get(f"/versions/{version.pk}/evaluations/new/").context["form"]


def test_a_recipe_needs_to_say_the_platform_only() -> None:
    recipe = RecipeSettings.from_dict(RECIPE)
    assert (recipe.dtype, recipe.algorithm, recipe.is_run_only) == (AS_BUILT, AS_BUILT, True)


@pytest.mark.parametrize(
    "said",
    [
        {"dtype": "w8a8"},
        {"algorithm": "normal"},
        {"optimization_level": 0},
        {"toolkit_version": "1"},
        {"batch": 2},
        {"hybrid": {"conv": "int16"}},
        {"platform": "rk3399"},
    ],
)
def test_a_recipe_that_claims_to_change_the_file_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecipe, match=next(iter(said))):
        RecipeSettings.from_dict({**RECIPE, **said})


def test_no_other_toolkit_takes_its_words() -> None:
    with pytest.raises(InvalidRecipe, match="dtype"):
        RecipeSettings.from_dict({"toolkit": "rknn2", "platform": "rk3588", "dtype": AS_BUILT})


@pytest.mark.parametrize("platform", OFFERS[READY].platforms)
def test_there_is_a_preset_for_every_platform(platform: str) -> None:
    preset = find_preset(f"ready.{platform}.run-only")
    assert preset is not None and preset.settings.is_run_only


def test_no_calibration_set_has_to_be_named() -> None:
    assert post(ready_version()).status_code == 201


def test_a_calibration_set_is_refused_with_the_reason() -> None:
    version = ready_version()
    answer = post(version, calibration=version.project.input_sets.get(purpose=Purpose.CALIBRATION).pk)
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:invalid")
    assert "not calibrated" in answer.json()["detail"]


def test_every_other_toolkit_needs_a_calibration_set() -> None:
    answer = post(ready_version(), recipe={})
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        {"calibration": ["This field is required."]},
    )


def test_the_same_key_gives_the_same_run() -> None:
    version = ready_version()
    api = caller(version.project)
    first, again = (
        api.post(URL, body(version), format="json", headers={"idempotency-key": "k"}) for _ in range(2)
    )
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


def test_a_file_for_other_platforms_is_refused() -> None:
    answer = post(ready_version(platforms=("rk3566", "rk3568")))
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:wrong-platform")
    assert "rk3566, rk3568" in answer.json()["detail"]


def test_a_file_that_tells_no_platform_is_taken_at_the_recipes_word() -> None:
    assert post(ready_version(platforms=())).status_code == 201


def test_a_toolkit_that_converts_does_not_take_the_file_and_says_what_does() -> None:
    version = ready_version()
    calibration = version.project.input_sets.get(purpose=Purpose.CALIBRATION).pk
    answer = post(version, recipe={}, calibration=calibration)
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:wrong-format")
    assert "with the toolkit ready" in answer.json()["detail"]


def test_a_network_is_not_run_as_it_is() -> None:
    version = ready_version()
    Inspection.objects.filter(source__version=version).update(report={"format": "onnx"})
    answer = post(version)
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:wrong-format")
    assert "has to be converted" in answer.json()["detail"]


def test_without_a_worker_for_it_the_request_is_refused() -> None:
    version = ready_version()
    make_converter()
    answer = post(version)
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:no-toolkit")
    assert "convert.ready" in answer.json()["detail"]


def test_the_form_begins_with_what_the_file_tells() -> None:
    form = form_of(ready_version(platforms=("rk3588",)))
    assert [form[name].value() for name in ("toolkit", "platform", "dtype")] == [READY, "rk3588", AS_BUILT]


def test_the_form_of_a_network_begins_as_ever() -> None:
    ready_version()
    form = form_of(make_version(make_model(make_project())))
    assert form["toolkit"].value() is None


def test_the_form_begins_so_after_an_evaluation_of_another_file_of_the_model() -> None:
    version = ready_version()
    make_evaluation(make_version(version.model))
    assert form_of(version)["toolkit"].value() == READY


def test_the_form_asks_for_the_size_that_the_file_does_not_tell() -> None:
    [(found, fields)] = form_of(ready_version(inputs=False)).input_rows()
    assert (found["name"], "name all of them" in fields[0].help_text) == ("input", True)


def test_the_form_asks_for_the_run() -> None:
    version = ready_version(inputs=False)
    samples = version.project.input_sets.get(purpose=Purpose.EVALUATION)
    fields = {
        "toolkit": READY, "platform": "rv1126", "dtype": AS_BUILT, "algorithm": AS_BUILT, "optimization_level": 3,
        "samples": samples.pk, "sample": 0, "iterations": 20, "shape_0": "1, 3, 8, 8", "mean_0": "0", "std_0": "1",
    }  # fmt: skip
    answer = client_of(version).post(f"/versions/{version.pk}/evaluations/new/", fields)
    asked = Evaluation.objects.get()
    assert (answer.status_code, asked.calibration_id, asked.samples_id) == (302, samples.pk, samples.pk)
    assert asked.recipe.value.inputs["input"].shape == (1, 3, 8, 8)


def test_the_form_of_another_toolkit_names_the_missing_calibration_set() -> None:
    version = ready_version()
    fields = {"toolkit": "reference", "platform": "rv1126", "dtype": "u8", "algorithm": "normal"}
    answer = client_of(version).post(f"/versions/{version.pk}/evaluations/new/", fields)
    assert (answer.status_code, "calibration" in answer.context["form"].errors) == (422, True)


def test_the_versions_page_says_what_it_is_compiled_for() -> None:
    version = ready_version(platforms=("rk3566", "rk3568"))
    assert "rk3566, rk3568" in client_of(version).get(f"/versions/{version.pk}/").content.decode()


def ready_artifact() -> Artifact:
    """What a conversion by `ready` leaves: a file, and nothing to compare with."""
    version = ready_version()
    conversion = make_conversion(version)
    recipe = make_recipe(
        version.project, toolkit=READY, platform="rv1126", dtype=AS_BUILT, algorithm=AS_BUILT
    )
    conversion.recipe = recipe
    conversion.save()
    artifact = make_artifact(conversion)
    artifact.framework = artifact.quantized = None
    artifact.save()
    return artifact


def test_two_runs_whose_layers_are_called_otherwise_are_not_aligned() -> None:
    first = make_run(ready_artifact())
    second = make_run(make_artifact(make_conversion(first.artifact.conversion.source.version)), first.board)
    second.result.timed_layers = [{**row, "key": f"other {row['key']}"} for row in second.result.timed_layers]
    second.result.save()
    client = client_of(first.artifact.conversion.source.version)
    page = client.get("/compare/", {"a": first.pk, "b": second.pk}).content.decode()
    assert "built elsewhere (run only) there is no float network" in page and "Align by values" not in page


def test_asking_to_align_them_is_a_404() -> None:
    first, second = (make_run(ready_artifact()) for _ in range(2))
    version = first.artifact.conversion.source.version
    answer = client_of(version).post("/compare/", {"a": first.pk, "b": second.pk})
    assert (answer.status_code, Comparison.objects.exists()) == (404, False)


@pytest.mark.parametrize(("recipe", "route"), [(RECIPE, "board"), ({}, "main")])
def test_ready_files_and_networks_of_one_version_are_evaluated_apart(
    recipe: dict[str, Any], route: str
) -> None:
    project = ready_version().project
    version = make_version(make_model(project), ["main", "board"], formats={"board": "rknn"})
    sets = {one.purpose: one.pk for one in project.input_sets.all()}
    asked = {**body(version, recipe), **({"calibration": sets["calibration"]} if not recipe else {})}
    legs = caller(project).post(URL, asked, format="json").json()["legs"]
    assert [leg["route"] for leg in legs] == [route]


def test_the_form_says_whose_mean_and_std_they_are() -> None:
    version = ready_version()
    page = client_of(version).get(f"/versions/{version.pk}/evaluations/new/").content.decode()
    assert "taken as built into it" in page


def test_lint_says_that_there_is_nothing_to_find() -> None:
    version = ready_version()
    page = client_of(version).get(f"/versions/{version.pk}/").content.decode()
    assert "compiled already: there is nothing to be found before converting" in page


def two_files(*platforms: str) -> ModelVersion:
    """A version with a ready file for each of these platforms, as routes called like them."""
    project = ready_version().project
    version = make_version(make_model(project), platforms, formats=dict.fromkeys(platforms, "rknn"))
    for inspection in Inspection.objects.filter(source__version=version).select_related("source"):
        inspection.report |= {"platforms": [inspection.source.route]}
        inspection.save()
    return version


def test_of_files_for_several_platforms_the_one_that_fits_is_run() -> None:
    legs = post(two_files("rk3588", "rv1126")).json()["legs"]
    assert [leg["route"] for leg in legs] == ["rv1126"]


def test_beside_a_network_the_files_platform_is_what_is_objected_to() -> None:
    version = two_files("rk3588", "rk3566")
    Inspection.objects.filter(source__version=version, source__route="rk3588").update(
        report={"format": "onnx"}
    )
    assert post(version).json()["code"] == "recipe:wrong-platform"
