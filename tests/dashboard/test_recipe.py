"""Recipes: defaults, identity by content, and what is refused."""

import json

import pytest

from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings


def test_an_empty_recipe_is_all_defaults():
    assert RecipeSettings.from_dict({}) == RecipeSettings()


def test_a_recipe_survives_being_stored():
    recipe = RecipeSettings.from_dict(
        {"inputs": {"x": {"shape": [1, 3, 8, 8], "mean": [1, 2, 3], "std": 255}}}
    )
    assert RecipeSettings.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_equal_recipes_have_equal_hashes_whatever_their_order():
    inputs = {"a": {"mean": 1}, "b": {"std": 2}}
    turned = dict(reversed(inputs.items()))
    assert (
        RecipeSettings.from_dict({"inputs": inputs}).sha256
        == RecipeSettings.from_dict({"inputs": turned}).sha256
    )


def test_a_whole_number_and_a_float_are_the_same_setting():
    one, same = ({"inputs": {"a": {"mean": mean}}} for mean in (1, 1.0))
    assert RecipeSettings.from_dict(one).sha256 == RecipeSettings.from_dict(same).sha256


def test_other_settings_have_another_hash():
    assert RecipeSettings().sha256 != RecipeSettings(algorithm="entropy").sha256


def test_a_single_number_stands_for_every_channel():
    assert RecipeSettings.from_dict({"inputs": {"x": {"std": 255}}}).inputs["x"].std == (255.0,)


@pytest.mark.parametrize(
    "data",
    [
        [],
        "text",
        None,
        {"speed": 1},
        {"toolkit": "magic"},
        {"toolkit": None},
        {"platform": ["rv1126"]},
        {"dtype": "u9"},
        {"algorithm": "NORMAL"},
        {"optimization_level": 4},
        {"optimization_level": True},
        {"optimization_level": "3"},
        {"optimization_level": 3.0},
        {"inputs": "x"},
        {"inputs": {"x": None}},
        {"inputs": {"x": {"speed": 1}}},
        {"inputs": {"x": {"mean": []}}},
        {"inputs": {"x": {"mean": "1"}}},
        {"inputs": {"x": {"mean": [float("nan")]}}},
        {"inputs": {"x": {"mean": [float("inf")]}}},
        {"inputs": {"x": {"mean": [True]}}},
        {"inputs": {"x": {"mean": [10**400]}}},
        {"inputs": {"x": {"std": [1, 0]}}},
        {"inputs": {"x": {"std": -0.0}}},
        {"inputs": {"x": {"shape": []}}},
        {"inputs": {"x": {"shape": [1, 0]}}},
        {"inputs": {"x": {"shape": [1, -1]}}},
        {"inputs": {"x": {"shape": [1.5]}}},
        {"inputs": {"x": {"shape": "1,3"}}},
        {"inputs": {"x": {"shape": [1] * 17}}},
        {"inputs": {"x": {"shape": [1 << 24]}}},
        {"inputs": {"x": {"reorder": 1}}},
        {"inputs": {"\x00": {}}},
        {"inputs": {"\ud800": {}}},
        {"inputs": {"x" * 301: {}}},
    ],
)
def test_what_cannot_be_carried_out_is_refused(data):
    with pytest.raises(InvalidRecipe):
        RecipeSettings.from_dict(data)
