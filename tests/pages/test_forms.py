"""Uploading and asking in the browser: what is taken, and what is refused with which words."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from dashboard.evaluations.models import Evaluation
from dashboard.registry.models import InputSet, ModelVersion, Purpose, RegisteredModel
from tests.factories import fail, make_converter, make_input_set, make_version, offer_of
from tests.pages.conftest import SignIn, World

pytestmark = pytest.mark.usefixtures("converter")


@pytest.fixture
def developer(world: World, as_user: SignIn) -> Client:
    return as_user(world.developer)


def _file(name: str = "net.onnx", content: bytes = b"onnx") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def _upload(client: Client, world: World, **fields: Any) -> Any:
    """Post the form of a new version of the world's model."""
    return client.post(f"/models/{world.evaluation.version.model_id}/versions/new/", fields)


def _ask(client: Client, world: World, **changes: Any) -> Any:
    """Post the form of a new evaluation, filled as the page fills it, with these changes."""
    version = world.evaluation.version
    fields = {
        "toolkit": "reference", "platform": "rv1126", "dtype": "u8", "algorithm": "normal", "optimization_level": 3,
        "calibration": make_input_set(world.project).pk,
        "samples": make_input_set(world.project, Purpose.EVALUATION).pk,
        "sample": 0, "board": "", "iterations": 20, "key": "page-1",
        "mean_0": "0", "std_0": "1", "shape_0": "",
    }  # fmt: skip
    return client.post(f"/versions/{version.pk}/evaluations/new/", {**fields, **changes})


def test_a_model_is_registered(world: World, developer: Client) -> None:
    developer.post(f"/projects/{world.project.slug}/models/new/", {"name": "detector"})
    assert RegisteredModel.objects.filter(project=world.project, name="detector").exists()


def test_two_files_become_one_version_of_two_routes(world: World, developer: Client) -> None:
    answer = _upload(
        developer, world, route_0="direct", file_0=_file(), route_1="traced", file_1=_file("b.onnx", b"other")
    )
    version = ModelVersion.objects.get(pk=answer.headers["Location"].split("/")[2])
    assert [source.route for source in version.sources.all()] == ["direct", "traced"]


def test_both_files_of_a_route_are_chosen_in_one_row(world: World, developer: Client) -> None:
    _upload(developer, world, route_0="direct", file_0=[_file("n.cfg", b"a"), _file("n.weights", b"b")])
    source = ModelVersion.objects.order_by("-pk")[0].sources.get()
    assert (source.route, source.filename) == ("direct", "n.zip")


def test_three_files_in_one_row_are_refused(world: World, developer: Client) -> None:
    three = [_file(name, b"a") for name in "abc"]
    assert _upload(developer, world, route_0="direct", file_0=three).status_code == 422


def test_rows_without_a_file_are_left_out(world: World, developer: Client) -> None:
    answer = _upload(developer, world, route_0="direct", file_0=_file(), route_1="traced")
    assert ModelVersion.objects.get(pk=answer.headers["Location"].split("/")[2]).sources.count() == 1


def test_where_a_version_comes_from_is_kept(world: World, developer: Client) -> None:
    _upload(developer, world, route_0="direct", file_0=_file(), commit="abc", tags="a, b")
    version = ModelVersion.objects.order_by("-pk")[0]
    assert (version.commit, version.tags) == ("abc", ["a", "b"])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"route_0": "direct"},
        {"route_0": "one", "file_0": b"a", "route_1": "one", "file_1": b"b"},
        {"route_0": "", "file_0": b"a"},
        {"route_0": "../x", "file_0": b"a"},
        {"route_0": "a", "file_0": b"a", "training_url": "javascript:alert(1)"},
    ],
)
def test_a_form_that_makes_no_sense_is_answered_422(
    world: World, developer: Client, fields: dict[str, Any]
) -> None:
    real = {
        name: _file(content=value) if isinstance(value, bytes) else value for name, value in fields.items()
    }
    assert _upload(developer, world, **real).status_code == 422


def test_a_file_over_the_limit_is_refused_with_advice(
    world: World, developer: Client, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    answer = _upload(developer, world, route_0="direct", file_0=_file(content=b"x" * 2000))
    assert (answer.status_code, "LAYERWISE_MAX_UPLOAD_MB" in answer.content.decode()) == (413, True)


def test_an_upload_that_announces_too_much_is_not_even_read(world: World, developer: Client) -> None:
    unread = io.BytesIO(b"x")
    answer = developer.generic(
        "POST",
        f"/models/{world.evaluation.version.model_id}/versions/new/",
        unread.getvalue(),
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(10**13),
    )
    assert (answer.status_code, b"larger than this site allows" in answer.content) == (413, True)


def test_a_full_store_is_told(world: World, developer: Client, settings: Settings) -> None:
    settings.MIN_FREE_BYTES = 1 << 60
    answer = _upload(developer, world, route_0="direct", file_0=_file())
    assert (answer.status_code, "disk is full" in answer.content.decode()) == (507, True)


def test_samples_are_uploaded(world: World, developer: Client) -> None:
    fields = {"file": _file("a.npy"), "purpose": "calibration", "name": "", "layout": "NCHW"}
    developer.post(f"/projects/{world.project.slug}/input-sets/new/", fields)
    newest = InputSet.objects.order_by("-pk")[0]
    assert (newest.name, newest.layout) == ("a.npy", "NCHW")


def test_samples_without_a_file_are_answered_422(world: World, developer: Client) -> None:
    answer = developer.post(f"/projects/{world.project.slug}/input-sets/new/", {"purpose": "calibration"})
    assert answer.status_code == 422


def test_an_evaluation_is_requested(world: World, developer: Client) -> None:
    answer = _ask(developer, world)
    assert Evaluation.objects.get(pk=answer.headers["Location"].split("/")[2]).legs.count() == 2


def test_a_pt_beside_an_onnx_file_asks_for_one_input_only(world: World, developer: Client) -> None:
    version = make_version(
        world.evaluation.version.model, ["onnx", "pt"], formats={"onnx": "onnx", "pt": "torchscript"}
    )
    inspection = version.sources.get(route="pt").inspection
    inspection.report["inputs"][0]["name"] = "image"  # the name of forward's argument
    inspection.save(update_fields=["report"])
    page = developer.get(f"/versions/{version.pk}/evaluations/new/").content.decode()
    assert ('name="shape_0"' in page, 'name="shape_1"' in page) == (True, False)


def test_a_toolkit_that_does_not_take_the_file_is_refused_with_words(world: World, developer: Client) -> None:
    for source in world.evaluation.version.sources.all():
        source.inspection.report["format"] = "keras"
        source.inspection.save(update_fields=["report"])
    answer = _ask(developer, world)
    words = "reference does not take Keras files; rknn1 would"
    assert (answer.status_code, words in answer.content.decode()) == (422, True)


def test_pressing_the_button_twice_asks_once(world: World, developer: Client) -> None:
    first, second = _ask(developer, world), _ask(developer, world)
    assert first.headers["Location"] == second.headers["Location"]


def test_mean_std_and_order_reach_the_recipe(world: World, developer: Client) -> None:
    _ask(developer, world, mean_0="1, 2 3", std_0="58.8", reorder_0="on")
    told = Evaluation.objects.order_by("-pk")[0].recipe.settings["inputs"]["input"]
    assert told == {"shape": None, "mean": [1.0, 2.0, 3.0], "std": [58.8], "reorder": True}


def test_an_input_fed_as_it_is_needs_no_line_in_the_recipe(world: World, developer: Client) -> None:
    _ask(developer, world)
    assert Evaluation.objects.order_by("-pk")[0].recipe.settings["inputs"] == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"mean_0": "a"}, {"std_0": "0"}, {"mean_0": "nan"}, {"std_0": "inf"}, {"shape_0": "1, -3"}, {"sample": 4},
        {"sample": -1}, {"iterations": 0}, {"iterations": 10**9}, {"platform": "x"}, {"calibration": 10**6},
    ],
)  # fmt: skip
def test_an_impossible_recipe_is_answered_422(
    world: World, developer: Client, changes: dict[str, Any]
) -> None:
    assert _ask(developer, world, **changes).status_code == 422


def test_a_board_of_another_platform_is_refused_with_what_to_do(world: World, developer: Client) -> None:
    answer = _ask(developer, world, platform="rv1109", board=world.board.pk)
    text = answer.content.decode()
    told = ("platform is rv1126" in text, "Change it and ask again" in text)
    assert (answer.status_code, *told) == (422, True, True)


def test_boards_are_offered_with_their_platform(world: World, developer: Client) -> None:
    form = developer.get(f"/versions/{world.evaluation.version_id}/evaluations/new/").content.decode()
    assert "desk, rv1126 (simulated)</option>" in form


def test_input_sets_of_other_projects_cannot_be_chosen(world: World, developer: Client) -> None:
    assert _ask(developer, world, calibration=make_input_set().pk).status_code == 422


def test_a_set_that_is_no_good_is_not_offered(world: World, developer: Client) -> None:
    bad = make_input_set(world.project, inspected=False)
    fail(bad.inspection, "data:not-finite", "a.npy")
    form = developer.get(f"/versions/{world.evaluation.version_id}/evaluations/new/").context["form"]
    assert bad not in form.fields["calibration"].queryset


def test_a_set_that_is_still_inspected_is_offered(world: World, developer: Client) -> None:
    new = make_input_set(world.project, inspected=False)
    form = developer.get(f"/versions/{world.evaluation.version_id}/evaluations/new/").context["form"]
    assert new in form.fields["calibration"].queryset


def test_a_version_that_is_not_inspected_yet_can_be_evaluated(world: World, developer: Client) -> None:
    version = make_version(world.evaluation.version.model, inspected=False)
    answer = developer.get(f"/versions/{version.pk}/evaluations/new/")
    assert "nothing is known of its inputs" in answer.content.decode()


RV1126B = {"toolkit": "rknn2", "platform": "rv1126b", "dtype": "w8a8"}


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = Evaluation.objects.order_by("-pk")[0].recipe.settings
    return settings


def test_the_rest_of_a_recipe_is_told_in_lines(world: World, developer: Client) -> None:
    make_converter(offer_of("rknn2"))
    lines = {"hybrid": "a = b = int16\r\n\r\nconv 1=float16", "extra": "model_pruning = true\nword = plain"}
    _ask(developer, world, **RV1126B, method="layer", batch=4, propose="on", **lines)
    told = {name: _settings()[name] for name in ("method", "batch", "propose", "hybrid", "extra")}
    assert told == {
        "method": "layer",
        "batch": 4,
        "propose": True,
        "hybrid": {"a = b": "int16", "conv 1": "float16"},
        "extra": {"model_pruning": True, "word": "plain"},
    }


def test_what_is_left_empty_is_not_in_the_recipe(world: World, developer: Client) -> None:
    _ask(developer, world, method="", batch="", hybrid="", extra="")
    assert not {"method", "batch", "hybrid", "extra"} & set(_settings())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precompile": "on"}, "precompile must be false"),
        ({"hybrid": "conv = int4"}, "hybrid.conv must be one of int16, float16"),
        ({"hybrid": "conv"}, "is not of the form layer = data type"),
        ({"hybrid": "a = int16\na = float16"}, "stands there twice"),
        ({"extra": "= 1"}, "is not of the form name = value"),
        ({"extra": "target_platform = 1"}, "own setting platform"),
        ({"extra": "a = " + "[" * 5000}, "longer than 4000"),
        ({"batch": 32}, "less than or equal to 31"),
    ],
)
def test_a_setting_that_does_not_fit_is_answered_422_and_named(
    world: World, developer: Client, changes: dict[str, Any], words: str
) -> None:
    answer = _ask(developer, world, **RV1126B, **changes)
    assert (answer.status_code, words in answer.content.decode()) == (422, True)


def test_a_preset_fills_in_the_recipe(world: World, developer: Client) -> None:
    page = developer.get(
        f"/versions/{world.evaluation.version_id}/evaluations/new/?preset=rknn2.rv1126b.find-layers"
    )
    form = page.context["form"]
    shown = [form[name].value() for name in ("toolkit", "platform", "dtype", "propose")]
    assert shown == ["rknn2", "rv1126b", "w8a8", True]


def test_a_preset_that_there_is_not_is_a_404(world: World, developer: Client) -> None:
    page = f"/versions/{world.evaluation.version_id}/evaluations/new/?preset=x"
    assert developer.get(page).status_code == 404
