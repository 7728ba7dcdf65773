"""From the files that a runtime left to a dump that can be compared; the files come from the stand-in's real runs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from similarity.compare import compare_dumps
from similarity.dumpfile import DumpFile, LayerInfo, write_dump
from tests.boardagent.conftest import rknn1, rknn2, rknn_api, rknnrt
from tests.boardagent.npuchild import NpuRun, network
from workers.errors import JobError
from workers.layerdump import assemble

__all__ = ["rknn1", "rknn2", "rknn_api", "rknnrt"]
Make = Callable[..., NpuRun]
Listed = dict[str, Any]
KEYS = ["conv1", "dw", "pool"]


def dumped(run: NpuRun) -> tuple[Path, Listed]:
    """The run's files as the worker gets them: plain names, labels, in the order of execution."""
    run.do("dump")
    found = run.harvest("dump")
    folder = run.folder / "dump"
    listed: Listed = {"files": [], "names": None}
    for number, (role, label) in enumerate(found):
        name = f"dump-{number:05d}.txt"
        (folder / label).rename(folder / name)
        if role == "layer":
            listed["files"].append({"name": name, "label": label})
        elif role == "names":
            listed["names"] = name
    return folder, listed


def reference(path: Path, *, nhwc: bool = False) -> Path:
    """The quantized graph's dump of the network, made by numpy, in either layout."""
    arrays: list[NDArray[Any]] = list(network())
    names = ["conv1_1", "dw blur", "pool"]
    infos = []
    for number, (key, name) in enumerate(zip(KEYS, names, strict=True)):
        if nhwc and arrays[number].ndim == 4:
            arrays[number] = np.ascontiguousarray(arrays[number].transpose(0, 2, 3, 1))
        layout = ("NHWC" if nhwc else "NCHW") if arrays[number].ndim == 4 else ""
        infos.append(LayerInfo(key, name, "Conv", arrays[number].shape, layout, sources=(name,)))  # type: ignore[arg-type]
    write_dump(path, "quantized", infos, arrays)
    return path


def by_hand(folder: Path, arrays: dict[str, NDArray[Any]], shape: str) -> Listed:
    """Layer files of our own: name -> values as they lie."""
    files, names = [], ["NodeID\tLayerName"]
    for number, (name, values) in enumerate(arrays.items()):
        (folder / f"f{number}.txt").write_text(
            "".join(f"{value:f}\n" for value in values.reshape(-1).tolist())
        )
        files.append({"name": f"f{number}.txt", "label": f"NodeID_{number}_k_{shape}_batchID_0_out_0.txt"})
        names.append(f" {number}\t{name}")
    (folder / "names.txt").write_text("\n".join(names))
    return {"files": files, "names": "names.txt"}


def layouts(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    with DumpFile.open(path) as dump:
        return {layer.key: (layer.layout, layer.shape) for layer in dump.layers}


def test_layers_have_the_keys_of_the_reference(rknn1: Make, tmp_path: Path) -> None:
    folder, listed = dumped(rknn1())
    with DumpFile.open(assemble(folder, listed, reference(tmp_path / "r"))) as dump:
        assert [layer.key for layer in dump.layers] == KEYS


def test_the_boards_numbers_compare_with_the_reference(rknn1: Make, tmp_path: Path) -> None:
    folder, listed = dumped(rknn1())
    quantized = reference(tmp_path / "r")
    with DumpFile.open(quantized) as one, DumpFile.open(assemble(folder, listed, quantized)) as other:
        compared = compare_dumps(one, other)
    assert min(layer.scores.cosine for layer in compared.layers) > 0.9999


@pytest.mark.parametrize("nhwc", [False, True], ids=["NCHW", "NHWC"])
def test_planar_files_are_found_to_be_so_whatever_the_references_layout(
    rknn1: Make, tmp_path: Path, nhwc: bool
) -> None:
    folder, listed = dumped(rknn1())
    found = layouts(assemble(folder, listed, reference(tmp_path / "r", nhwc=nhwc)))
    assert found == {"conv1": ("NCHW", (1, 4, 6, 5)), "dw": ("NCHW", (1, 4, 6, 5)), "pool": ("", (1, 4))}


def test_interleaved_files_are_found_to_be_so(tmp_path: Path) -> None:
    conv1, dw, _ = network()
    turned = {"conv1_1_7": conv1.transpose(0, 2, 3, 1), "dw blur_8": dw.transpose(0, 2, 3, 1)}
    listed = by_hand(tmp_path, turned, "w_5_h_6_d_4")
    found = layouts(assemble(tmp_path, listed, reference(tmp_path / "r")))
    assert found == {"conv1": ("NHWC", (1, 6, 5, 4)), "dw": ("NHWC", (1, 6, 5, 4))}


def test_a_layer_that_went_wrong_lies_as_the_others_do(tmp_path: Path) -> None:
    wrong = np.random.default_rng(1).normal(size=(1, 4, 6, 5))
    listed = by_hand(tmp_path, {"conv1_1_7": network()[0], "dw blur_8": wrong}, "w_5_h_6_d_4")
    assert layouts(assemble(tmp_path, listed, reference(tmp_path / "r")))["dw"] == ("NCHW", (1, 4, 6, 5))


def test_where_no_layer_can_be_told_the_layout_is_unknown(tmp_path: Path) -> None:
    wrong = np.random.default_rng(1).normal(size=(1, 4, 6, 5))
    listed = by_hand(tmp_path, {"conv1_1_7": wrong, "dw blur_8": wrong}, "w_5_h_6_d_4")
    assert layouts(assemble(tmp_path, listed, reference(tmp_path / "r")))["dw"][0] == ""


def test_without_a_reference_layouts_are_unknown_and_ids_dropped(rknn1: Make) -> None:
    folder, listed = dumped(rknn1())
    found = layouts(assemble(folder, listed))
    assert found == {
        "Conv_conv1_1": ("", (1, 4, 6, 5)), "dw blur": ("", (1, 4, 6, 5)), "pool": ("", (1, 1, 1, 4)),
    }  # fmt: skip


def test_files_of_a_batch_become_one_layer(tmp_path: Path) -> None:
    listed = by_hand(tmp_path, {"x_1": np.zeros(2), "y": np.ones(2)}, "w_2_h_1_d_1")
    labels = [f"NodeID_3_k_w_2_h_1_d_1_batchID_{batch}_out_0.txt" for batch in (1, 0)]
    listed["files"] = [{"name": f"f{n}.txt", "label": label} for n, label in enumerate(labels)]
    with DumpFile.open(assemble(tmp_path, listed)) as dump:
        assert dump.values(dump.layers[0].key).tolist() == [[[[1, 1]]], [[[0, 0]]]]


def test_arrays_of_rknpu2_are_read_as_well(rknn2: Make, tmp_path: Path) -> None:
    folder, listed = dumped(rknn2())
    found = layouts(assemble(folder, listed, reference(tmp_path / "r")))
    assert found == {"conv1": ("NCHW", (1, 4, 6, 5)), "dw": ("NCHW", (1, 4, 6, 5)), "pool": ("", (1, 4))}


def test_a_dump_of_a_simulated_board_says_so(rknn1: Make) -> None:
    folder, listed = dumped(rknn1())
    with DumpFile.open(assemble(folder, listed, simulated=True)) as dump:
        assert (dump.rung, dump.simulated) == ("board", True)


def test_nothing_but_the_dump_is_left(rknn1: Make) -> None:
    folder, listed = dumped(rknn1())
    made = assemble(folder, listed)
    left = {path.name for path in folder.iterdir()} - {"log", "report.json", listed["names"]}
    assert {name for name in left if not name.startswith("dump-")} == {made.name}


@pytest.mark.parametrize(
    "label",
    [
        "NodeID_0_k_w_0_h_1_d_1_batchID_0_out_0.txt",
        "NodeID_0_k_w_999999999_h_999999999_d_1_batchID_0_out_0.txt",
        "NodeID_0_k_w_9_h_9_d_9_batchID_0_out_0.txt",
        "NodeID_0_k_w_2_h_1_d_1_batchID_7_out_0.txt",
        "NodeID_0_k_w_2_h_1.txt",
        "../../etc/passwd",
        "001_Conv_x_shape_1_2_float.npy",
    ],
)
def test_a_label_that_does_not_fit_its_file_is_a_damaged_answer(tmp_path: Path, label: str) -> None:
    listed = by_hand(tmp_path, {"x": np.zeros(2)}, "w_2_h_1_d_1")
    listed["files"][0]["label"] = label
    with pytest.raises(JobError) as raised:
        assemble(tmp_path, listed)
    assert raised.value.code == "board:bad-answer"


@pytest.mark.parametrize("name", ["../f0.txt", "/etc/passwd", ".hidden", "a b", ""])
def test_a_name_that_leaves_the_folder_is_a_damaged_answer(tmp_path: Path, name: str) -> None:
    listed = by_hand(tmp_path, {"x": np.zeros(2)}, "w_2_h_1_d_1")
    listed["files"][0]["name"] = name
    with pytest.raises(JobError, match="plain file name"):
        assemble(tmp_path, listed)


def test_a_dump_without_layers_is_a_damaged_answer(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="not one layer"):
        assemble(tmp_path, {"files": [], "names": None})


def test_names_that_cannot_be_printed_are_made_so(tmp_path: Path) -> None:
    listed = by_hand(tmp_path, {"a\u202eb\x07_1": np.zeros(2)}, "w_2_h_1_d_1")
    with DumpFile.open(assemble(tmp_path, listed)) as dump:
        assert dump.layers[0].name == "a_b__1"


def test_two_layers_of_one_name_are_two_layers(tmp_path: Path) -> None:
    listed = by_hand(tmp_path, {"a_1": np.zeros(2), "a_1 ": np.ones(2)}, "w_2_h_1_d_1")
    (tmp_path / "names.txt").write_text(" 0\ta_1\n 1\ta_1\n")
    with DumpFile.open(assemble(tmp_path, listed)) as dump:
        assert [layer.key for layer in dump.layers] == ["a#1", "a"]


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(JobError, match="no array"):
        assemble(tmp_path, {"files": [{"name": "a.npy", "label": "001_Conv_x_shape_1_float.npy"}]})


MEASURE = """
import resource, sys
from pathlib import Path
from workers.layerdump import assemble
from workers.layerdump.unusual import any_lines
from workers.layerdump.usual import usual_lines
import numpy as np
usual_lines(), any_lines()(np.frombuffer(b"1\\n", np.uint8), 0, 2, np.empty(1, np.float32))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Path(sys.argv[1])
files = [{"name": f"f{n}.txt", "label": f"NodeID_{n}_k_w_1024_h_1024_d_1_batchID_0_out_0.txt"} for n in range(24)]
assemble(folder, {"files": files})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_many_layers_take_the_memory_of_one(tmp_path: Path) -> None:
    lines = b"".join(b"%d.%06d\n" % (n % 10, n % 1000000) for n in range(1024 * 1024))
    for number in range(24):  # 24 layers of 4 MB as float32, 96 MB in all
        (tmp_path / f"f{number}.txt").write_bytes(lines)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 40 * 1024  # KB
