"""The form of a new evaluation: filled in like an earlier one, and honest about who is there to do the work."""

from typing import Any

import pytest
from django.test import Client

from dashboard.evaluations.forms import EvaluationForm
from dashboard.evaluations.models import Evaluation, Outcome
from dashboard.jobs.models import Heartbeat
from dashboard.jobs.services import beat
from dashboard.registry.models import InputSet
from tests.factories import make_evaluation, make_input_set, make_recipe, make_version
from tests.pages.conftest import SignIn, World

UNATTENDED = "No worker that converts models is running"
SETTINGS = {"algorithm": "percentile", "platform": "rv1109", "optimization_level": 1}


@pytest.fixture
def developer(world: World, as_user: SignIn) -> Client:
    return as_user(world.developer)


@pytest.fixture
def earlier(world: World) -> Evaluation:
    """An evaluation that differs from the form's defaults in everything; a newer one of the same model is plain."""
    inputs = {"input": {"shape": (1, 3, 8, 8), "mean": (1.5, 2.0), "std": (58.8,), "reorder": True}}
    earlier = world.evaluation
    earlier.recipe = make_recipe(world.project, **SETTINGS)
    earlier.recipe.settings["inputs"] = inputs
    earlier.recipe.save()
    earlier.sample, earlier.iterations = 3, 7
    earlier.save()
    make_evaluation(earlier.version, board=world.board)
    return earlier


def _form(client: Client, world: World, query: str = "") -> EvaluationForm:
    form: EvaluationForm = client.get(_address(world, query)).context["form"]
    return form


def _address(world: World, query: str = "") -> str:
    return f"/versions/{world.evaluation.version_id}/evaluations/new/{query}"


def _shown(form: EvaluationForm, *names: str) -> list[Any]:
    return [form[name].value() for name in names]


def _sent(form: EvaluationForm) -> dict[str, Any]:
    """What a browser would send if somebody pressed the button at once."""
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value not in {None, False}}


def test_the_button_leads_to_the_form_filled_in_like_this_evaluation(world: World, developer: Client) -> None:
    page = developer.get(f"/evaluations/{world.evaluation.pk}/").content.decode()
    assert f'href="{_address(world)}?like={world.evaluation.pk}"' in page


def test_the_recipe_is_filled_in(world: World, developer: Client, earlier: Evaluation) -> None:
    form = _form(developer, world, f"?like={earlier.pk}")
    assert _shown(form, *SETTINGS) == ["percentile", "rv1109", 1]


def test_the_rest_of_the_recipe_is_filled_in_and_asks_for_the_same(world: World, developer: Client) -> None:
    said = {"hybrid": {"a = b": "int16"}, "extra": {"word": "plain", "list": [1, None]}, "batch": 2}
    recipe = make_recipe(world.project, toolkit="rknn2", platform="rv1126b", dtype="w8a8", **said)
    Evaluation.objects.filter(pk=world.evaluation.pk).update(recipe=recipe, board=None)
    sent = _sent(_form(developer, world, f"?like={world.evaluation.pk}"))
    developer.post(_address(world), sent)
    assert Evaluation.objects.order_by("-pk")[0].recipe == recipe


def test_the_inputs_are_filled_in(world: World, developer: Client, earlier: Evaluation) -> None:
    form = _form(developer, world, f"?like={earlier.pk}")
    assert _shown(form, "shape_0", "mean_0", "std_0", "reorder_0") == ["1, 3, 8, 8", "1.5, 2", "58.8", True]


def test_samples_and_board_are_filled_in(world: World, developer: Client, earlier: Evaluation) -> None:
    shown = _shown(_form(developer, world, f"?like={earlier.pk}"), "calibration", "samples", "board")
    assert shown == [earlier.calibration_id, earlier.samples_id, earlier.board_id]


def test_sample_and_iterations_are_filled_in(world: World, developer: Client, earlier: Evaluation) -> None:
    assert _shown(_form(developer, world, f"?like={earlier.pk}"), "sample", "iterations") == [3, 7]


@pytest.mark.usefixtures("converter")
def test_asking_again_at_once_asks_for_the_same_recipe(
    world: World, developer: Client, earlier: Evaluation
) -> None:
    type(world.board).objects.update(platform="rv1109")
    address = _address(world, f"?like={earlier.pk}")
    developer.post(address, _sent(_form(developer, world, f"?like={earlier.pk}")))
    again = Evaluation.objects.order_by("-pk")[0]
    assert again.pk != earlier.pk and again.recipe.value == earlier.recipe.value


def test_the_form_says_what_it_is_filled_in_like(world: World, developer: Client) -> None:
    page = developer.get(_address(world, f"?like={world.evaluation.pk}")).content.decode()
    assert f"evaluation {world.evaluation.pk}</a>" in page


def test_a_new_version_is_asked_about_like_the_models_newest_evaluation(
    world: World, developer: Client, earlier: Evaluation
) -> None:
    version = make_version(world.evaluation.version.model)
    newest = make_evaluation(earlier.version, board=world.board)
    form = developer.get(f"/versions/{version.pk}/evaluations/new/").context["form"]
    assert form.like == newest


def test_an_evaluation_that_told_nothing_is_no_example(
    world: World, developer: Client, earlier: Evaluation
) -> None:
    make_evaluation(earlier.version, board=world.board, outcome=Outcome.CANNOT_TELL)
    assert _form(developer, world).like == Evaluation.objects.order_by("-pk")[1]


def test_a_recipe_for_inputs_of_other_names_is_not_offered(world: World, developer: Client) -> None:
    recipe = world.evaluation.recipe
    recipe.settings["inputs"] = {"picture": {"mean": [3.0]}}
    recipe.save()
    assert _form(developer, world).like is None


def test_a_model_that_was_never_evaluated_has_the_defaults(world: World, developer: Client) -> None:
    version = make_version()
    version.model.project = world.project
    version.model.save()
    assert developer.get(f"/versions/{version.pk}/evaluations/new/").context["form"].like is None


def test_a_set_that_is_not_in_the_project_leaves_the_default(
    world: World, developer: Client, earlier: Evaluation
) -> None:
    elsewhere = make_input_set()
    InputSet.objects.filter(pk=earlier.calibration_id).update(project=elsewhere.project)
    form = _form(developer, world, f"?like={earlier.pk}")
    assert form["calibration"].value() not in {None, earlier.calibration_id}


@pytest.mark.parametrize("text", ["x", "-1", "9" * 30, "1.5"])
def test_an_evaluation_that_is_no_number_is_404(world: World, developer: Client, text: str) -> None:
    assert developer.get(_address(world, f"?like={text}")).status_code == 404


def test_an_evaluation_of_another_project_is_not_learnt_from(world: World, developer: Client) -> None:
    assert developer.get(_address(world, f"?like={make_evaluation().pk}")).status_code == 404


def test_a_form_without_workers_warns_and_stays_usable(world: World, developer: Client) -> None:
    answer = developer.get(_address(world))
    assert UNATTENDED in answer.content.decode() and "<option" in str(answer.context["form"]["toolkit"])


def test_a_form_with_a_worker_does_not_warn(world: World, developer: Client, converter: Heartbeat) -> None:
    assert UNATTENDED not in developer.get(_address(world)).content.decode()


def test_a_worker_that_only_compares_is_none_that_converts(world: World, developer: Client) -> None:
    beat("w", "worker", ["compare", "boards.local", "convert.unheard-of", "convert.reference"])
    assert UNATTENDED in developer.get(_address(world)).content.decode()


@pytest.mark.usefixtures("converter")
def test_only_toolkits_that_a_worker_serves_are_offered(world: World) -> None:
    assert str(EvaluationForm(world.evaluation.version)["toolkit"]).count("<option") == 1
