"""Layer dumps as the runtime writes them: in its own folder, handed on file by file while it goes on."""

import os
import time
from collections.abc import Callable

from tests.boardagent.npuchild import NpuRun

Make = Callable[..., NpuRun]
FILES = [
    ("layer", "NodeID_0_convolution_w_5_h_6_d_4_batchID_0_out_0.txt"),
    ("layer", "NodeID_1_depthwise_w_5_h_6_d_4_batchID_0_out_0.txt"),
    ("layer", "NodeID_2_pooling_w_4_h_1_d_1_batchID_0_out_0.txt"),
    ("names", "NodeID_To_LayerName.txt"),
    ("outputs", "outputs.safetensors"),
]


def test_every_layer_is_a_file_in_the_order_of_execution(rknn1: Make) -> None:
    run = rknn1()
    run.do("dump")
    assert run.harvest("dump") == FILES


def test_the_report_says_that_it_was_dumped(rknn1: Make) -> None:
    report = rknn1().do("dump").report
    assert (report["format"], report["dumped"]) == ("nn-layer-dump", True)


def test_a_precompiled_artifact_is_no_failure_but_says_why(rknn1: Make) -> None:
    report = rknn1("precompiled 1").do("dump").report
    assert (report["dumped"], "precompiled" in report["reason"]) == (False, True)


def test_files_are_handed_on_while_the_child_goes_on(rknn1: Make) -> None:
    run = rknn1("dump_pause_ms 800")
    child = run.start("dump")
    until = time.monotonic() + 30
    while not run.harvest("dump", ended=False) and time.monotonic() < until:
        time.sleep(0.01)
    early = child.poll() is None and run.harvest("dump", ended=False)[:1] == FILES[:1]
    child.wait(30)
    assert early


def test_the_newest_file_is_not_complete_while_the_child_lives(rknn1: Make) -> None:
    run = rknn1()
    run.do("dump")
    for number, (_, label) in enumerate(FILES[:3]):
        os.utime(run.folder / "dump" / label, ns=(number * 10**9, number * 10**9))
    assert run.harvest("dump", ended=False) == FILES[:2]


def test_files_of_one_tick_of_the_clock_wait_for_the_end(rknn1: Make) -> None:
    run = rknn1()
    run.do("dump")
    for _, label in FILES[:3]:
        os.utime(run.folder / "dump" / label, ns=(10**9, 10**9))
    assert run.harvest("dump", ended=False) == []


def test_a_link_of_such_a_name_is_not_handed_on(rknn1: Make) -> None:
    run = rknn1()
    run.do("dump")
    (run.folder / "dump" / "NodeID_9_x_w_1_h_1_d_1_batchID_0_out_0.txt").symlink_to("/etc/passwd")
    assert run.harvest("dump") == FILES


def test_rknpu2_writes_numpy_files(rknn2: Make) -> None:
    run = rknn2()
    report = run.do("dump").report
    labels = [label for role, label in run.harvest("dump") if role == "layer"]
    assert (report["format"], [label[:3] for label in labels]) == ("nn-layer-dump", ["001", "002", "003"])


def test_a_runtime_that_writes_nothing_is_said_to(rknn2: Make) -> None:
    assert rknn2("precompiled 1").do("dump").report["dumped"] is False
