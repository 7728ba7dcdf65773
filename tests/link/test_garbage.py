"""A board that answers garbage: each lie has a test of its own, and none becomes a result, a crash or a bug of ours.

The agent here is a real process called python3 that follows the protocol but for one point.
"""

import sys
import time
from pathlib import Path

import pytest

from boardagent import tensorfile
from tests.link.artifacts import make_job
from workers.errors import JobError, Temporary
from workers.link.local import LocalLink
from workers.link.results import RunResult
from workers.link.session import BoardSession

AGENT = """
import hashlib, json, os, sys
ABOUT = {"version": 1, "python": "3.7", "machine": "armv7l", "kernel": "4.19", "disk_free_bytes": 10**12,
         "mem_available_kb": 10**6, "boot_id": "b", "npus": ["sim"], "fence": 0}
def say(**message):
    sys.stdout.write(json.dumps(message) + "\\n")
def header(about, size=0):
    text = json.dumps({"__metadata__": about, "t": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    return len(text).to_bytes(8, "little") + text.encode()
def run(folder):
    files = {"o.st": header({"layerwise": "outputs/1"}), "d.st": header({"layerwise": "dump/1"})}
    layer = {"key": "a", "name": "a", "op": "Conv", "target": "NN", "time_us": 1.0}
    result = {"plain": {"init_us": 1, "iterations_us": [1.0] * 4, "outputs": "o.st"},
              "timed": {"total_us": 2, "layers": [layer]}, "dump": {"dump": "d.st"},
              "fingerprint": {"before": {}, "after": {}}}
    end = {}
    BEFORE
    result.setdefault("files", {n: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()}
                                for n, d in files.items()})
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)
    text = json.dumps(result)
    AFTER
    with open(os.path.join(folder, "result.json"), "w") as out:
        out.write(text)
    say(**{"event": "end", "result": {"bytes": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}, **end})
verb = sys.argv[3]
if verb == "clean":
    HELLO
    say(event="clean", hello=ABOUT)
else:
    run(sys.argv[4])
"""

# What goes wrong -> where (in the greeting, before the files are described, after the result is text) and how.
LIES = {
    "no end": ("AFTER", "return"),
    "an end without a result": ("BEFORE", 'end["result"] = None'),
    "an end that is no JSON": ("AFTER", 'sys.stdout.write("{end}\\n"); return'),
    "an end nested too deeply": ("AFTER", 'sys.stdout.write("{\\"event\\":" + "[" * 30000 + "\\n"); return'),
    "a line without end": ("AFTER", 'sys.stdout.write("x" * 10**6)'),
    "a million lines": ("AFTER", 'sys.stdout.write("x\\n" * 10**6)'),
    "a hash of other bytes": ("BEFORE", 'end["result"] = {"bytes": 5, "sha256": "0" * 64}'),
    "a hash that is none": ("BEFORE", 'end["result"] = {"bytes": 5, "sha256": "zz"}'),
    "a negative length": ("BEFORE", 'end["result"] = {"bytes": -1, "sha256": "0" * 64}'),
    "a result that is a list": ("AFTER", 'text = "[]"'),
    "a result cut in the middle": ("AFTER", "text = text[:40]"),
    "a result nested too deeply": ("BEFORE", 'result["fingerprint"]["before"] = eval("[" * 30 + "]" * 30)'),
    "a key given twice": ("AFTER", 'text = text[:-1] + ", \\"plain\\": {}}"'),
    "a NaN time": ("BEFORE", 'result["plain"]["iterations_us"][0] = float("nan")'),
    "an infinite time": ("AFTER", 'text = text.replace("1.0", "1e999", 1)'),
    "a negative time": ("BEFORE", 'result["timed"]["total_us"] = -1'),
    "a time that is true": ("BEFORE", 'result["timed"]["total_us"] = True'),
    "a time that is text": ("BEFORE", 'layer["time_us"] = "1"'),
    "too few iterations": ("BEFORE", 'result["plain"]["iterations_us"].pop()'),
    "a mode left out": ("BEFORE", 'del result["timed"]'),
    "no layers": ("BEFORE", 'result["timed"]["layers"] = []'),
    "two layers of one key": ("BEFORE", 'result["timed"]["layers"].append(layer)'),
    "a name of a million characters": ("BEFORE", 'layer["name"] = "n" * 10**6'),
    "a file outside the folder": (
        "BEFORE",
        'result["files"] = {"../o.st": {"bytes": 1, "sha256": "0" * 64}}',
    ),
    "an absolute file": ("BEFORE", 'result["files"] = {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}}'),
    "a hundred files": ("BEFORE", 'files.update({"f%d" % n: b"" for n in range(100)})'),
    "a file that was not announced": ("BEFORE", 'result["dump"]["dump"] = "other.st"'),
    "a file that is not there": ("BEFORE", 'result["files"] = {"gone": {"bytes": 1, "sha256": "0" * 64}}'),
    "a file of a petabyte": ("BEFORE", 'result["files"] = {"o.st": {"bytes": 10**15, "sha256": "0" * 64}}'),
    "an empty tensor file": ("BEFORE", 'files["d.st"] = b""'),
    "a truncated tensor file": ("BEFORE", 'files["d.st"] = header({"layerwise": "dump/1"}, 100)'),
    "a picture instead of tensors": ("BEFORE", 'files["d.st"] = b"\\x89PNG\\r\\n\\x1a\\n" * 9'),
    "a tensor file of another kind": ("BEFORE", 'files["d.st"] = files["o.st"]'),
    "NPUs that are a number": ("HELLO", 'ABOUT["npus"] = 5'),
    "a fence that is text": ("HELLO", 'ABOUT["fence"] = "1"'),
    "no fingerprint": ("BEFORE", 'del result["fingerprint"]'),
    "a name with a NUL": ("BEFORE", 'layer["name"] = "a\\0"'),
    "a name that is half a letter": ("BEFORE", 'layer["name"] = "\\ud800"'),
    "a key with a NUL": ("BEFORE", 'result["fingerprint"]["before"] = {"\\0": 1}'),
    "a result of gigabytes": ("BEFORE", 'end["result"] = {"bytes": 2**33, "sha256": "0" * 64}'),
    "an error of an unknown kind": ("AFTER", 'text = json.dumps({"error": {"code": "model:empty"}})'),
    "an error that is a number": ("AFTER", 'text = json.dumps({"error": 3})'),
}


def visit(folder: Path, place: str = "", lie: str = "pass") -> RunResult:
    """Run a job with an agent that lies at one place."""
    for name in ("bin", "into"):
        (folder / name).mkdir()
    text = AGENT
    for marker in ("HELLO", "BEFORE", "AFTER"):
        text = text.replace(marker, lie if marker == place else "pass")
    agent = folder / "bin" / "python3"
    agent.write_text(f"#!{sys.executable}\n{text}")
    agent.chmod(0o755)
    given = {name: folder / name for name in ("artifact.onnx", "inputs.safetensors")}
    for path in given.values():
        tensorfile.write(str(path), [])
    link = LocalLink({"PATH": f"{folder / 'bin'}:/usr/bin:/bin"})
    session = BoardSession(link, str(folder / "work"))
    return session.run(make_job(), given, folder / "into", deadline_s=20, fence=1)


def test_without_a_lie_the_answer_is_believed(tmp_path: Path) -> None:
    result = visit(tmp_path)
    assert result.timed is not None
    assert result.timed.layers[0].target == "NN"


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_a_bad_answer(lie: str, tmp_path: Path) -> None:
    with pytest.raises(Temporary) as caught:
        visit(tmp_path, *LIES[lie])
    assert caught.value.code == "board:bad-answer"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os._exit(1)", "board:agent-died"),
        ("os.kill(os.getpid(), 9)", "board:agent-died"),
        ("sys.exit(69)", "board:no-python"),
        ('sys.exit("OSError: [Errno 28] No space left on device")', "board:disk-full"),
        ('text = json.dumps({"error": {"code": "board:npu-failed", "message": "-6"}})', "board:npu-failed"),
    ],
)
def test_an_agent_that_dies_is_told_by_how(end: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        visit(tmp_path, "AFTER", end)
    assert caught.value.code == code


def test_a_liar_is_found_out_soon(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(JobError):
        visit(tmp_path, *LIES["a million lines"])
    assert time.monotonic() - start < 5


def test_nothing_of_a_lie_is_left_on_the_board(tmp_path: Path) -> None:
    with pytest.raises(JobError):
        visit(tmp_path, *LIES["a NaN time"])
    assert not (tmp_path / "work" / "run-1").exists()
