"""Job folders: private, deleted, and suspicious of everything that a child leaves in them."""

import json
import os
import sys

import pytest

from tests.toolkits.networks import ignore, never
from workers.child import Limits
from workers.errors import JobError, LeaseLost
from workers.jobfolder import JobFolder, leftovers

RESULT = "open('result.json', 'w').write"


def run(folder: JobFolder, code: str, should_stop=never, **limits) -> dict:
    return folder.run(
        [sys.executable, "-I", "-c", code],
        limits=Limits(**{"seconds": 20, **limits}),
        on_event=ignore,
        should_stop=should_stop,
    )


def test_the_folder_is_private(folder):
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_the_folder_is_gone_afterwards(tmp_path):
    with JobFolder(tmp_path / "jobs", "run-7") as folder:
        (folder.path / "deep").mkdir(mode=0o000)
    assert list((tmp_path / "jobs").iterdir()) == []


def test_two_attempts_of_one_job_do_not_meet(tmp_path):
    with JobFolder(tmp_path, "run-7") as first, JobFolder(tmp_path, "run-7") as second:
        assert first.path != second.path


def test_the_store_cannot_be_written_through_an_input(folder, tmp_path):
    (tmp_path / "stored").write_text("fact")
    folder.add("model.onnx", tmp_path / "stored").write_text("forged")
    assert (tmp_path / "stored").read_text() == "fact"


def test_the_child_finds_its_job(folder):
    folder.write_job({"kind": "test"})
    code = f"import json; {RESULT}(json.dumps({{'kind': json.load(open('job.json'))['kind']}}))"
    assert run(folder, code) == {"kind": "test"}


FAULTS = {
    "segmentation fault": ("import os; os.kill(os.getpid(), 11)", {}, "toolkit:crashed"),
    "abort": ("import os; os.abort()", {}, "toolkit:crashed"),
    "status without a result": ("raise SystemExit(4)", {}, "toolkit:crashed"),
    "status in spite of a result": (f"{RESULT}('{{}}'); raise SystemExit(4)", {}, "toolkit:crashed"),
    "nothing written": ("pass", {}, "toolkit:crashed"),
    "hang": (
        "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)",
        {"seconds": 0.5},
        "toolkit:timed-out",
    ),
    "silence": ("import time; time.sleep(600)", {"silence_seconds": 0.5}, "toolkit:timed-out"),
    "processor time": ("while True: pass", {"cpu_seconds": 1}, "toolkit:timed-out"),
    "slow memory eater": (
        "import time\nx = []\nwhile True: x.append(bytearray(b'1' * 10_000_000)); time.sleep(0.005)",
        {"memory_mb": 200},
        "toolkit:out-of-memory",
    ),
    "one huge allocation": ("bytearray(64 << 30)", {"memory_mb": 200}, "toolkit:out-of-memory"),
    "disk filler": (
        "f = open('x', 'wb')\nwhile True: f.write(b'1' * 10_000_000)",
        {"file_mb": 20},
        "toolkit:disk-full",
    ),
    "fork bomb": (
        "import os, time\nfor i in range(200): os.fork() or time.sleep(600)\ntime.sleep(600)",
        {"processes": 30},
        "toolkit:crashed",
    ),
    "empty result": (f"{RESULT}('')", {}, "toolkit:bad-result"),
    "garbage": (f"{RESULT}('PNG')", {}, "toolkit:bad-result"),
    "a list": (f"{RESULT}('[]')", {}, "toolkit:bad-result"),
    "endless nesting": (f"{RESULT}('[' * 1_000_000)", {}, "toolkit:bad-result"),
    "too large a result": (f"{RESULT}('\"' + 'x' * (17 << 20) + '\"')", {}, "toolkit:bad-result"),
    "a link to elsewhere": (
        "import os; os.symlink('/etc/hostname', 'result.json')",
        {},
        "toolkit:bad-result",
    ),
    "an error that is no object": (f"{RESULT}('{{\"error\": 3}}')", {}, "toolkit:bad-result"),
    "an error with a made-up code": (
        f'{RESULT}(\'{{"error": {{"code": "model:haunted", "message": "boo"}}}}\')',
        {},
        "toolkit:failed",
    ),
    "an error that is not its business": (
        f'{RESULT}(\'{{"error": {{"code": "board:unreachable", "message": "boo"}}}}\')',
        {},
        "toolkit:failed",
    ),
    "a named error": (
        f'{RESULT}(\'{{"error": {{"code": "data:empty", "message": "none"}}}}\')',
        {},
        "data:empty",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_its_code(folder, name):
    code, limits, expected = FAULTS[name]
    with pytest.raises(JobError) as caught:
        run(folder, code, **limits)
    assert caught.value.code == expected


def test_a_gigabyte_of_log_does_not_hide_the_result(folder):
    code = (
        f"import sys\nfor i in range(1024): sys.stdout.write('x' * 1023 * 1024 + chr(10))\n{RESULT}('{{}}')"
    )
    assert run(folder, code, seconds=60) == {}


def test_the_last_words_are_in_the_detail(folder):
    with pytest.raises(JobError) as caught:
        run(folder, "raise RuntimeError('the tensor is upside down')")
    assert "the tensor is upside down" in caught.value.detail


def test_a_stopped_job_is_not_a_failed_one(folder):
    with pytest.raises(LeaseLost):
        run(folder, "import time; time.sleep(600)", lambda: True)


def leave_directory(path):
    path.mkdir()


def leave_link(path):
    path.symlink_to("/etc/hostname")


def leave_hard_link(path):
    (path.parent / "other").write_text("x")
    os.link(path.parent / "other", path)


def leave_pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize(
    "leave", [leave_directory, leave_link, leave_hard_link, leave_pipe, lambda path: path.touch()]
)
def test_only_ordinary_files_with_content_count(folder, leave):
    leave(folder.path / "artifact")
    with pytest.raises(JobError) as caught:
        folder.file("artifact")
    assert caught.value.code == "toolkit:bad-result"


@pytest.mark.parametrize(
    "name", ["../x", "/etc/hostname", "a/b", "", ".", "..", "a\0b", "a\nb", "-rf", None, 3, ["x"]]
)
def test_announced_paths_never_leave_the_folder(folder, name):
    with pytest.raises(JobError) as caught:
        folder.file(name)
    assert caught.value.code == "toolkit:bad-result"


def test_leftovers_are_the_folders_that_nobody_answers_for(tmp_path):
    made = [JobFolder(tmp_path, label).__enter__().path for label in ("run-1", "run-2")]
    (tmp_path / "unrelated").mkdir()
    assert list(leftovers(tmp_path, lambda label: label == "run-2")) == [made[0]]


def test_a_label_cannot_name_another_place(tmp_path):
    with JobFolder(tmp_path / "jobs", "../../x y~z") as folder:
        assert folder.path.parent == (tmp_path / "jobs").resolve()


def test_job_json_carries_the_schema(folder):
    folder.write_job({"kind": "test"})
    assert json.loads((folder.path / "job.json").read_text())["schema"] == 1
