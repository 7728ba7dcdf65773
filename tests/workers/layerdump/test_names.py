"""Which layer is meant by a name to which the toolkit added ids and took characters."""

import pytest

from similarity.dumpfile import LayerInfo
from workers.layerdump.names import keys_of, match

LAYERS = [
    LayerInfo("c1", "/model.0/conv/Conv", "Conv", (1, 4, 6, 5), sources=("/model.0/conv/Conv", "/model.0/act/Relu")),
    LayerInfo("c2", "Conv_12", "Conv", (1, 4, 6, 5), sources=("Conv_12",)),
    LayerInfo("7", "Add", "Add", (1, 4, 6, 5), sources=("Add_3",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("c1", "c1"),
        ("/model.0/conv/Conv", "c1"),
        ("Conv__model.0_conv_Conv_142", "c1"),
        ("Conv_/model.0/conv/Conv_142_2", "c1"),
        ("Relu__model.0_act_Relu_9", "c1"),
        ("Conv_Conv_12_57", "c2"),
        ("Conv_12", "c2"),
        ("Add_Add_3_7_2", "7"),
    ],
)
def test_a_name_finds_its_layer(name: str, key: str) -> None:
    (found,) = match([name], LAYERS)
    assert found is not None and found.key == key


@pytest.mark.parametrize("name", ["Conv_7", "Relu_7_1", "other", "_", "Conv_1"])
def test_a_bare_number_or_another_name_finds_none(name: str) -> None:
    assert match([name], LAYERS) == [None]


def test_of_several_operations_the_last_one_is_the_layer() -> None:
    assert keys_of(["Conv_12_57", "Conv_12_57"], LAYERS) == ["Conv_12#1", "c2"]


def test_a_name_that_two_layers_share_means_neither() -> None:
    twins = [LayerInfo(key, "same", "Conv", (1,)) for key in ("a", "b")]
    assert match(["same_4"], twins) == [None]


def test_without_a_reference_the_id_is_dropped() -> None:
    assert keys_of(["Conv_1_2", "Relu_3", "Relu_3"]) == ["Conv_1", "Relu#1", "Relu"]


def test_names_that_differ_by_their_number_only_keep_it() -> None:
    assert keys_of(["Conv_1", "Conv_2"]) == ["Conv_1", "Conv_2"]


def test_no_two_keys_are_the_same() -> None:
    names = ["c1_4", "c1", "c1_5", "c1#1", "c1"]
    assert len(set(keys_of(names, LAYERS))) == len(names)
