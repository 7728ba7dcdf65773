"""A board that answers garbage: each lie has a test of its own, and none becomes a result, a crash or a bug of ours."""

import random
import time
from pathlib import Path

import pytest

from tests.link.liar import told, visit, visit_with
from workers.errors import JobError, Temporary
from workers.link.results import LayerFiles

# What goes wrong -> where (see liar.py) and how.
LIES = {
    "no end": ("LAST", "out.flush(); os._exit(0)"),
    "an end without a result": ("BEFORE", 'add("end"); return'),
    "an entry that is no JSON": ("AFTER", 'out.write(b"{end}\\n"); return'),
    "an entry nested too deeply": ("AFTER", "out.write(b'{\"event\":' + b'[' * 30000 + b'\\n'); return"),
    "a line without end": ("AFTER", 'out.write(b"x" * 10**6)'),
    "a million lines": ("AFTER", 'out.write(b"x\\n" * 10**6)'),
    "a million beats": ("AFTER", 'out.write(b"{\\"event\\": \\"beat\\"}\\n" * 10**6)'),
    "an entry left out": ("AFTER", "globals().update(entry=entry + 1)"),
    "an entry twice": ("AFTER", "globals().update(entry=entry - 1)"),
    "an entry that is true": ("BEFORE", 'say(event="log", text="", entry=True)'),
    "an entry that is text": ("BEFORE", 'say(event="log", text="", entry="1")'),
    "a hash of other bytes": ("BEFORE", 'send("x.st", b"1", sha256="0" * 64)'),
    "a hash that is none": ("BEFORE", 'send("x.st", b"1", sha256="zz")'),
    "a negative length": ("BEFORE", 'send("x.st", b"1", bytes=-1)'),
    "a file of a petabyte": ("BEFORE", 'send("x.st", b"1", bytes=10**15)'),
    "files of more than a run may have": (
        "BEFORE",
        'add("file", name="x", bytes=2**33 + 1, sha256="0" * 64)',
    ),
    "a result of gigabytes": ("BEFORE", 'send("result.json", b"1", bytes=2**33)'),
    "a file outside the folder": ("BEFORE", 'send("../o.st", b"1")'),
    "an absolute file": ("BEFORE", 'send("/etc/passwd", b"1")'),
    "a hidden file": ("BEFORE", 'send(".x.st.part", b"1")'),
    "a file with a NUL in its name": ("BEFORE", 'send("x\\0", b"1")'),
    "a file without a name": ("BEFORE", "send(None, b'1')"),
    "a file twice": ("BEFORE", 'send("o.st", b"1")'),
    "a file behind the result": ("LAST", 'send("late.st", b"1")'),
    "a file that ends early": (
        "BEFORE",
        'add("file", name="x", bytes=9, sha256="0" * 64); add("log", text="")',
    ),
    "more bytes than announced": ("BLOCKS", 'block(number, 0, data + b"1")'),
    "a block behind the end of a file": ("AFTER", 'block(entry - 1, 300, b"1")'),
    "a block that nobody waits for": ("BEFORE", 'block(1, 0, b"1")'),
    "a block at another place": ("BLOCKS", "block(number, 5, data)"),
    "a block of another entry": ("BLOCKS", "block(number + 1, 0, data)"),
    "a block without bytes": ("BLOCKS", 'block(number, 0, b"")'),
    "a block larger than any may be": ("BLOCKS", 'block(number, 0, b"1", plain=2**20)'),
    "a block stored larger than any may be": ("BLOCKS", 'block(number, 0, data, "zlib", bytes(2**20))'),
    "a block that is negative": ("BLOCKS", "block(number, 0, data, stored=None, plain=-5)"),
    "a block that breaks off": ("BLOCKS", "block(number, 0, data, stored=b'', **{'plain': 9}); os._exit(0)"),
    "a raw block of another length": ("BLOCKS", "block(number, 0, data, stored=data[1:])"),
    "a block packed in an unknown way": ("BLOCKS", 'block(number, 0, data, "lzma")'),
    "a block that is not packed": ("BLOCKS", 'block(number, 0, data, "zlib")'),
    "a block packed with more behind it": (
        "BLOCKS",
        'block(number, 0, data, "zlib", zlib.compress(data) + b"1")',
    ),
    "a block cut while it was packed": ("BLOCKS", 'block(number, 0, data, "zlib", zlib.compress(data)[:-1])'),
    "a block that unpacks to too much": (
        "BLOCKS",
        'block(number, 0, data, "zlib", zlib.compress(bytes(10**8)))',
    ),
    "a stage that is a list": ("BEFORE", 'add("stage", name=[], done=0, total=1)'),
    "a stage of many": ("BEFORE", 'add("stage", name="x", done=0, total=10**9)'),
    "a log of a megabyte": ("BEFORE", 'add("log", text="x" * 50000)'),
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
    "too few wall times": ("BEFORE", 'result["plain"]["wall_us"] = [1]'),
    "a mode left out": ("BEFORE", 'del result["timed"]'),
    "no layers": ("BEFORE", 'result["timed"]["layers"] = []'),
    "two layers of one key": ("BEFORE", 'result["timed"]["layers"].append(layer)'),
    "a name of a million characters": ("BEFORE", 'layer["name"] = "n" * 10**6'),
    "a dump of an unknown format": ("BEFORE", 'result["dump"]["format"] = "pickle"'),
    "a file that was not announced": ("BEFORE", 'result["dump"]["file"] = "other.st"'),
    "a layer file that was not announced": (
        "BEFORE",
        'result["dump"] = {"format": "nn-layer-dump", "files": [{"name": "../x", "label": ""}], "names": None}',
    ),
    "a list of names that was not announced": (
        "BEFORE",
        'result["dump"] = {"format": "nn-layer-dump", "files": [], "names": "other.txt"}',
    ),
    "a layer file listed twice": (
        "BEFORE",
        'row = {"name": "o.st", "label": ""}; '
        'result["dump"] = {"format": "nn-layer-dump", "files": [row, row], "names": None}',
    ),
    "an empty tensor file": ("BEFORE", 'files["d.st"] = b""'),
    "a truncated tensor file": ("BEFORE", 'files["d.st"] = files["d.st"][:-1]'),
    "a picture instead of tensors": ("BEFORE", 'files["d.st"] = b"\\x89PNG\\r\\n\\x1a\\n" * 9'),
    "a tensor file of another kind": ("BEFORE", 'files["d.st"] = files["o.st"]'),
    "NPUs that are a number": ("HELLO", 'ABOUT["npus"] = 5'),
    "an agent of an unknown kind": ("HELLO", 'ABOUT["agent"] = "x"'),
    "a fence that is text": ("HELLO", 'ABOUT["fence"] = "1"'),
    "no answer to start": ("START", "os._exit(0)"),
    "no fingerprint": ("BEFORE", 'del result["fingerprint"]'),
    "a name with a NUL": ("BEFORE", 'layer["name"] = "a\\0"'),
    "a name that is half a letter": ("BEFORE", 'layer["name"] = "\\ud800"'),
    "a key with a NUL": ("BEFORE", 'result["fingerprint"]["before"] = {"\\0": 1}'),
    "an error of an unknown kind": ("AFTER", 'text = json.dumps({"error": {"code": "model:empty"}})'),
    "an error that is a number": ("AFTER", 'text = json.dumps({"error": 3})'),
}


def test_without_a_lie_the_answer_is_believed(tmp_path: Path) -> None:
    result = visit(tmp_path)
    assert result.timed is not None
    assert result.timed.layers[0].target == "NN"


def test_a_packed_block_is_believed(tmp_path: Path) -> None:
    packed = 'block(number, 0, data, "zlib", zlib.compress(data)); return'
    assert visit(tmp_path, "BLOCKS", packed).dump is not None


def test_layers_that_could_not_be_timed_are_no_lie_when_it_is_said_why(tmp_path: Path) -> None:
    timed = visit(tmp_path, "BEFORE", 'result["timed"].update(layers=[], reason="precompiled")').timed
    assert timed is not None
    assert timed.reason == "precompiled"


def test_layers_that_could_not_be_dumped_are_no_lie(tmp_path: Path) -> None:
    dump = '{"format": "nn-layer-dump", "files": [], "names": None, "dumped": False, "reason": "precompiled"}'
    found = visit(tmp_path, "BEFORE", f'result["dump"] = {dump}').dump
    assert isinstance(found, LayerFiles)
    assert (found.is_dumped, found.reason) == (False, "precompiled")


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_a_bad_answer(lie: str, tmp_path: Path) -> None:
    with pytest.raises(Temporary) as caught:
        visit(tmp_path, *LIES[lie])
    assert caught.value.code == "board:bad-answer", caught.value.detail


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os._exit(1)", "board:agent-died"),
        ("os.kill(os.getpid(), 9)", "board:link-lost"),
        ('say(event="gone", text="killed"); out.flush(); os._exit(70)', "board:agent-died"),
        ("sys.exit(69)", "board:no-python"),
        ('sys.exit("OSError: [Errno 28] No space left on device")', "board:disk-full"),
        ('text = json.dumps({"error": {"code": "board:npu-failed", "message": "-6"}})', "board:npu-failed"),
    ],
)
def test_an_agent_that_dies_is_told_by_how(end: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        visit(tmp_path, "AFTER", end)
    assert caught.value.code == code


DIE = "out.flush(); os.kill(os.getpid(), 9)"


def test_a_board_that_started_anew_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Temporary) as caught:
        visit_with(tmp_path, told(BLOCKS=DIE, AGAIN='ABOUT["boot_id"] = "c"'), is_resumed=True)
    assert caught.value.code == "board:rebooted"


def test_a_board_that_only_ever_breaks_off_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(Temporary) as caught:
        visit_with(tmp_path, told(BLOCKS=DIE, RESUMED=DIE), is_resumed=True)
    assert caught.value.code == "board:link-lost"


def test_another_file_than_before_is_a_bad_answer(tmp_path: Path) -> None:
    other = 'say(event="file", entry=1, name="z", bytes=1, sha256="0" * 64); return'
    with pytest.raises(Temporary, match="another file than before"):
        visit_with(tmp_path, told(BLOCKS=DIE, RESUMED=other), is_resumed=True)


def test_a_file_that_is_told_of_again_counts_once(tmp_path: Path) -> None:
    most = 'say(event="file", entry=1, name="x", bytes=2**33 - 1, sha256="0" * 64); '
    with pytest.raises(Temporary) as caught:
        visit_with(tmp_path, told(BEFORE=most + DIE, RESUMED=most + DIE), is_resumed=True)
    assert caught.value.code == "board:link-lost", caught.value.detail


def test_a_board_that_lost_the_agent_when_it_started_anew_is_told_apart(tmp_path: Path) -> None:
    lose = "os.unlink(sys.argv[2]); " + DIE
    missing = 'if not os.path.exists(sys.argv[2]): sys.exit(2)\n    ABOUT["boot_id"] = "c"'
    with pytest.raises(Temporary) as caught:
        visit_with(tmp_path, told(BLOCKS=lose, AGAIN=missing), is_resumed=True)
    assert caught.value.code == "board:rebooted"


def test_a_liar_is_found_out_soon(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(JobError):
        visit(tmp_path, *LIES["a million lines"])
    assert time.monotonic() - start < 5


def test_nothing_that_is_not_whole_is_kept(tmp_path: Path) -> None:
    with pytest.raises(JobError):
        visit(tmp_path, *LIES["more bytes than announced"])
    assert list((tmp_path / "into").iterdir()) == []


NAMED = {
    "board:bad-answer", "board:agent-died", "board:link-lost", "board:disk-full", "board:no-python",
    "board:timed-out",
}  # fmt: skip
FLOOD = """
import os, random, sys
verb = sys.argv[3] if sys.argv[1] == "-I" else ""
if verb == "":
    sys.exit(0)
if verb == "clean":
    print('{"event": "clean", "hello": {"version": 2, "agent": "c", "python": "", "machine": "m", "kernel": "k", '
          '"disk_free_bytes": 1000000000, "boot_id": "b", "npus": [], "fence": 0, "compressions": []}}')
    sys.exit(0)
if verb == "start":
    print('{"event": "started"}')
    sys.exit(0)
chance = random.Random(SEED)
words = [b'{"event": "file", "entry": 0, "name": "a", "bytes": 5, "sha256": "' + b"0" * 64 + b'"}', b"{", b"\\xff\\xfe",
         b'{"event": "block", "entry": 0, "offset": 0, "plain": 5, "stored": 5, "method": "raw"}', b"hello", b"\\0" * 9,
         b'{"event": "end", "entry": 0}', b'{"event": "end", "entry": 1}', b'{"event": "beat"}', b"12345", b"[1]",
         b'{"event": "log", "entry": 0, "text": 7}', b'{"entry": {}}', b'{"event": "gone", "text": []}',
         b'{"a": 1e999}', b"null",
         b'{"event": "block"}', b'{"event": "file", "entry": 0}',
         b'{"event": "gone", "text": "gone"}', bytes(range(256))]
for _ in range(chance.randrange(40)):
    sys.stdout.buffer.write(chance.choice(words) + b"\\n" * (chance.random() < 0.8))
sys.stdout.flush()
sys.exit(chance.choice([0, 0, 1, 2, 69, 70, 255]))
"""


@pytest.mark.parametrize("tens", range(20))
def test_random_answers_are_named_failures(tens: int, tmp_path: Path) -> None:
    codes = set()
    for seed in range(10 * tens, 10 * tens + 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with pytest.raises(JobError) as caught:
            visit_with(folder, FLOOD.replace("SEED", str(seed)))
        codes.add(caught.value.code)
    assert codes <= NAMED


@pytest.mark.parametrize("seed", range(12))
def test_a_mutant_of_an_honest_answer_is_a_result_or_a_named_failure(seed: int, tmp_path: Path) -> None:
    """One byte of what `attach` says is another one; what is believed then says nothing wrong that was checked."""
    chance = random.Random(seed)
    where, what = chance.random(), chance.randrange(256)
    text = (
        told()
        .replace("\nout.flush()", f"\nmutate({where}, {what})")
        .replace("sys.stdout.buffer", "__import__('io').BytesIO()")
    )
    text = text.replace("\nverb =", MUTATE + "\nverb =")
    try:
        result = visit_with(tmp_path, text)
    except JobError as error:
        assert error.code in NAMED
    else:
        assert result.plain is not None


MUTATE = """
def mutate(where, what):
    data = bytearray(out.getvalue())
    if verb == "attach":
        data[int(where * len(data))] = what
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""
