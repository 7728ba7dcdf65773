"""What was measured in a project has the last word over the rules."""

from typing import Any

import pytest
from onnx import helper

from dashboard.lint.built import Built, Row, built_of
from dashboard.lint.correcting import corrected, seen_in_build
from dashboard.lint.evidence import evidence_of
from dashboard.lint.findings import Finding, Target
from dashboard.lint.rules import lint
from dashboard.registry.models import Inspection, ModelVersion
from tests.factories import make_board, make_run
from tests.lint.nets import RV1126, RV1126B, graph, model, one, pixel_shuffle
from tests.lint.rows import converted, first_source, refused, version_with

pytestmark = pytest.mark.django_db
UNIQUE, CEIL = one("Unique"), one("Ceil")


def judged(net: Any, version: ModelVersion, target: Target) -> list[Finding]:
    """What lint says of the version's first source, corrected by its project's conversions."""
    evidence = evidence_of(version.project)
    return corrected(lint(graph(net), target), evidence, first_source(version).sha256, target)


def test_without_conversions_the_rules_stand() -> None:
    (finding,) = judged(UNIQUE, version_with(UNIQUE), RV1126B)
    assert (str(finding.severity), finding.measured, finding.corrected) == ("error", "", "")


def test_a_success_of_the_same_file_takes_an_error_back() -> None:
    version = version_with(UNIQUE)
    artifact = converted(version, RV1126B)
    (finding,) = judged(UNIQUE, version, RV1126B)
    assert (str(finding.severity), finding.corrected) == ("note", "error")
    assert f"Conversion {artifact.conversion_id} of this very file succeeded" in finding.measured


def test_a_success_for_another_target_says_nothing() -> None:
    version = version_with(UNIQUE)
    converted(version, Target("rknn2", "rk3588", "w8a8"))
    assert str(judged(UNIQUE, version, RV1126B)[0].severity) == "error"


def test_a_success_of_another_network_with_the_operator_makes_an_error_a_warning() -> None:
    version = version_with(UNIQUE)
    other = version_with(UNIQUE, project=version.project)
    Inspection.objects.filter(source__version=other).update(report={"operators": {"Unique": 1}})
    converted(other, RV1126B)
    (finding,) = judged(UNIQUE, version, RV1126B)
    assert (str(finding.severity), finding.corrected) == ("warning", "error")


def test_conversions_of_other_projects_are_not_looked_at() -> None:
    version, stranger = version_with(UNIQUE), version_with(UNIQUE)
    Inspection.objects.filter(source__version=stranger).update(report={"operators": {"Unique": 1}})
    converted(stranger, RV1126B)
    assert judged(UNIQUE, version, RV1126B)[0].measured == ""


def test_a_failure_that_names_the_layer_makes_a_warning_an_error() -> None:
    version = version_with(CEIL)
    refused(version, RV1126B, "model:unsupported-operator", "Remove Ceil('it') manually and try again!")
    (finding,) = judged(CEIL, version, RV1126B)
    assert (str(finding.severity), finding.corrected) == ("error", "warning")


def test_a_failure_that_names_nothing_blames_nobody() -> None:
    version = version_with(CEIL)
    refused(version, RV1126B, "toolkit:timed-out", "It ran longer than 3600 s.")
    assert judged(CEIL, version, RV1126B)[0].measured == ""


def test_a_lost_worker_blames_nobody_whatever_its_words() -> None:
    version = version_with(CEIL)
    refused(version, RV1126B, "system:lost", "Ceil it")
    assert judged(CEIL, version, RV1126B)[0].measured == ""


FACTS = {
    "rewrites": [{"rule": "replace_transpose_by_deconv", "removed": ["moved"], "added": ["moved_2deconv"]}],
    "layers": [
        {"op": "InputOperator", "target": "CPU", "name": "InputOperator:x"},
        {"op": "Conv", "target": "NPU", "name": "Conv:conv_c"},
        {"op": "ConvTranspose", "target": "NPU", "name": "ConvTranspose:moved_2deconv"},
    ],
}


def test_the_build_tells_what_a_layer_became() -> None:
    version = version_with(pixel_shuffle())
    converted(version, RV1126B, FACTS)
    built = built_of(first_source(version), RV1126B)
    assert built is not None
    (finding,) = seen_in_build(judged(pixel_shuffle(), version, RV1126B), built)
    assert "rewrote it by replace_transpose_by_deconv" in finding.measured
    assert "built as ConvTranspose for the NPU" in finding.measured


def test_the_ends_of_the_graph_are_no_layers_of_the_cpu() -> None:
    version = version_with(pixel_shuffle())
    converted(version, RV1126B, FACTS)
    built = built_of(first_source(version), RV1126B)
    assert built is not None
    assert (built.units, built.on_cpu) == ([("NPU", 2)], ())


def test_a_layer_that_was_built_for_the_npu_is_no_longer_warned_of() -> None:
    version = version_with(CEIL)
    converted(version, RV1126B, {"layers": [{"op": "Ceil", "target": "NPU", "name": "Ceil:it"}]})
    built = built_of(first_source(version), RV1126B)
    assert built is not None
    (finding,) = seen_in_build(judged(CEIL, version, RV1126B), built)
    assert (str(finding.severity), finding.corrected) == ("note", "warning")


def test_a_layer_that_was_built_for_the_cpu_stays_a_warning() -> None:
    version = version_with(CEIL)
    converted(version, RV1126B, {"layers": [{"op": "Ceil", "target": "CPU", "name": "Ceil:it"}]})
    built = built_of(first_source(version), RV1126B)
    assert built is not None
    assert str(seen_in_build(judged(CEIL, version, RV1126B), built)[0].severity) == "warning"


def test_board_times_are_told_and_a_simulated_board_says_so() -> None:
    version = version_with(one("ReduceMean", axes=[2, 3]))
    artifact = converted(version, RV1126)
    layers = [{**layer, "sources": ["it"]} for layer in artifact.quantized.layers[:1]]
    artifact.quantized.layers = layers
    artifact.quantized.save()
    run = make_run(artifact, make_board(version.project, name="desk"))
    built = built_of(first_source(version), RV1126)
    assert built is not None
    (finding,) = seen_in_build(judged(one("ReduceMean", axes=[2, 3]), version, RV1126), built)
    assert f"On desk (simulated) its layer took 400 of 2400 µs, by NPU in run {run.pk}." in finding.measured


def test_without_a_build_there_is_nothing_to_tell() -> None:
    assert built_of(first_source(version_with(CEIL)), RV1126B) is None


def test_build_facts_that_are_gone_are_no_facts() -> None:
    version = version_with(CEIL)
    artifact = converted(version, RV1126B)
    artifact.build_facts_sha256 = "0" * 64
    artifact.save()
    built = built_of(first_source(version), RV1126B)
    assert built is not None
    assert built.rows == ()


def test_a_layer_is_found_through_the_rewrites() -> None:
    row = Row("ConvTranspose", "NPU", "ConvTranspose:/upsampler/DepthToSpace_2deconv")
    built = Built(
        1, "", follows={"/upsampler/DepthToSpace": ("/upsampler/DepthToSpace_2deconv",)}, rows=(row,)
    )
    assert built.row_of("/upsampler/DepthToSpace") == row


def test_a_name_that_begins_like_another_is_not_taken_for_it() -> None:
    built = Built(1, "", rows=(Row("Conv", "NPU", "Conv:/body/Conv_1"),))
    assert built.row_of("/body/Conv") is None


def test_rewrites_that_lead_in_a_circle_end() -> None:
    built = Built(1, "", follows={"a": ("b",), "b": ("a",)}, rows=(Row("Relu", "NPU", "Relu:b"),))
    assert built.row_of("a") is not None


def test_findings_about_the_whole_file_stay_as_they_are() -> None:
    net = model([helper.make_node("Relu", ["x"], ["y"], "it")], opset=20)
    found = lint(graph(net), RV1126B)
    assert seen_in_build(found, Built(1, "", rows=(Row("Relu", "NPU", "Relu:it"),))) == found
