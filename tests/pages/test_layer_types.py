"""The page of the layers' data types: what it shows, and the evaluation that comes of it."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from dashboard.evaluations.layertypes import MOST_ROWS
from dashboard.evaluations.models import Evaluation, Leg
from tests.factories import make_converter, make_recipe, offer_of
from tests.pages.conftest import SignIn, World

RV1126B = {"toolkit": "rknn2", "platform": "rv1126b", "dtype": "w8a8"}
LAYERS = ("conv_1", "conv_2", "conv_3")


@pytest.fixture
def developer(world: World, as_user: SignIn) -> Client:
    return as_user(world.developer)


@pytest.fixture
def leg(world: World) -> Leg:
    return quantized(world, **RV1126B)


def quantized(world: World, **recipe: Any) -> Leg:
    """The world's first leg, made by this recipe, as a worker offers it; all its quantized layers have a scale."""
    make_converter(offer_of(), offer_of("rknn1"), offer_of("rknn2"))
    evaluation = world.evaluation
    evaluation.board, evaluation.recipe = None, make_recipe(world.project, **recipe)
    evaluation.save()
    leg: Leg = evaluation.legs.all()[0]
    assert leg.conversion is not None
    dump = leg.conversion.artifact.quantized
    dump.layers = [
        {**layer, "name": name, "scale": 0.5} for layer, name in zip(dump.layers, LAYERS, strict=True)
    ]
    dump.save()
    return leg


def propose(leg: Leg, *layers: dict[str, Any]) -> None:
    """The toolkit was asked and told this."""
    assert leg.conversion is not None
    artifact = leg.conversion.artifact
    artifact.proposal = list(layers)
    artifact.save()
    recipe = leg.evaluation.recipe
    recipe.settings = {**recipe.settings, "propose": True}
    recipe.save()


def address(leg: Leg) -> str:
    return f"/legs/{leg.pk}/data-types/"


def newest() -> Evaluation:
    return Evaluation.objects.order_by("-pk")[0]


def test_the_evaluation_leads_to_it(world: World, developer: Client) -> None:
    leg = world.evaluation.legs.all()[0]
    assert f'href="{address(leg)}"' in developer.get(f"/evaluations/{world.evaluation.pk}/").content.decode()


def test_every_quantized_layer_has_a_choice_of_what_the_platform_takes(developer: Client, leg: Leg) -> None:
    form = developer.get(address(leg)).context["form"]
    choices = [[value for value, _ in field.field.choices] for _, field in form.shown_rows()]
    assert [row.name for row in form.rows] == list(LAYERS)
    assert choices == [["", "int16", "float16"]] * len(LAYERS)


def test_what_is_chosen_becomes_an_evaluation_like_this_one(
    world: World, developer: Client, leg: Leg
) -> None:
    developer.post(address(leg), {"dtype_1": "int16", "dtype_0": "", "key": "page-1"})
    asked = newest()
    assert asked.recipe.settings == {**leg.evaluation.recipe.settings, "hybrid": {"conv_2": "int16"}}
    assert (asked.version, asked.samples) == (world.evaluation.version, world.evaluation.samples)


def test_pressing_the_button_twice_asks_once(developer: Client, leg: Leg) -> None:
    first, second = (developer.post(address(leg), {"dtype_1": "int16", "key": "page-1"}) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]


def test_a_layer_of_the_recipe_keeps_its_data_type_unless_it_is_changed(
    world: World, developer: Client
) -> None:
    leg = quantized(world, **RV1126B, hybrid={"conv_2": "float16", "fused away": "int16"})
    form = developer.get(address(leg)).context["form"]
    shown = {row.name: field.value() for row, field in form.shown_rows()}
    assert shown == {"conv_1": "", "conv_2": "float16", "conv_3": "", "fused away": "int16"}


def test_a_data_type_that_the_platform_does_not_take_is_answered_422(developer: Client, leg: Leg) -> None:
    before = Evaluation.objects.count()
    assert developer.post(address(leg), {"dtype_1": "int4"}).status_code == 422
    assert Evaluation.objects.count() == before


def test_the_proposal_is_shown_and_not_yet_chosen(developer: Client, leg: Leg) -> None:
    propose(leg, {"name": "conv_2", "dtype": "float16", "figure": 0.9125})
    answer = developer.get(address(leg))
    chosen = [field.value() for _, field in answer.context["form"].shown_rows()]
    assert ("0.9125" in answer.content.decode(), chosen) == (True, ["", "", ""])


def test_the_proposal_can_be_taken_over(developer: Client, leg: Leg) -> None:
    propose(leg, {"name": "conv_2", "dtype": "float16", "figure": None})
    form = developer.get(f"{address(leg)}?take").context["form"]
    assert [field.value() for _, field in form.shown_rows()] == ["", "float16", ""]


def test_an_edited_proposal_asks_for_no_other_one(developer: Client, leg: Leg) -> None:
    propose(leg, {"name": "conv_2", "dtype": "float16", "figure": None})
    developer.post(address(leg), {"dtype_0": "int16"})
    assert newest().recipe.value.propose is False


def test_the_toolkit_can_be_asked_for_its_proposal(developer: Client, leg: Leg) -> None:
    developer.post(address(leg), {"dtype_0": "int16", "propose": "yes"})
    assert (newest().recipe.value.propose, newest().recipe.value.hybrid) == (True, {})


def test_a_viewer_sees_data_types_and_no_form(world: World, leg: Leg, as_user: SignIn) -> None:
    page = as_user(world.viewer).get(address(leg)).content.decode()
    assert ("conv_2" in page, "<select" in page, "Evaluate with" in page) == (True, False, False)


def test_a_viewer_asks_for_nothing(world: World, leg: Leg, as_user: SignIn) -> None:
    before = Evaluation.objects.count()
    assert as_user(world.viewer).post(address(leg), {"dtype_0": "int16"}).status_code == 403
    assert Evaluation.objects.count() == before


def test_a_leg_that_is_not_converted_yet_has_no_such_page(developer: Client, leg: Leg) -> None:
    leg.conversion = None
    leg.save()
    assert developer.get(address(leg)).status_code == 404


def test_a_build_without_quantization_says_that_it_has_no_choice(world: World, developer: Client) -> None:
    leg = quantized(world, **{**RV1126B, "dtype": "float"})
    assert "gives no layer a data type of its own" in developer.get(address(leg)).content.decode()


RV1126 = {"toolkit": "rknn1", "platform": "rv1126", "dtype": "u8"}


def test_rknn1_offers_the_data_types_of_its_manual(world: World, developer: Client) -> None:
    form = developer.get(address(quantized(world, **RV1126))).context["form"]
    assert [value for value, _ in next(form.shown_rows())[1].field.choices] == ["", "i8", "i16", "float"]


def test_a_proposal_without_figures_tells_of_none(world: World, developer: Client) -> None:
    leg = quantized(world, **RV1126)
    propose(leg, {"name": "conv_2", "dtype": "i16", "figure": None})
    page = developer.get(address(leg)).content.decode()
    assert ("The toolkit proposes the layers marked below." in page, "the figure that it gave" in page) == (
        True,
        False,
    )


def test_a_third_quantization_is_answered_422_with_the_reason(world: World, developer: Client) -> None:
    leg, before = quantized(world, **RV1126), Evaluation.objects.count()
    answer = developer.post(address(leg), {"dtype_0": "i16", "dtype_1": "i8"})
    assert (answer.status_code, "at most 2 quantizations" in answer.content.decode()) == (422, True)
    assert Evaluation.objects.count() == before


def test_a_proposal_that_the_recipes_batch_excludes_is_answered_422(world: World, developer: Client) -> None:
    leg = quantized(world, **RV1126, batch=2)
    answer = developer.post(address(leg), {"propose": "yes"})
    assert (answer.status_code, "batch must be 1" in answer.content.decode()) == (422, True)


def widen(leg: Leg) -> None:
    """Many more quantized layers than the page shows."""
    assert leg.conversion is not None
    dump = leg.conversion.artifact.quantized
    more = [f"more_{number}" for number in range(MOST_ROWS)]
    dump.layers += [{"key": name, "name": name, "op": "Conv", "scale": 0.5} for name in more]
    dump.save()


def test_of_very_many_layers_the_worst_are_shown_and_the_others_counted(developer: Client, leg: Leg) -> None:
    widen(leg)
    answer = developer.get(address(leg))
    shown = [row.name for row in answer.context["form"].rows]
    assert (len(shown), answer.context["left_out"], "conv_3" in shown) == (MOST_ROWS, len(LAYERS), True)


def test_a_layer_that_is_named_is_shown_however_good_it_is(world: World, developer: Client) -> None:
    leg = quantized(world, **RV1126B, hybrid={f"more_{MOST_ROWS - 1}": "int16"})
    widen(leg)
    rows = developer.get(address(leg)).context["form"].rows
    assert rows[-1].chosen == "int16"


def test_many_layers_cost_no_more_queries(
    developer: Client, leg: Leg, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(2):
        with django_assert_num_queries(5):
            developer.get(address(leg))
        widen(leg)
