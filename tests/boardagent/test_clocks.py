"""Clocks held for a run and always given back, on a /sys made of files."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from boardagent import clocks, fences, sysinfo

NPU = "sys/class/devfreq/ffbc0000.npu"
POLICY = "sys/devices/system/cpu/cpufreq/policy0"
BEFORE = {
    f"{NPU}/governor": "simple_ondemand",
    f"{NPU}/available_governors": "userspace simple_ondemand",
    f"{NPU}/max_freq": "934000000",
    f"{NPU}/cur_freq": "200000000",
    f"{NPU}/userspace/set_freq": "200000000",
    f"{POLICY}/scaling_governor": "ondemand",
    f"{POLICY}/scaling_available_governors": "ondemand performance",
    "sys/class/devfreq/dmc/governor": "userspace",
    "sys/class/devfreq/dmc/available_governors": "userspace performance",
    "sys/class/devfreq/dmc/max_freq": "924000000",
    "sys/class/devfreq/dmc/userspace/set_freq": "328000000",
}
HELD = {
    f"{NPU}/governor": "userspace",
    f"{NPU}/userspace/set_freq": "934000000",
    f"{POLICY}/scaling_governor": "performance",
    "sys/class/devfreq/dmc/userspace/set_freq": "924000000",
}
GIVEN_BACK = {name: BEFORE[name] for name in HELD if name != f"{NPU}/userspace/set_freq"}
HOLDER = """
import signal, sys, time
sys.path.insert(0, sys.argv[1])
from boardagent import clocks
def leave(*_): raise SystemExit(143)
signal.signal(signal.SIGTERM, leave)
with clocks.fixed(sys.argv[2], True):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a /sys below it, and the work folder of an agent."""
    for name, text in BEFORE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("LAYERWISE_SYSROOT", str(tmp_path))
    return tmp_path


def now(board: Path, names: dict[str, str]) -> dict[str, str]:
    return {name: (board / name).read_text() for name in names}


def hold(board: Path) -> "subprocess.Popen[str]":
    """A process that holds the clocks."""
    words = [sys.executable, "-c", HOLDER, str(Path(clocks.__file__).parents[1]), str(board / "work")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.stdout.close()
    return process


def test_clocks_are_at_their_highest_during_a_run(board: Path) -> None:
    with clocks.fixed(str(board / "work"), True):
        assert now(board, HELD) == HELD


def test_it_is_said_that_they_were_held(board: Path) -> None:
    with clocks.fixed(str(board / "work"), True) as said:
        assert said == {"clocks_fixed": True, "clocks_refused": []}


def test_they_are_given_back(board: Path) -> None:
    with clocks.fixed(str(board / "work"), True):
        pass
    assert now(board, GIVEN_BACK) == GIVEN_BACK


def test_they_are_given_back_when_the_run_fails(board: Path) -> None:
    with pytest.raises(ZeroDivisionError), clocks.fixed(str(board / "work"), True):
        raise ZeroDivisionError
    assert now(board, GIVEN_BACK) == GIVEN_BACK


def test_a_run_that_does_not_ask_changes_nothing(board: Path) -> None:
    with clocks.fixed(str(board / "work"), False):
        assert now(board, BEFORE) == BEFORE


def test_a_clock_that_may_not_be_written_is_named(board: Path) -> None:
    (board / NPU / "userspace/set_freq").unlink()
    (board / NPU / "userspace").rmdir()
    with clocks.fixed(str(board / "work"), True) as said:
        assert said == {"clocks_fixed": False, "clocks_refused": [f"/{NPU}/userspace/set_freq"]}


def test_a_terminated_run_gives_them_back(board: Path) -> None:
    process = hold(board)
    process.terminate()
    process.wait(20)
    assert now(board, GIVEN_BACK) == GIVEN_BACK


def test_after_a_kill_the_next_clean_gives_them_back(board: Path) -> None:
    process = hold(board)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    fences.end_leftovers(str(board / "work"), 1)
    assert now(board, GIVEN_BACK) == GIVEN_BACK


def test_a_run_after_a_killed_one_still_knows_what_was_there_first(board: Path) -> None:
    process = hold(board)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    with clocks.fixed(str(board / "work"), True):
        pass
    assert now(board, GIVEN_BACK) == GIVEN_BACK


def test_notes_of_an_earlier_boot_are_dropped(board: Path) -> None:
    notes = {"boot_id": "another", "before": [[str(board / NPU / "governor"), "performance"]]}
    (board / "work" / clocks.NOTES).write_text(json.dumps(notes))
    clocks.restore(str(board / "work"))
    assert (now(board, BEFORE), (board / "work" / clocks.NOTES).exists()) == (BEFORE, False)


@pytest.mark.parametrize("notes", ["", "[]", "{", '{"before": 7}', '{"before": [["/etc/passwd", "x"]]}'])
def test_damaged_notes_change_nothing(board: Path, notes: str) -> None:
    (board / "work" / clocks.NOTES).write_text(notes)
    assert clocks.restore(str(board / "work")) == []


def test_the_fingerprint_of_such_a_run_says_so(board: Path) -> None:
    with clocks.fixed(str(board / "work"), True):
        during = sysinfo.fingerprint(str(board))["clocks_fixed"]
    assert (during, sysinfo.fingerprint(str(board))["clocks_fixed"]) == (True, False)


def test_a_machine_without_clocks_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERWISE_SYSROOT", str(tmp_path / "nothing"))
    with clocks.fixed(str(tmp_path), True) as said:
        assert said["clocks_fixed"] is False


def test_notes_are_on_the_disk_before_anything_changes(board: Path) -> None:
    with clocks.fixed(str(board / "work"), True):
        noted = json.loads((board / "work" / clocks.NOTES).read_text())["before"]
    assert [str(board / NPU / "governor"), "simple_ondemand"] in noted


def test_the_summary_is_read_by_its_heading(board: Path) -> None:
    path = board / clocks.SUMMARY.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text(
        "                                 enable  prepare  protect                                duty\n"
        "   clock                          count    count    count        rate   accuracy phase  cycle\n"
        "----------------------------------------------------------------------------------------------\n"
        " armclk                               1        1        0  1512000000          0     0  50000\n"
        "    clk_npu_np5                       2        3        0   934000000          0     0  50000\n"
    )
    assert clocks.summary() == {"armclk": 1512000000, "clk_npu_np5": 934000000}


def test_a_summary_of_an_older_kernel_is_read_too(board: Path) -> None:
    path = board / clocks.SUMMARY.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text(
        "   clock  enable_cnt  prepare_cnt\n   clock  count  count  rate  accuracy  phase\n dpll 1 1 924000000 0 0\n"
    )
    assert clocks.summary() == {"dpll": 924000000}
