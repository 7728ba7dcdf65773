"""The 1.7 binding, driven for real: ctypes into a stand-in library that keeps the documented ABI."""

from collections.abc import Callable

import numpy as np
import pytest

from boardagent import npu
from tests.boardagent.npuchild import IMAGE, OFFSET, H, NpuRun, W, network

Make = Callable[..., NpuRun]
STEP = 0.0201  # one step of the outputs' grid: floats of C and of numpy may round a tie apart


def test_outputs_are_what_the_network_computes(rknn1: Make) -> None:
    found = rknn1().do("plain").outputs()["map"]
    assert np.abs(found - network()[1]).max() <= STEP


def test_reversed_dims_become_shapes_in_numpys_order(rknn1: Make) -> None:
    assert rknn1().do("plain").outputs()["map"].shape == (1, 4, H, W)


def test_every_output_is_brought(rknn1: Make) -> None:
    found = rknn1().do("plain").outputs()
    assert {name: array.shape for name, array in found.items()} == {"map": (1, 4, H, W), "score": (1, 4)}


def test_an_output_may_be_wanted_as_the_npu_left_it(rknn1: Make) -> None:
    found = rknn1(io={"map": {"want_float": False}}).do("plain").outputs()["map"]
    assert np.abs((found - 4.0) * 0.02 - network()[1]).max() <= STEP


def test_a_picture_in_nhwc_gives_the_same_outputs(rknn1: Make) -> None:
    run = rknn1()
    run.put_inputs({"image": np.ascontiguousarray(IMAGE.transpose(0, 2, 3, 1)), "offset": OFFSET})
    assert np.abs(run.do("plain").outputs()["map"] - network()[1]).max() <= STEP


def test_the_job_says_a_layout_that_the_shape_does_not_tell(rknn1: Make) -> None:
    run = rknn1("h 3", "w 3", io={"image": {"layout": "NHWC"}})
    cube = IMAGE[:, :, :3, :3]
    run.put_inputs({"image": np.ascontiguousarray(cube.transpose(0, 2, 3, 1)), "offset": OFFSET})
    assert np.abs(run.do("plain").outputs()["map"] - network(cube)[1]).max() <= STEP


def test_floats_go_in_as_floats(rknn1: Make) -> None:
    run = rknn1()
    run.put_inputs({"image": IMAGE.astype(np.float32), "offset": OFFSET})
    assert np.abs(run.do("plain").outputs()["map"] - network()[1]).max() <= STEP


def test_pass_through_hands_the_bytes_over_unconverted(rknn1: Make) -> None:
    run = rknn1(io={"image": {"pass_through": True, "layout": "NHWC"}})  # the layout is not looked at
    assert np.abs(run.do("plain").outputs()["map"] - network()[1]).max() <= STEP


def test_inputs_are_found_by_name_whatever_their_order(rknn1: Make) -> None:
    run = rknn1()
    run.put_inputs({"offset": OFFSET, "image": IMAGE})
    assert np.abs(run.do("plain").outputs()["map"] - network()[1]).max() <= STEP


def test_inputs_of_another_size_are_refused_by_name(rknn1: Make) -> None:
    run = rknn1()
    run.put_inputs({"image": IMAGE[:, :2], "offset": OFFSET})
    done = run.do("plain")
    assert (done.code, "image_61" in done.report["error"]["message"]) == ("board:rejected-artifact", True)


def test_a_missing_input_is_refused(rknn1: Make) -> None:
    run = rknn1()
    run.put_inputs({"image": IMAGE})
    assert run.do("plain").code == "board:rejected-artifact"


def test_each_iteration_has_a_time_of_the_runtime_and_of_the_wall(rknn1: Make) -> None:
    report = rknn1(iterations=7).do("plain").report
    assert (len(report["iterations_us"]), len(report["wall_us"])) == (7, 7)


def test_the_wall_never_runs_less_than_the_runtime_counts(rknn1: Make) -> None:
    run = rknn1("h 300", "w 200")
    run.put_inputs({"image": np.zeros((1, 3, 300, 200), np.uint8), "offset": OFFSET})
    report = run.do("plain").report
    pairs = zip(report["wall_us"], report["iterations_us"], strict=True)
    assert [wall + 2 >= counted for wall, counted in pairs] == [
        True
    ] * 3  # counted in whole microseconds, and one more


def test_what_computes_in_software_calls_itself_simulated(rknn1: Make) -> None:
    assert rknn1().do("plain").report["npu"]["simulated"] is True


def test_the_version_is_the_runtimes_own(rknn1: Make) -> None:
    assert rknn1().do("probe").report["npu"]["npu"].startswith("1.7.5 (57a4d17 build: ")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("init:-1", "board:npu-failed"),
        ("init:-2", "board:npu-hung"),
        ("init:-3", "board:npu-unavailable"),
        ("init:-4", "board:no-memory"),
        ("query:-5", "board:npu-failed"),
        ("init:-6", "board:rejected-artifact"),
        ("run:-7", "board:npu-failed"),
        ("inputs:-8", "board:npu-failed"),
        ("outputs:-9", "board:npu-failed"),
        ("init:-10", "board:rejected-artifact"),
        ("init:-11", "board:rejected-artifact"),
        ("init:-12", "board:rejected-artifact"),
        ("init:-13", "board:rejected-artifact"),
        ("init:-14", "board:rejected-artifact"),
        ("init:-77", "board:npu-failed"),
        ("attr", "board:npu-failed"),
        ("short-output", "board:npu-failed"),
    ],
)
def test_an_error_of_the_library_has_its_failure_code(rknn1: Make, fault: str, code: str) -> None:
    assert rknn1(f"fault {fault}").do("plain").code == code


def test_a_refused_platform_is_told_in_the_vendors_words(rknn1: Make) -> None:
    message = rknn1("fault init:-13").do("plain").report["error"]["message"]
    assert "rknn model target platform[0] is RK1808, while current platform is RV1126" in message


def test_a_file_that_is_no_model_is_a_rejected_artifact(rknn1: Make) -> None:
    run = rknn1()
    (run.folder / "m.rknn").write_bytes(b"\0" * 100)
    assert run.do("plain").code == "board:rejected-artifact"


def test_an_empty_model_is_a_rejected_artifact(rknn1: Make) -> None:
    run = rknn1()
    (run.folder / "m.rknn").write_bytes(b"")
    assert run.do("plain").code == "board:rejected-artifact"


def test_a_library_that_does_not_load_is_unavailable(rknn1: Make) -> None:
    run = rknn1()
    run.library = run.folder / "librknn_api.so"
    run.library.write_bytes(b"not a library")
    assert run.do("plain").code == "board:npu-unavailable"


def test_a_library_of_something_else_is_unavailable(rknn1: Make, rknnrt: object) -> None:
    run = rknn1()
    run.library = run.folder / "librknn_api.so"
    run.library.symlink_to("/lib/x86_64-linux-gnu/libm.so.6")
    assert run.do("plain").code == "board:npu-unavailable"


@pytest.mark.parametrize("fault", ["exit", "segv", "abort"])
def test_a_library_that_ends_the_process_leaves_no_report(rknn1: Make, fault: str) -> None:
    done = rknn1(f"fault {fault}").do("plain")
    assert (done.report, npu.KINDS["rknn1"].failure_of(done.status, done.tail)) == ({}, "board:npu-exited")


def test_its_last_words_are_kept(rknn1: Make) -> None:
    assert "FATAL: failed to open device /dev/galcore" in rknn1("fault exit").do("plain").tail


def test_a_child_that_the_kernel_kills_ran_out_of_memory() -> None:
    assert npu.KINDS["rknn1"].failure_of(-9, "") == "board:no-memory"


def test_a_python_without_ctypes_is_told_as_such() -> None:
    assert npu.KINDS["rknn1"].failure_of(69, "this Python lacks a module") == "board:no-python"


@pytest.mark.parametrize("fault", ["hang", "hang-init"])
def test_a_call_that_never_returns_is_a_hang_and_named(rknn1: Make, fault: str) -> None:
    done = rknn1(f"fault {fault}", deadline_s=1).do("plain")
    called = "rknn_init" if fault == "hang-init" else "rknn_run"
    assert (done.code, called in done.report["error"]["message"]) == ("board:npu-hung", True)


def test_a_silent_start_is_no_hang(rknn1: Make) -> None:
    assert "iterations_us" in rknn1("fault quiet").do("plain").report


def test_what_the_library_prints_is_no_result(rknn1: Make) -> None:
    assert rknn1("fault chatty").do("plain").code == ""


@pytest.mark.parametrize("mode", ["plain", "timed"])
def test_a_normal_run_writes_no_layers(rknn1: Make, mode: str) -> None:
    run = rknn1()
    run.do(mode)
    assert not list((run.folder / mode).glob("NodeID_*"))
