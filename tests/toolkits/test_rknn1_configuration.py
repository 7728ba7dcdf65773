"""quantization.cfg of RKNN-Toolkit 1.x as text, and the suggestion in it as a proposal."""

import pytest

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn1files.proposal import read_proposal
from workers.toolkits.rknn1job.calls import Failed
from workers.toolkits.rknn1job.configuration import divided, layers_in, section_of

CONFIGURATION = """%YAML 1.2
---
# customized_quantize_layers: a comment
customized_quantize_layers:
    Conv_1_2: dynamic_fixed_point-i16
    {odd}
quantize_parameters:
    '@Conv_1_2:weight':
        dtype: asymmetric_affine
    '@Conv_1_2:out0':
        dtype: asymmetric_affine
    "@two\\twords_3:out0":
        dtype: None
    '@it''s_4:out0':
        dtype: None
"""


def test_every_layer_with_parameters_is_read_once():
    assert layers_in(CONFIGURATION) == ["Conv_1_2", "two\twords_3", "it's_4"]


def test_what_stands_around_the_layers_stays_as_it_was():
    before, _, after = divided(CONFIGURATION)
    assert (before + after).splitlines() == [
        line
        for line in CONFIGURATION.splitlines()
        if line[:1] != "c" and "i16" not in line and "odd" not in line
    ]


def test_layers_may_stand_at_the_end():
    _, section, after = divided(
        "quantize_parameters: {}\ncustomized_quantize_layers: {a: float32,\n  b: float32}\n"
    )
    assert (section.count("float32"), after) == (2, "")


@pytest.mark.parametrize("text", ["", "quantize_parameters:\n", "customized_quantize_layers: {}\n" * 2])
def test_a_configuration_without_one_place_for_layers_is_a_bad_result(text):
    with pytest.raises(Failed) as caught:
        divided(text)
    assert caught.value.code == "toolkit:bad-result"


def test_a_configuration_that_names_no_layer_is_a_bad_result():
    with pytest.raises(Failed) as caught:
        layers_in("quantize_parameters: {}\n")
    assert caught.value.code == "toolkit:bad-result"


def test_names_are_quoted_and_no_layers_are_an_empty_map():
    quoted = section_of({'a "b"': "float32"})
    assert (quoted, section_of({})) == (
        'customized_quantize_layers:\n    "a \\"b\\"": float32\n',
        "customized_quantize_layers: {}\n",
    )


def proposal_of(tmp_path, text):
    path = tmp_path / "proposal.yml"
    path.write_text(text)
    return read_proposal(path)


@pytest.mark.parametrize("text", [" {}", "", " null"])
def test_no_suggestion_is_an_empty_proposal(tmp_path, text):
    assert proposal_of(tmp_path, f"customized_quantize_layers:{text}\n") == []


def test_a_layer_that_looks_like_a_number_stays_a_name(tmp_path):
    layers = "{134_2: float32, 'a/b_1': dynamic_fixed_point-i8}"
    found = proposal_of(tmp_path, f"customized_quantize_layers: {layers}\n")
    assert [(one["name"], one["dtype"]) for one in found] == [("134_2", "float"), ("a_b_1", "i8")]


@pytest.mark.parametrize(
    "layers", ["[a]", "{a: int4}", "{a: {b: c}}", "{[b]: c}", "{a: !!python/name:os []}", "{a"]
)
def test_a_damaged_suggestion_is_a_bad_result(tmp_path, layers):
    with pytest.raises(Refused) as caught:
        proposal_of(tmp_path, f"customized_quantize_layers: {layers}")
    assert caught.value.code == "toolkit:bad-result"


@pytest.mark.parametrize("text", ["", "[1]", "customized: {}"])
def test_a_suggestion_without_its_section_is_a_bad_result(tmp_path, text):
    with pytest.raises(Refused):
        proposal_of(tmp_path, text)
