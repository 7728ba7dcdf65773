"""A run by the C agent with a simulated NPU: its journal, its result, and every way in which it ends."""

import json
import os
import signal
from pathlib import Path

import pytest

from boardagent import protocol
from tests.boardagent_c.board import Board, Received, wait_until

ALL = ["plain", "timed", "dump"]


def test_each_mode_is_a_stage_and_each_file_an_entry(board: Board) -> None:
    kinds = ["stage", "file", "stage", "stage", "file", "file", "end"]
    assert board.run(modes=ALL).kinds == kinds


def test_files_have_roles(board: Board) -> None:
    entries = board.run(modes=ALL).entries
    assert [entry["role"] for entry in entries if entry["event"] == "file"] == ["outputs", "dump", "result"]


def test_outputs_arrive_whole(board: Board) -> None:
    assert board.run().files()["plain-00000.safetensors"] == b"made-up outputs"


def test_the_result_names_the_files_as_they_are_called_now(board: Board) -> None:
    result = board.run(modes=ALL).result()
    assert (result["plain"]["outputs"], result["dump"]["file"]) == (
        "plain-00000.safetensors",
        "dump-00000.safetensors",
    )


def test_what_the_npu_reports_is_in_the_result(board: Board) -> None:
    assert board.run().result()["plain"]["iterations_us"] == [2.5]


def test_what_the_npu_says_of_itself_is_in_both_fingerprints(board: Board) -> None:
    marks = board.run().result()["fingerprint"]
    assert [marks[when]["simulated"] for when in ("before", "after")] == [True, True]


def test_what_the_library_prints_becomes_a_log_entry(board: Board) -> None:
    texts = [entry["text"] for entry in board.run().entries if entry["event"] == "log"]
    assert texts == ["the vendor's library prints on stdout\n"]


def test_a_long_log_is_cut_into_entries(board: Board) -> None:
    board.sim_does("head -c 100000 /dev/zero | tr '\\0' z")
    texts = [entry["text"] for entry in board.run().entries if entry["event"] == "log"]
    assert [len(text) for text in texts] == [2000] * 4


def test_noise_in_the_log_is_made_fit_for_keeping(board: Board) -> None:
    board.sim_does("head -c 50000 /dev/urandom; printf 'a\\0b\\001\\377'")
    assert board.run().kinds[-1] == "end"


@pytest.mark.parametrize("code", ["board:rejected-artifact", "board:npu-failed"])
def test_an_error_that_the_npu_reports_ends_the_run_with_it(board: Board, code: str) -> None:
    board.sim_does(f"""report='{{"error": {{"code": "{code}", "message": "no", "detail": "because"}}}}'""")
    assert board.error() == {"code": code, "message": "plain: no", "detail": "because"}


def test_an_npu_that_says_nothing_has_failed(board: Board) -> None:
    board.sim_does("echo last words; exit 3")
    error = board.error()
    assert (error["code"], "status 3" in error["message"], "last words" in error["detail"]) == (
        "board:npu-failed",
        True,
        True,
    )


def test_an_npu_that_is_killed_has_failed(board: Board) -> None:
    board.sim_does("kill -SEGV $$")
    assert "signal 11" in board.error()["message"]


@pytest.mark.parametrize(
    "report",
    [
        '{"a": ',
        "[1]",
        "",
        '{"a": 1, "a": 2}',
        '{"a": 1e999}',
        '{"a": "\\u0000"}',
        '{"a":' + "[" * 60 + "]" * 60 + "}",
    ],
)
def test_a_report_that_is_none_is_not_believed(board: Board, report: str, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(report)
    board.sim_does(f"cp {tmp_path}/report $3/report.json; exit 0")
    assert board.error()["code"] == "board:npu-failed"


def test_a_report_may_be_long(board: Board, tmp_path: Path) -> None:
    rows = [{"key": f"layer {row}", "time_us": row + 0.5} for row in range(20_000)]
    (tmp_path / "report").write_text(json.dumps({"layers": rows}, indent=1))
    board.sim_does(f"cp {tmp_path}/report $3/report.json; exit 0")
    assert board.run(modes=["timed"]).result()["timed"]["layers"] == rows


def test_a_report_that_is_a_link_is_not_followed(board: Board) -> None:
    board.sim_does("ln -s $2/job.json $3/report.json; exit 0")
    assert board.error()["code"] == "board:npu-failed"


def test_outputs_that_are_a_link_are_not_followed(board: Board) -> None:
    board.sim_does("rm $3/outputs.safetensors; ln -s /etc/passwd $3/outputs.safetensors")
    assert board.run().result()["plain"]["outputs"] is None


def test_a_program_that_does_not_start_is_told(board: Board) -> None:
    board.sim("/no/such/program")
    assert board.error()["message"] == "the NPU program does not start: No such file or directory"


@pytest.mark.parametrize("words", ['"x"', "[1]", "[", "[]"])
def test_a_program_that_is_no_list_of_words_is_told(board: Board, words: str) -> None:
    board.environment["LAYERWISE_SIM_NPU"] = words
    assert board.error()["code"] == "board:npu-failed"


def test_a_kind_of_npu_that_is_not_here_is_unavailable(board: Board) -> None:
    assert board.error(npu="rknn2")["code"] == "board:npu-unavailable"


def test_too_little_disk_is_refused_before_anything_runs(board: Board) -> None:
    received = board.run(disk_bytes=2**60)
    assert (received.result()["error"]["code"], received.kinds) == ("board:disk-full", ["file", "end"])


def test_a_disk_that_fills_up_is_told_all_the_same(
    small_disk: Path, plain_program: Path, library: Path
) -> None:
    board = Board(small_disk / "board", plain_program, library)
    board.sim_does("head -c 30000000 /dev/zero > $3/outputs.safetensors")
    error = board.error()
    board.end()
    assert error["code"] == "board:disk-full"


def test_a_missing_artifact_is_told(board: Board) -> None:
    folder = board.folder()
    (folder / "artifact").unlink()
    board.start(folder)
    received = Received()
    board.attach(folder, received)
    assert "artifact" in received.result()["error"]["message"]


def test_the_deadline_ends_the_run(board: Board) -> None:
    board.sim_does("sleep 600")
    assert board.error(deadline_s=0.5)["code"] == "board:timed-out"


def test_what_a_child_started_ends_with_the_run(board: Board, tmp_path: Path) -> None:
    board.sim_does(f"sleep 600 & echo $! > {tmp_path}/grandchild")
    board.run()
    pid = int((tmp_path / "grandchild").read_text())
    wait_until(lambda: not is_alive(pid))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_run_nobody_is_attached_to_ends_itself(board: Board) -> None:
    board.sim_does("sleep 600")
    folder = board.folder(orphan_s=0.5)
    board.start(folder)
    runner = int((folder / "pids").read_text().split()[0])
    wait_until(lambda: not is_alive(runner))
    received = Received()
    assert (board.attach(folder, received), received.other[-1]["text"].strip()) == (
        protocol.EXIT_FAILED,
        "nobody was attached for 0.5 s",
    )


def test_a_killed_run_is_told_as_gone(board: Board) -> None:
    board.sim_does("sleep 600")
    folder = board.folder()
    board.start(folder)
    os.kill(int((folder / "pids").read_text().split()[0]), signal.SIGKILL)
    received = Received()
    assert (board.attach(folder, received), received.other[-1]["event"]) == (protocol.EXIT_FAILED, "gone")


def test_a_run_asked_to_end_takes_its_child_along(board: Board) -> None:
    board.sim_does("sleep 600")
    folder = board.folder()
    board.start(folder)
    wait_until(lambda: len((folder / "pids").read_text().splitlines()) == 2)
    runner, child = [int(line.split()[0]) for line in (folder / "pids").read_text().splitlines()]
    os.kill(runner, signal.SIGTERM)
    wait_until(lambda: not is_alive(child))


def test_the_folders_of_modes_are_gone_at_the_end(board: Board) -> None:
    board.run(modes=ALL)
    assert [path for path in board.root.glob("run-*/*") if path.is_dir()] == []


def test_clocks_are_fixed_for_the_run_and_restored(board: Board, tmp_path: Path) -> None:
    npu = tmp_path / "sys" / "class" / "devfreq" / "ffbc0000.npu"
    (npu / "userspace").mkdir(parents=True)
    files = {"governor": "simple_ondemand", "available_governors": "userspace simple_ondemand",
             "max_freq": "934000000", "userspace/set_freq": ""}  # fmt: skip
    for name, text in files.items():
        (npu / name).write_text(text)
    board.environment["LAYERWISE_SYSROOT"] = str(tmp_path)
    board.sim_does(f"cat {npu}/governor {npu}/userspace/set_freq > {tmp_path}/during")
    board.run(fix_clocks=True)
    assert ((tmp_path / "during").read_text(), (npu / "governor").read_text()) == (
        "userspace934000000",
        "simple_ondemand",
    )


def test_clocks_of_a_killed_run_are_restored_by_the_next_clean(board: Board, tmp_path: Path) -> None:
    cpu = tmp_path / "sys" / "devices" / "system" / "cpu" / "cpufreq" / "policy0"
    cpu.mkdir(parents=True)
    for name, text in {
        "scaling_governor": "ondemand",
        "scaling_available_governors": "ondemand performance",
    }.items():
        (cpu / name).write_text(text)
    board.environment["LAYERWISE_SYSROOT"] = str(tmp_path)
    board.sim_does("sleep 600")
    folder = board.folder(fix_clocks=True)
    board.start(folder)
    wait_until(lambda: (cpu / "scaling_governor").read_text() == "performance")
    board.ask("clean", "100")
    assert (cpu / "scaling_governor").read_text() == "ondemand"
