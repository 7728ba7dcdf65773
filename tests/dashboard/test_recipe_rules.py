"""What a recipe may say beyond platform and data type, what of it excludes what, and that old hashes stay."""

from typing import Any

import pytest

from dashboard.conversions.offers import OFFERS
from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings
from dashboard.conversions.rules import rules_of

RV1126B = {"toolkit": "rknn2", "platform": "rv1126b", "dtype": "w8a8"}


@pytest.mark.parametrize(
    ("data", "sha256"),
    [
        ({}, "ad9c2fd653501716f9a452b54a91b02b4f4bf578a8d7bfd5fb21e020a716c93d"),
        (
            {**RV1126B, "algorithm": "kl_divergence"},
            "6b029ea4058c27af7f030502ec25bf00ab4ef04619422c15f39ec2c54e2c5cf8",
        ),
        (
            {
                "optimization_level": 0,
                "algorithm": "entropy",
                "inputs": {
                    "x": {"shape": [1, 3, 8, 8], "mean": [1, 2, 3], "std": 255, "reorder": True},
                    "m": {},
                },
            },
            "0dc936bef700854e421b7b23fb9b195b2f11d5a9a4e70b90926fae1d3890b9e7",
        ),
    ],
)
def test_recipes_stored_before_these_settings_keep_their_hash(data: dict[str, Any], sha256: str):
    assert RecipeSettings.from_dict(data).sha256 == sha256


def test_a_setting_that_says_nothing_new_leaves_the_hash_alone():
    said = {
        "method": "",
        "batch": 1,
        "calibration_batch": 0,
        "precompile": False,
        "propose": False,
        "histograms": False,
        "hybrid": {},
        "extra": {},
    }
    assert RecipeSettings.from_dict(said).sha256 == RecipeSettings().sha256


def test_the_method_that_the_toolkit_takes_unasked_is_no_other_recipe():
    asked = RecipeSettings.from_dict({**RV1126B, "method": "channel"})
    assert asked == RecipeSettings.from_dict(RV1126B)


@pytest.mark.parametrize(
    "said",
    [
        {"method": "layer"},
        {"batch": 4},
        {"propose": True},
        {"hybrid": {"conv": "int16"}},
        {"extra": {"model_pruning": True}},
    ],
)
def test_every_later_setting_makes_another_recipe(said: dict[str, Any]):
    assert RecipeSettings.from_dict({**RV1126B, **said}).sha256 != RecipeSettings(**RV1126B).sha256


def test_every_later_setting_survives_being_stored():
    said = {
        "method": "layer",
        "batch": 4,
        "propose": True,
        "hybrid": {"a": "int16", "b c": "float16"},
        "extra": {"op_target": {"a": "cpu"}, "sizes": [1, [2.5, None]]},
    }
    recipe = RecipeSettings.from_dict({**RV1126B, **said})
    assert RecipeSettings.from_dict(recipe.as_dict()) == recipe


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"precompile": True}, "precompile must be false"),
        ({"precompile": 1}, "precompile must be true or false"),
        ({"histograms": True}, "histograms must be false for w8a8 on rv1126b with rknn2"),
        ({"histograms": 1}, "histograms must be true or false"),
        ({"calibration_batch": 8}, "calibration_batch must be 0"),
        ({"batch": 0}, "batch must be from 1 to 31"),
        ({"batch": 32}, "batch must be from 1 to 31"),
        ({"batch": True}, "batch must be"),
        ({"batch": 2.0}, "batch must be"),
        ({"method": "group32"}, "method must be one of"),
        ({"method": ["layer"]}, "method must be one of"),
        ({"hybrid": {"conv": "int4"}}, "hybrid.conv must be one of int16, float16"),
        ({"hybrid": {"conv": None}}, "hybrid.conv must be"),
        ({"hybrid": ["conv"]}, "hybrid must map"),
        ({"hybrid": {"": "int16"}}, "hybrid: a layer's name"),
        ({"hybrid": {"\x00": "int16"}}, "hybrid: a layer's name"),
        ({"hybrid": {f"l{n}": "int16" for n in range(501)}}, "at most 500 layers"),
        ({"platform": "rv1106", "hybrid": {"conv": "float16"}}, "hybrid.conv must be one of int16"),
        ({"platform": "rv1106", "propose": True}, "propose must be false for w8a8 on rv1106"),
        ({"platform": "rv1106b", "hybrid": {"conv": "int16"}}, "hybrid: no layer"),
        ({"dtype": "w16a16i_dfp", "propose": True}, "propose must be false for w16a16i_dfp"),
        ({"dtype": "w4a16", "hybrid": {"conv": "int16"}}, "hybrid.conv must be one of float16"),
        ({"dtype": "float", "hybrid": {"conv": "int16"}}, "hybrid: no layer"),
        ({"dtype": "float", "method": "layer"}, "method must be"),
        ({"extra": []}, "extra must map"),
        ({"extra": {"quantized_dtype": "w8a8"}}, "the recipe's own setting dtype"),
        ({"extra": {"compiler_control_file": "/etc/passwd"}}, "a file of the worker's machine"),
        ({"extra": {"__class__": 1}}, "no name of a setting"),
        ({"extra": {7: 1}}, "no name of a setting"),
        ({"extra": {"a": float("nan")}}, "extra.a must be"),
        ({"extra": {"a": "\x1b[0m"}}, "extra.a must be"),
        ({"extra": {"a": 1 << 64}}, "extra.a must be"),
        ({"extra": {"a": [[[[[1]]]]]}}, "extra.a must be"),
        ({"extra": {"a": {"\x00": 1}}}, "extra.a must be"),
        ({"extra": {"a": "x" * 4001}}, "longer than 4000"),
        ({"extra": {f"a{n}": 1 for n in range(21)}}, "at most 20"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name_and_what_is_allowed(said: dict[str, Any], words: str):
    with pytest.raises(InvalidRecipe) as caught:
        RecipeSettings.from_dict({**RV1126B, **said})
    assert words in str(caught.value)


@pytest.mark.parametrize("said", [{"extra": {"a": 1}}, {"batch": 2}, {"propose": True}, {"method": "layer"}])
def test_the_reference_toolkit_refuses_what_only_the_vendors_know(said: dict[str, Any]):
    with pytest.raises(InvalidRecipe):
        RecipeSettings.from_dict(said)


def test_rknn1_takes_what_its_job_carries_out_and_no_more():
    rules = rules_of("rknn1", "rv1126", "u8")
    assert (rules.calibration_batch > 1, rules.precompile, rules.extra, rules.batch) == (True, True, True, 31)
    assert (rules.layer_dtypes, rules.proposes, rules.methods) == (("i8", "i16", "float"), True, ())


RV1126 = {"toolkit": "rknn1", "platform": "rv1126", "dtype": "u8"}


@pytest.mark.parametrize(
    "said",
    [
        {"hybrid": {"a": "i16", "b": "i16"}},
        {"hybrid": {"a": "i16", "b": "float"}},
        {"dtype": "i16", "hybrid": {"a": "u8", "b": "float"}},
        {"hybrid": {"a": "float"}, "propose": True},
        {"batch": 4},
        {"dtype": "float", "batch": 4},
    ],
)
def test_rknn1_takes_two_quantizations_and_float_beside_them(said: dict[str, Any]):
    assert RecipeSettings.from_dict({**RV1126, **said}).as_dict().items() >= said.items()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"hybrid": {"a": "i16", "b": "i8"}},
            "at most 2 quantizations, its own counted, not i16, i8, u8 for u8",
        ),
        ({"dtype": "i16", "hybrid": {"a": "u8", "b": "i8"}}, "at most 2 quantizations"),
        ({"hybrid": {"a": "u8"}}, "hybrid.a must be one of i8, i16, float for u8 on rv1126 with rknn1"),
        ({"hybrid": {"a": "float16"}}, "hybrid.a must be one of"),
        ({"dtype": "float", "hybrid": {"a": "i16"}}, "hybrid: no layer"),
        ({"dtype": "float", "propose": True}, "propose must be false for float"),
        ({"dtype": "i16", "propose": True}, "propose must be false for i16"),
        ({"batch": 2, "hybrid": {"a": "i16"}}, "batch must be 1 with hybrid or propose"),
        ({"batch": 2, "propose": True}, "batch must be 1 with hybrid or propose"),
        ({"batch": 32}, "batch must be from 1 to 31"),
        ({"method": "channel"}, "method must be one of"),
    ],
)
def test_what_rknn1_does_not_take_is_refused_with_its_reason(said: dict[str, Any], words: str):
    with pytest.raises(InvalidRecipe, match=words):
        RecipeSettings.from_dict({**RV1126, **said})


def test_rknn2_takes_a_batch_with_single_layers():
    recipe = RecipeSettings.from_dict(
        {**RV1126B, "batch": 2, "propose": True, "hybrid": {"a": "int16", "b": "float16"}}
    )
    assert recipe.batch == 2


RKNN1 = {"toolkit": "rknn1", "platform": "rv1126"}


@pytest.mark.parametrize("dtype", ["u8", "i8", "i16"])
def test_histograms_make_another_recipe_that_survives_being_stored(dtype: str):
    asked = RecipeSettings.from_dict({**RKNN1, "dtype": dtype, "histograms": True})
    assert RecipeSettings.from_dict(asked.as_dict()) == asked
    assert asked.sha256 != RecipeSettings.from_dict({**RKNN1, "dtype": dtype}).sha256


@pytest.mark.parametrize("said", [{**RKNN1, "dtype": "float"}, {}, {"toolkit": "ready"}])
def test_histograms_are_refused_where_nothing_is_calibrated_by_rknn1(said: dict[str, Any]):
    with pytest.raises(InvalidRecipe, match="histograms must be false"):
        RecipeSettings.from_dict({**said, "histograms": True})


def test_no_toolkit_offers_a_layer_the_data_type_that_all_others_have():
    for toolkit, offer in OFFERS.items():
        for platform, dtypes in offer.dtypes.items():
            assert all(dtype not in rules_of(toolkit, platform, dtype).layer_dtypes for dtype in dtypes)


GDQ = {"toolkit": "rknn2", "platform": "rk3576", "dtype": "w4a16", "algorithm": "gdq"}


@pytest.mark.parametrize("changes", [{}, {"method": "group32"}, {"platform": "rk3562", "dtype": "w8a16"}])
def test_gdq_is_for_weights_of_fewer_bits_than_what_flows(changes: dict[str, Any]):
    assert RecipeSettings.from_dict({**GDQ, **changes}).algorithm == "gdq"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": "w8a8"}, "algorithm must be one of normal, mmse, kl_divergence for w8a8"),
        ({"dtype": "float"}, "algorithm must be one of normal, mmse, kl_divergence for float"),
        ({"method": "layer"}, "method must be one of"),
        ({"hybrid": {"c": "float16"}}, "hybrid"),
    ],
)
def test_what_gdq_does_not_go_with_is_refused(changes: dict[str, Any], words: str):
    with pytest.raises(InvalidRecipe, match=words):
        RecipeSettings.from_dict({**GDQ, **changes})
