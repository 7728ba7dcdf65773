"""An agent that follows protocol 2 but for one point: a real process called python3, over a link to this machine."""

import sys
from pathlib import Path

from boardagent import tensorfile
from tests.link.artifacts import make_job
from workers.link.local import LocalLink
from workers.link.results import RunResult
from workers.link.session import BoardSession

AGENT = """
import hashlib, json, os, sys, zlib
ABOUT = {"version": 2, "agent": "python", "python": "3.7", "machine": "armv7l", "kernel": "4.19",
         "disk_free_bytes": 10**12, "mem_available_kb": 10**6, "boot_id": "b", "npus": ["sim"], "fence": 0,
         "compressions": ["zlib"]}
out, entry = sys.stdout.buffer, 0
def say(**message):
    out.write(json.dumps(message).encode() + b"\\n")
def add(event, **fields):
    global entry
    say(event=event, entry=entry, **fields)
    entry += 1
def header(about, size=0):
    text = json.dumps({"__metadata__": about, "t": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    return len(text).to_bytes(8, "little") + text.encode() + bytes(size)
def block(number, offset, data, method="raw", stored=None, **changes):
    stored = data if stored is None else stored
    say(**dict({"event": "block", "entry": number, "offset": offset, "plain": len(data), "stored": len(stored),
                "method": method}, **changes))
    out.write(stored)
def send(name, data, **changes):
    number = entry
    about = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "role": "x", "label": ""}
    add("file", **dict(about, name=name, **changes))
    BLOCKS
    for start in range(0, len(data), 100):
        block(number, start, data[start : start + 100])
def attach(folder):
    files = {"o.st": header({"layerwise": "outputs/1"}), "d.st": header({"layerwise": "dump/1"}, 300)}
    layer = {"key": "a", "name": "a", "op": "Conv", "target": "NN", "time_us": 1.0}
    result = {"plain": {"init_us": 1, "iterations_us": [1.0] * 4, "outputs": "o.st"},
              "timed": {"total_us": 2, "layers": [layer]}, "dump": {"format": "dump/1", "file": "d.st"},
              "fingerprint": {"before": {}, "after": {}}}
    if sys.argv[5] != "0":
        RESUMED
    add("stage", name="plain", done=0, total=1)
    BEFORE
    for name, data in files.items():
        send(name, data)
    text = json.dumps(result)
    AFTER
    send("result.json", text.encode())
    LAST
    add("end")
verb = sys.argv[3] if sys.argv[1] == "-I" else ""
if verb == "clean":
    HELLO
    say(event="clean", hello=ABOUT)
elif verb == "hello":
    AGAIN
    say(event="hello", **ABOUT)
elif verb == "start":
    START
    say(event="started")
elif verb == "attach":
    attach(sys.argv[4])
elif verb == "":
    sys.exit(0)  # the look for a usable Python: it is one
out.flush()
"""
MARKERS = ("HELLO", "AGAIN", "RESUMED", "START", "BLOCKS", "BEFORE", "AFTER", "LAST")


def write_agent(folder: Path, text: str) -> LocalLink:
    """A link to this machine with the program as its python3."""
    (folder / "bin").mkdir()
    agent = folder / "bin" / "python3"
    agent.write_text(f"#!{sys.executable}\n{text}")
    agent.chmod(0o755)
    return LocalLink({"PATH": f"{folder / 'bin'}:/usr/bin:/bin"})


def told(**lies: str) -> str:
    """The agent with a lie at each of these places."""
    text = AGENT
    for marker in MARKERS:
        text = text.replace(marker, lies.get(marker, "pass"))
    return text


def visit_with(folder: Path, text: str, *, is_resumed: bool = False) -> RunResult:
    """Run a job with this program as the agent."""
    link = write_agent(folder, text)
    (folder / "into").mkdir()
    given = {name: folder / name for name in ("artifact.onnx", "inputs.safetensors")}
    for path in given.values():
        tensorfile.write(str(path), [])
    again = (lambda: link) if is_resumed else None
    session = BoardSession(link, str(folder / "work"), silence_s=5, reconnect=again, resume_s=1.0)
    return session.run(make_job(), given, folder / "into", deadline_s=20, fence=1)


def visit(folder: Path, place: str = "", lie: str = "pass") -> RunResult:
    """Run a job with an agent that lies at one place."""
    return visit_with(folder, told(**{place: lie}))
