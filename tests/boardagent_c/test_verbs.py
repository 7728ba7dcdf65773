"""What the C agent says of itself and its board, and what it refuses."""

import json
import platform
from pathlib import Path

import pytest

from boardagent import protocol, sysinfo
from tests.boardagent_c.board import Board, Received


def test_it_introduces_itself_as_the_c_agent(board: Board) -> None:
    assert board.ask("hello")[1][0]["agent"] == "c"


def test_it_speaks_protocol_2(board: Board) -> None:
    assert board.ask("hello")[1][0]["version"] == 2


def test_it_has_no_python(board: Board) -> None:
    assert board.ask("hello")[1][0]["python"] == ""


def test_it_tells_of_the_kinds_of_npu_that_are_here(board: Board) -> None:
    assert board.ask("hello")[1][0]["npus"] == ["rknn1", "sim"]


def test_a_board_without_an_npu_says_so(board: Board) -> None:
    board.environment |= {"LAYERWISE_SIM_NPU": "", "LAYERWISE_RKNN_LIBRARY": str(board.root / "nothing.so")}
    assert board.ask("hello")[1][0]["npus"] == []


def test_machine_kernel_and_boot_are_those_of_this_machine(board: Board) -> None:
    hello = board.ask("hello")[1][0]
    here = (platform.machine(), platform.release(), sysinfo.text_of("/proc/sys/kernel/random/boot_id"))
    assert (hello["machine"], hello["kernel"], hello["boot_id"]) == here


def test_its_work_folder_is_where_it_lies(board: Board) -> None:
    board.ask("clean", "5")
    assert (board.root / "fence").read_text() == "5"


def test_another_work_folder_can_be_named(board: Board, tmp_path: Path) -> None:
    board.environment["LAYERWISE_ROOT"] = str(tmp_path)
    board.ask("clean", "5")
    assert (tmp_path / "fence").read_text() == "5"


@pytest.mark.parametrize("verb", [(), ("run", "x"), ("hello", "you"), ("attach", "x"), ("clean",)])
def test_a_verb_it_does_not_know_is_a_usage_error(board: Board, verb: tuple[str, ...]) -> None:
    assert board.ask(*verb)[0] == 2


def test_probe_loads_each_library_in_a_child_and_tells_the_version(board: Board) -> None:
    board.sim_does("""report='{"npu": {"npu": "none"}}'""")
    steps = [(step["npu"], step["name"], step["ok"]) for step in board.ask("probe")[1][:-1]]
    assert steps == [
        (kind, name, True) for kind in ("rknn1", "sim") for name in ("library", "load", "version")
    ]


def test_probe_says_which_library_does_not_load(board: Board) -> None:
    broken = board.root / "librknn_api.so"
    broken.write_bytes(b"no library")
    board.environment |= {"LAYERWISE_SIM_NPU": "", "LAYERWISE_RKNN_LIBRARY": str(broken)}
    load = board.ask("probe")[1][1]
    assert (load["ok"], load["text"].partition(":")[2][:14]) == (False, "npu-unavailabl")


def test_probe_leaves_nothing_behind(board: Board) -> None:
    board.ask("probe")
    assert list(board.root.glob("probe-*")) == []


def test_cleaning_removes_older_runs(board: Board) -> None:
    board.folder(3)
    assert board.ask("clean", "4")[1][0]["removed"] == ["run-3"]


def test_cleaning_does_not_follow_links_out_of_a_run(board: Board, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (board.folder(3) / "link").symlink_to(kept)
    board.ask("clean", "4")
    assert (kept / "file").exists()


BAD_JOBS: dict[str, bytes | dict[str, object]] = {
    "no JSON": b"{",
    "an array": b"[]",
    "nothing": b"",
    "another schema": {"schema": 1},
    "another kind": {"kind": "convert"},
    "no fence": {"fence": "1"},
    "a path": {"artifact": "../a"},
    "no modes": {"modes": []},
    "an unknown mode": {"modes": ["fast"]},
    "a mode twice": {"modes": ["plain", "plain"]},
    "too many iterations": {"iterations": 10**9},
    "a text for a number": {"warmup": "2"},
    "a negative time": {"deadline_s": -1},
    "an unknown type": {"io": {"x": {"type": "f128"}}},
    "too deep": {"x": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]},
    "a NUL": b'{"run": "\\u0000"}',
    "half a pair": b'{"run": "\\ud800"}',
    "no UTF-8": b'{"run": "\xff"}',
    "a key twice": b'{"a": 1, "a": 2}',
    "too long": b'{"run": "' + b"x" * 70000 + b'"}',
    "not a number": b'{"fence": NaN}',
    "endless": b'{"fence": 1e999}',
}


@pytest.mark.parametrize("change", BAD_JOBS.values(), ids=BAD_JOBS)
def test_a_job_that_is_none_is_refused(board: Board, change: bytes | dict[str, object]) -> None:
    folder = board.folder()
    job = folder / "job.json"
    job.write_bytes(
        change if isinstance(change, bytes) else json.dumps(json.loads(job.read_text()) | change).encode()
    )
    status, _, complaint = board.ask("start", str(folder))
    assert (status, "job.json" in complaint) == (protocol.EXIT_FAILED, True)


def test_a_folder_without_a_job_is_refused(board: Board) -> None:
    folder = board.folder()
    (folder / "job.json").unlink()
    assert board.ask("start", str(folder))[0] == protocol.EXIT_FAILED


def test_starting_again_does_nothing(board: Board) -> None:
    folder = board.folder()
    board.start(folder)
    board.start(folder)
    board.attach(folder, Received())
    assert (folder / "journal.jsonl").read_text().count('"stage"') == 1


def test_a_fingerprint_has_every_field_of_the_python_agents(board: Board) -> None:
    before = board.run().result()["fingerprint"]["before"]
    assert set(sysinfo.fingerprint(str(board.root))) - set(before) == set()


def test_a_fingerprint_names_the_c_agent_and_no_python(board: Board) -> None:
    before = board.run().result()["fingerprint"]["before"]
    assert (before["agent"], before["python"]) == ("c", None)


def test_the_vendors_files_are_named_by_their_md5(board: Board, tmp_path: Path) -> None:
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "libGAL.so").write_bytes(b"x" * 70_001)
    board.environment["LAYERWISE_SYSROOT"] = str(tmp_path)
    before = board.run().result()["fingerprint"]["before"]
    assert before["libraries"] == {"/usr/lib/libGAL.so": "841af094691b0b16cc411652b4d216c0"}


def test_a_runtime_is_named_wherever_it_may_be_loaded_from(board: Board, tmp_path: Path) -> None:
    (tmp_path / "oem/usr/lib").mkdir(parents=True)
    (tmp_path / "oem/usr/lib/librknn_api.so").write_bytes(b"elsewhere")
    board.environment["LAYERWISE_SYSROOT"] = str(tmp_path)
    before = board.run().result()["fingerprint"]["before"]
    assert list(before["libraries"]) == ["/oem/usr/lib/librknn_api.so"]


def test_a_librarys_build_string_is_found(board: Board, tmp_path: Path) -> None:
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    build = b"1.7.5 (ccb93f1 build: 2023-07-18 10:56:29 base: 1131)"
    (tmp_path / "usr" / "lib" / "librknn_runtime.so").write_bytes(b"\0" * 65_520 + build + b"\0")
    board.environment["LAYERWISE_SYSROOT"] = str(tmp_path)
    before = board.run().result()["fingerprint"]["before"]
    assert before["builds"] == {"/usr/lib/librknn_runtime.so": build.decode()}
