"""The RKNPU2 binding on its stand-in: other attributes, dims in order, a fifth argument at the start."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from boardagent.npu import rknn1 as kind1
from boardagent.npu import rknn2 as kind2
from tests.boardagent.npuchild import H, NpuRun, W, network

Make = Callable[..., NpuRun]


def test_outputs_are_what_the_network_computes(rknn2: Make) -> None:
    assert np.abs(rknn2().do("plain").outputs()["map"] - network()[1]).max() <= 0.0201


def test_dims_are_in_order(rknn2: Make) -> None:
    assert rknn2().do("plain").outputs()["map"].shape == (1, 4, H, W)


def test_a_probe_finds_the_version_inside_the_library(rknn2: Make) -> None:
    assert rknn2().do("probe").report["npu"]["npu"].startswith("librknnrt version: 2.3.2")


def test_a_refused_model_has_its_failure_code(rknn2: Make) -> None:
    assert rknn2("fault init:-6").do("plain").code == "board:rejected-artifact"


@pytest.mark.parametrize(
    ("name", "here"), [("librknnrt.so", (False, True)), ("librknn_api.so", (True, False))]
)
def test_a_library_belongs_to_one_kind(
    name: str, here: tuple[bool, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).touch()
    monkeypatch.setenv("LAYERWISE_RKNN_LIBRARY", str(tmp_path / name))
    assert (kind1.is_here(), kind2.is_here()) == here


def test_the_usual_folders_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAYERWISE_RKNN_LIBRARY", raising=False)
    monkeypatch.setenv("LAYERWISE_SYSROOT", str(tmp_path))
    library = tmp_path / "usr" / "lib64" / "librknn_runtime.so"
    library.parent.mkdir(parents=True)
    library.touch()
    assert kind1.library() == str(library)
