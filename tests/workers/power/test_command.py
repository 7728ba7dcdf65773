"""A program that switches power: which ones are run, how they end, and that nothing of them is left."""

import os
import time
from pathlib import Path

import pytest

from workers.errors import JobError
from workers.power.command import KEPT_OUTPUT, run_program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    return allowed


def program(folder: Path, text: str, name: str = "plug", mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def refusal(folder: Path, *argv: str, seconds: float = 10) -> str:
    with pytest.raises(JobError) as refused:
        run_program(argv or ("plug",), folder, seconds)
    assert refused.value.code == "board:switch-failed"
    return refused.value.detail


def test_a_program_gets_its_arguments_as_they_are(folder: Path):
    program(folder, 'printf "%s|" "$@"')
    assert run_program(["plug", "a b", "$(id)", "; rm -rf /"], folder, 10) == "a b|$(id)|; rm -rf /|"


def test_a_program_learns_nothing_of_the_worker(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAYERWISE_SECRET_KEY", "hush")
    program(folder, "env")
    assert "hush" not in run_program(["plug"], folder, 10)


@pytest.mark.parametrize(
    "name", ["../plug", "/bin/sh", "", ".", "..", "-plug", "none", "a b", "plug\n", "p" * 200]
)
def test_only_plain_names_of_the_folder_are_run(folder: Path, name: str):
    program(folder, "true")
    program(folder.parent, "true")
    assert "There is no program" in refusal(folder, name)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder: Path):
    (folder / "plug").symlink_to("/bin/true")
    assert "There is no program" in refusal(folder)


def test_a_file_that_may_not_be_executed_is_not_run(folder: Path):
    program(folder, "true", mode=0o644)
    assert "may not be executed" in refusal(folder)


def test_a_program_that_everybody_may_write_is_not_run(folder: Path):
    program(folder, "true", mode=0o777)
    assert "written by everybody" in refusal(folder)


def test_a_bad_status_is_told_with_the_last_words(folder: Path):
    program(folder, "echo no such outlet >&2; exit 3")
    assert refusal(folder) == "plug ended with status 3. no such outlet"


def test_a_program_that_cannot_be_started_is_told(folder: Path):
    (folder / "plug").write_text("#!/no/such/interpreter\n")
    (folder / "plug").chmod(0o755)
    assert "cannot be started" in refusal(folder)


def test_a_program_that_does_not_end_is_ended_with_its_children(folder: Path, tmp_path: Path):
    program(folder, f"sleep 300 & echo $! > {tmp_path}/child; wait")
    told = refusal(folder, seconds=0.5)
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 5
    while _lives(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert (told, _lives(child)) == ("plug did not end within 0.5 seconds", False)


def test_a_child_that_keeps_the_output_open_is_not_waited_for(folder: Path):
    program(folder, "sleep 300 & echo done")
    began = time.monotonic()
    assert (run_program(["plug"], folder, 60), time.monotonic() - began < 30) == ("done", True)


def test_endless_output_is_thrown_away(folder: Path):
    program(folder, "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len(run_program(["plug"], folder, 30)) == KEPT_OUTPUT


def test_a_job_that_is_taken_away_ends_the_program(folder: Path):
    program(folder, "sleep 300")

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_program(["plug"], folder, 60, stop)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
