"""Kind rknn1: the vendor's ABI through a stand-in library, and everything that such a library has been seen to do."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boardagent import tensorfile
from tests.boardagent_c.board import Board, Received

Run = Callable[..., Received]


@pytest.fixture
def run(board: Board) -> Run:
    def run(behaviour: str = "ok", **changes: Any) -> Received:
        return board.run(model=f"STANDIN {behaviour}".encode(), npu="rknn1", **changes)

    return run


def error_of(received: Received) -> dict[str, Any]:
    error = received.result()["error"]
    assert isinstance(error, dict)
    return error


def test_outputs_are_floats_in_the_shape_that_everybody_uses(run: Run, tmp_path: Path) -> None:
    received = run()
    (tmp_path / "o").write_bytes(received.files()[received.result()["plain"]["outputs"]])
    with tensorfile.TensorFile(str(tmp_path / "o")) as file:
        assert (file.entries["y"][:2], struct.unpack("<6f", file.read("y"))) == (
            ("F32", (1, 1, 2, 3)),
            (0, 2, 4, 6, 8, 10),
        )


def test_an_outputs_file_says_what_it_is(run: Run, tmp_path: Path) -> None:
    received = run()
    (tmp_path / "o").write_bytes(received.files()[received.result()["plain"]["outputs"]])
    with tensorfile.TensorFile(str(tmp_path / "o")) as file:
        assert file.metadata == {"layerwise": "outputs/1"}


def test_times_are_the_runtimes_own(run: Run) -> None:
    assert run(iterations=3, warmup=2).result()["plain"]["iterations_us"] == [1003, 1004, 1005]


def test_the_walls_times_are_there_too(run: Run) -> None:
    assert len(run(iterations=3).result()["plain"]["wall_us"]) == 3


def test_a_library_that_calls_itself_simulated_is(run: Run) -> None:
    before = run().result()["fingerprint"]["before"]
    assert (before["simulated"], before["npu"][:5], before["npu_driver"]) == (True, "1.7.5", "6.4.6.5.351518")


def test_layer_times_are_rows(run: Run) -> None:
    assert run(modes=["timed"]).result()["timed"]["layers"] == [
        {
            "key": "Conv 1_1#1",
            "name": "Conv 1_1_2",
            "op": "RESHUFFLE",
            "target": "TP",
            "uid": 1,
            "time_us": 11,
        },
        {
            "key": "Conv 1_1",
            "name": "Conv 1_1_2",
            "op": "CONVOLUTION",
            "target": "NN",
            "uid": 1,
            "time_us": 920,
        },
        {"key": "Pool", "name": "Pool_9", "op": "POOLING", "target": "SH", "uid": None, "time_us": 33},
    ]


def test_a_table_without_uids_is_read(run: Run) -> None:
    layers = run("nouid", modes=["timed"]).result()["timed"]["layers"]
    assert [(row["name"], row["uid"], row["time_us"]) for row in layers] == [
        ("Conv 1_1_2", None, 11), ("Conv 1_1_2", None, 920), ("Pool_9", None, 33),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("null", "its table is empty"), ("garbage", "not of a known form")]
)
def test_a_library_without_a_table_gives_a_reason(run: Run, behaviour: str, reason: str) -> None:
    timed = run(behaviour, modes=["timed"]).result()["timed"]
    assert (timed["layers"], timed["reason"].endswith(reason)) == ([], True)


def test_each_dumped_layer_is_a_file_of_its_own(run: Run) -> None:
    received = run(modes=["dump"])
    layer = received.result()["dump"]["files"][0]
    assert (layer["label"], received.files()[layer["name"]][:18]) == (
        "NodeID_1_convolution_w_3_h_2_d_1_batchID_0_out_0.txt",
        b"0.000000\n2.000000\n",
    )


def test_the_table_of_layer_names_comes_along(run: Run) -> None:
    received = run(modes=["dump"])
    assert received.files()[received.result()["dump"]["names"]].startswith(b"NodeID\tLayerName\n")


def test_a_large_dump_comes_while_the_library_still_writes(run: Run) -> None:
    received = run("big-dump", modes=["dump"])
    files = received.result()["dump"]["files"]
    sizes = {len(received.files()[entry["name"]]) for entry in files}
    assert (len(files), sizes) == (
        64,
        {7282 * 9 + sum(len(f"{i * 2}") - 1 for i in [i % 6 for i in range(7282)])},
    )


def test_no_layer_is_lost_or_told_twice(run: Run) -> None:
    labels = [entry["label"] for entry in run("big-dump", modes=["dump"]).result()["dump"]["files"]]
    assert sorted(labels) == sorted(
        f"NodeID_{id}_convolution_w_3_h_2_d_1_batchID_0_out_0.txt" for id in range(1, 65)
    )


def test_a_precompiled_artifact_is_said_to_be_none_that_dumps(run: Run) -> None:
    dump = run("precompiled", modes=["dump"]).result()["dump"]
    assert (dump["dumped"], dump["files"], dump["names"], "precompiled" in dump["reason"]) == (
        False,
        [],
        None,
        True,
    )


def test_nothing_is_dumped_in_other_modes(run: Run) -> None:
    received = run(modes=["plain", "timed"])
    assert [entry["role"] for entry in received.entries if entry["event"] == "file"] == ["outputs", "result"]


def test_a_sequence_on_a_good_npu_finds_nothing(run: Run) -> None:
    checks = run(modes=["sequence"], sequence={"repeats": 4, "reloads": 2}).result()["sequence"]["checks"]
    assert [(check["name"], check["runs"], check["differing"]) for check in checks] == [
        ("same-input", 4, []), ("alternating", 8, []), ("reload", 2, []),
    ]  # fmt: skip


def test_a_sequence_finds_bits_that_differ(run: Run) -> None:
    checks = run("noise", modes=["sequence"], sequence={"repeats": 3, "reloads": 1}).result()["sequence"][
        "checks"
    ]
    assert (checks[0]["differing"], checks[0]["max_difference"]) == ([0, 1, 2], 3)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("init-6", "board:rejected-artifact"),
        ("exit", "board:npu-exited"),
        ("segv", "board:npu-exited"),
        ("attr", "board:npu-failed"),
        ("short", "board:npu-failed"),
    ],
)
def test_each_way_to_fail_has_its_code(run: Run, behaviour: str, code: str) -> None:
    assert error_of(run(behaviour))["code"] == code


def test_the_librarys_reason_for_refusing_an_artifact_is_told(run: Run) -> None:
    error = error_of(run("platform"))
    assert (error["code"], "current platform is RV1126" in error["message"]) == (
        "board:rejected-artifact",
        True,
    )


def test_the_librarys_last_words_are_kept(run: Run) -> None:
    assert "/dev/galcore" in error_of(run("exit"))["detail"]


def test_a_call_that_does_not_come_back_is_a_hang(run: Run) -> None:
    error = error_of(run("hang", deadline_s=1))
    assert (error["code"], "rknn_run" in error["message"]) == ("board:npu-hung", True)


def test_a_job_may_say_how_long_a_call_may_take(run: Run) -> None:
    assert error_of(run("hang", hang_s=1))["code"] == "board:npu-hung"


def test_what_the_library_prints_stays_off_the_channel(run: Run) -> None:
    assert run("chatty").kinds == ["stage", "file", "file", "end"]


def test_a_file_that_is_no_model_is_rejected(board: Board) -> None:
    assert board.error(model=b"junk", npu="rknn1")["code"] == "board:rejected-artifact"


def test_an_empty_artifact_is_rejected(board: Board) -> None:
    assert board.error(model=b"", npu="rknn1")["code"] == "board:rejected-artifact"


def test_a_library_that_does_not_load_is_unavailable(board: Board) -> None:
    broken = board.root / "librknn_api.so"
    broken.write_bytes(b"no library")
    board.environment["LAYERWISE_RKNN_LIBRARY"] = str(broken)
    assert board.error(npu="rknn1")["code"] == "board:npu-unavailable"


@pytest.mark.parametrize("tensors", [[("x", "F32", (7,), bytes(28))], [("x", "I64", (6,), bytes(48))], []])
def test_inputs_that_do_not_fit_are_told(board: Board, tensors: list[Any]) -> None:
    folder = board.folder(model=b"STANDIN ok", npu="rknn1")
    tensorfile.write(str(folder / "inputs.safetensors"), tensors)
    board.start(folder)
    received = Received()
    board.attach(folder, received)
    assert error_of(received)["code"] == "board:rejected-artifact"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff" * 40, b"\x10\0\0\0\0\0\0\0" + b"{" * 16, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"],
)
def test_inputs_that_are_no_tensor_file_are_told(board: Board, data: bytes) -> None:
    folder = board.folder(model=b"STANDIN ok", npu="rknn1")
    (folder / "inputs.safetensors").write_bytes(data)
    board.start(folder)
    received = Received()
    board.attach(folder, received)
    assert error_of(received)["code"] in {"board:npu-failed", "board:rejected-artifact"}


def test_a_wish_for_another_type_than_the_files_is_refused(run: Run) -> None:
    assert error_of(run(io={"x": {"type": "u8"}}))["code"] == "board:rejected-artifact"


def test_a_wish_for_a_layout_is_taken(run: Run) -> None:
    assert run(io={"x": {"layout": "NHWC", "type": "f32", "pass_through": True}}).kinds[-1] == "end"
