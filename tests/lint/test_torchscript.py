"""TorchScript files: their code is read as text, and lint speaks of its operators by the PyTorch route's facts."""

import io
import json
from pathlib import Path
from textwrap import dedent

import pytest

from dashboard.lint.findings import Finding, Target
from dashboard.lint.graph import Graph, graph_of
from dashboard.lint.rules import lint
from dashboard.registry.services import Upload, upload_version
from tests.factories import make_model, owner_of
from tests.lint.nets import REFERENCE, RV1126, RV1126_FLOAT, RV1126_I16, RV1126B
from tests.lint.test_pages import lint_page
from tests.toolkits.modelfiles import zipped
from workers import tasks
from workers.toolkits.formats import torchscript
from workers.toolkits.formats.parts import Part
from workers.toolkits.formats.torchcode import MOST_CALLS, Call, calls_of

NET = """\
class Net(Module):
  __parameters__ = []
  up : __torch__.torch.nn.modules.pixelshuffle.PixelShuffle
  __annotations__["0"] = __torch__.torch.nn.modules.conv.Conv2d
  def forward(self: __torch__.net.Net,
    x: Tensor) -> Tensor:
    up = self.up
    {body}
    return (up).forward(x, )
"""
MODULES = {
    "net/code/__torch__/torch/nn/modules/pixelshuffle.py": """\
class PixelShuffle(Module):
  def forward(self: __torch__.torch.nn.modules.pixelshuffle.PixelShuffle,
    input: Tensor) -> Tensor:
    return torch.pixel_shuffle(input, 2)
""",
    "net/code/__torch__/torch/nn/modules/conv.py": """\
class Conv2d(Module):
  def forward(self: __torch__.torch.nn.modules.conv.Conv2d,
    x: Tensor) -> Tensor:
    return torch._convolution(x, self.weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
""",
}


def saved(body: str = "x = torch.relu(x)", **more: str) -> bytes:
    """A file as torch.jit.save lays it out, with this line in the outermost module."""
    files = {
        "net/data.pkl": b"\x80\x02c__torch__.net\nNet\nq\x00)\x81.",
        "net/constants.pkl": b"\x80\x02).",
        "net/version": b"3\n",
        "net/code/__torch__/net.py": NET.format(body=body).encode(),
        **{name: text.encode() for name, text in (MODULES | more).items()},
    }
    return zipped(files)


def graph(content: bytes, folder: Path) -> Graph:
    """As lint sees it, by the way that it takes through JSON."""
    (folder / "net.pt").write_bytes(content)
    return graph_of(json.loads(json.dumps(torchscript.graph(Part(folder / "net.pt")))))


def found(body: str, target: Target, folder: Path) -> dict[str, Finding]:
    findings: dict[str, Finding] = {}
    for finding in lint(graph(saved(body), folder), target):
        findings.setdefault(finding.layer, finding)
    return findings


def test_layers_are_named_by_the_modules_that_call_them(tmp_path: Path) -> None:
    names = [node.name for node in graph(saved("x = torch.relu(torch.relu(x))"), tmp_path).nodes]
    assert names == ["relu", "relu#2", "up.pixel_shuffle", "0._convolution"]


def test_plain_arguments_are_kept(tmp_path: Path) -> None:
    node = graph(saved("x = torch.permute(f(x, [1]), [0, -1, 2], True)"), tmp_path).nodes[0]
    assert node.attributes == {"arguments": [None, [0, -1, 2], True]}


def test_pixel_shuffle_by_torchscript_is_warned_of_with_the_other_route(tmp_path: Path) -> None:
    finding = found("x = x", RV1126, tmp_path)["up.pixel_shuffle"]
    assert (finding.code, str(finding.severity), finding.other_route) == (
        "pixel-shuffle",
        "warning",
        "ONNX with DepthToSpace",
    )


def test_pixel_shuffle_written_out_is_seen_too(tmp_path: Path) -> None:
    finding = found("x = torch.permute(x, [0, 1, 4, 2, 5, 3])", RV1126, tmp_path)["permute"]
    assert finding.code == "pixel-shuffle"


def test_another_permutation_of_many_dimensions_is_unsafe(tmp_path: Path) -> None:
    finding = found("x = torch.permute(x, [0, 4, 3, 2, 1])", RV1126, tmp_path)["permute"]
    assert finding.code == "rank-over-4"


def test_on_the_newer_toolkit_both_forms_become_one_layer(tmp_path: Path) -> None:
    findings = found("x = torch.permute(x, [0, 1, 4, 2, 5, 3])", RV1126B, tmp_path)
    assert [findings[name].code for name in ("permute", "up.pixel_shuffle")] == ["rewritten", "rewritten"]
    assert "ConvTranspose on the NPU" in findings["up.pixel_shuffle"].text


@pytest.mark.parametrize("call", ["softplus(x)", "where(x, x, x)", "topk(x, 4)", "conv3d(x, w)", "gt(x, 0)"])
def test_what_the_table_takes_by_no_route_is_an_error(call: str, tmp_path: Path) -> None:
    name = call.partition("(")[0]
    assert str(found(f"x = torch.{call}", RV1126, tmp_path)[name].severity) == "error"


@pytest.mark.parametrize("call", ["relu_(x)", "erf(x)", "gru(x)", "batch_norm(x)", "dropout(x)", "cat([x])"])
def test_what_the_table_takes_from_torchscript_is_not_spoken_of(call: str, tmp_path: Path) -> None:
    assert call.partition("(")[0] not in found(f"x = torch.{call}", RV1126, tmp_path)


def test_a_convolution_is_judged_by_its_dimensions(tmp_path: Path) -> None:
    three = "x = torch._convolution(x, w, b, [1, 1, 1], [0, 0, 0], [1, 1, 1], False, [0, 0, 0], 1)"
    assert "convolution_3D" in found(three, RV1126, tmp_path)["_convolution"].text
    assert "0._convolution" not in found(three, RV1126, tmp_path)


def test_what_the_table_does_not_name_is_not_promised(tmp_path: Path) -> None:
    assert found("x = torch.neg(x)", RV1126, tmp_path)["neg"].code == "unlisted-operator"


def test_eight_bits_may_cost_accuracy_and_sixteen_not(tmp_path: Path) -> None:
    body = "x = torch.mean(x, [2, 3])"
    assert found(body, RV1126, tmp_path)["mean"].code == "accuracy-on-8-bits"
    assert "mean" not in found(body, RV1126_I16, tmp_path)


def test_the_built_in_toolkit_has_nothing_to_say(tmp_path: Path) -> None:
    assert found("x = torch.softplus(x)", REFERENCE, tmp_path) == {}


def test_a_module_that_holds_itself_ends() -> None:
    text = dedent("""\
        class Net(Module):
          a : __torch__.net.Net
          b : __torch__.net.Net
          def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x)
        """)
    assert len(list(calls_of({"__torch__.net": text}, "__torch__.net.Net"))) <= 20_000


def test_functions_by_themselves_are_read_too() -> None:
    text = "def scaled(x: Tensor) -> Tensor:\n  return torch.mul(x, 2)\n"
    assert list(calls_of({"__torch__.a.functional": text}, "")) == [
        Call("functional.scaled", "mul", (None, 2))
    ]


def test_a_very_long_network_is_cut_and_says_so(tmp_path: Path) -> None:
    told = graph(saved("\n    ".join(["x = torch.relu(x)"] * (MOST_CALLS + 5))), tmp_path)
    assert (len(told.nodes), told.left_out > 0) == (MOST_CALLS, True)
    assert "not-looked-at" in [finding.code for finding in lint(told, RV1126)]


def test_a_slow_data_type_is_told_of_the_whole_file(tmp_path: Path) -> None:
    assert found("x = x", RV1126_FLOAT, tmp_path)[""].code == "slow-dtype"


@pytest.mark.django_db(transaction=True)
@pytest.mark.integration
def test_from_the_upload_to_the_page() -> None:
    model = make_model()
    version, _ = upload_version(model, [Upload("net.pt", io.BytesIO(saved()))], owner_of(model.project))
    tasks.inspect_task(version.sources.get().inspection.pk)
    text = lint_page(version)
    assert "up.pixel_shuffle" in text
    assert "ONNX with DepthToSpace" in text
