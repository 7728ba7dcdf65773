"""A private folder for one job, and the contract of what goes in and comes out (ARCHITECTURE.md, "Job
folder").

Whatever the child leaves in the folder is untrusted: results are read with bounds, and a path in them is a
plain file name.
"""

import json
import os
import re
import shutil
import signal
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dashboard.jobs.failures import FAILURES
from workers.child import Ended, Limits, run_child
from workers.errors import JobError, LeaseLost

RESULT_BYTES = 16 << 20
SEPARATOR = "~"
ALLOWED_BLAME = ("model:", "data:", "recipe:", "toolkit:", "import:")
LAST_LINES = 20


class JobFolder:
    """The folder of one job. As a context manager it is made at the start and deleted, with all that is in
    it, at the end.

    `log` grows with the child's cleaned output, which `on_log` sees as it comes, at most 2 MB a child.
    """

    def __init__(self, root: Path, label: str, on_log: Callable[[str], None] = lambda text: None) -> None:
        self.root = root
        self.label = re.sub(r"[^A-Za-z0-9_.-]", "-", label)[:100] or "job"
        self.log: list[str] = []
        self._on_log = on_log
        self._path: Path | None = None

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        self._path = Path(tempfile.mkdtemp(prefix=self.label + SEPARATOR, dir=self.root)).resolve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        delete(self.path)

    @property
    def path(self) -> Path:
        """The folder, mode 0700; only between the start and the end."""
        assert self._path is not None, "a job folder is used as a context manager"
        return self._path

    def add(self, name: str, source: Path) -> Path:
        """Copy `source` into the folder as `name`. A copy and no hard link: a child could write through the
        link into the store."""
        target = self.path / _plain(name)
        shutil.copyfile(source, target)
        return target

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Write job.json."""
        (self.path / "job.json").write_text(json.dumps({"schema": 1, **job}), encoding="utf-8")

    def run(
        self,
        argv: Sequence[str],
        *,
        limits: Limits,
        on_event: Callable[[dict[str, Any]], None],
        should_stop: Callable[[], bool],
        env: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run `argv` in the folder and return result.json.

        Raises JobError with the code that the child names in its result, or a toolkit:* code that says how
        it died; LeaseLost when `should_stop` said so.
        """
        last: deque[str] = deque(maxlen=LAST_LINES)

        def keep(text: str) -> None:
            self.log.append(text)
            self._on_log(text)
            last.append(text)

        ended = run_child(
            argv,
            folder=self.path,
            limits=limits,
            on_event=on_event,
            on_log=keep,
            should_stop=should_stop,
            env=env,
        )
        return self._result(ended, limits, list(last))

    def _result(self, ended: Ended, limits: Limits, last: list[str]) -> dict[str, Any]:
        if ended.reason != "exited":
            raise _stopped(ended, limits)
        written = (self.path / "result.json").exists()
        if written:
            result = self.read_result()
            if "error" in result:
                raise _named_error(result["error"])
        if ended.signal is not None or ended.status != 0 or not written:
            raise died(ended, last)
        return result

    def read_result(self) -> dict[str, Any]:
        """result.json as a dictionary. Raises what read_map raises."""
        return self.read_map("result.json", RESULT_BYTES)

    def read_map(self, name: str, most: int) -> dict[str, Any]:
        """The JSON object in a file of at most `most` bytes. Raises JobError toolkit:bad-result."""
        try:
            found = json.loads(self.read(name, most))
        except (ValueError, RecursionError) as error:
            raise JobError("toolkit:bad-result", f"{name} is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise JobError("toolkit:bad-result", f"{name} does not hold an object.")
        return found

    def read(self, name: str, most: int) -> bytes:
        """The bytes of a regular file right in the folder, at most `most` of them."""
        path = self.file(name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise JobError("toolkit:bad-result", f"{name} is larger than {most} bytes.")
        return data

    def file(self, name: object) -> Path:
        """The path of a non-empty regular file right in the folder that the child announced as `name`.

        Raises JobError toolkit:bad-result for anything else: a path, a link, a device, an empty or missing
        file.
        """
        try:
            path = self.path / _plain(name)
            facts = path.lstat()
        except (OSError, ValueError) as error:
            raise JobError(
                "toolkit:bad-result", f"The announced file {str(name)[:100]!r} is not there: {error}"
            ) from error
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            raise JobError("toolkit:bad-result", f"{name!r} is not an ordinary file.")
        if facts.st_size == 0:
            raise JobError("toolkit:bad-result", f"{name!r} is empty.")
        return path


def _plain(name: object) -> str:
    """`name` when it is a plain file name; ValueError when it could lead elsewhere."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", name):
        raise ValueError("not a plain file name")
    return name


def _stopped(ended: Ended, limits: Limits) -> Exception:
    """The failure for a child that we ended."""
    if ended.reason == "stopped":
        return LeaseLost("The job was cancelled or taken over.")
    code, detail = {
        "timed-out": ("timed-out", f"It ran longer than {limits.seconds:g} s."),
        "silent": ("timed-out", f"It wrote nothing for {limits.silence_seconds:g} s."),
        "memory": ("out-of-memory", f"It used more than {limits.memory_mb} MB."),
        "disk": ("disk-full", f"It wrote more than {limits.file_mb} MB."),
        "processes": ("crashed", f"It started more than {limits.processes} processes."),
    }.get(ended.reason, ("crashed", "The process that guards it was killed."))
    return JobError(f"toolkit:{code}", detail)


def died(ended: Ended, last: list[str]) -> JobError:
    """The failure for a child that ended by itself without a result; its last words tell memory and disk
    apart."""
    words = "\n".join(last)
    if ended.signal == signal.SIGXFSZ or re.search(r"File too large|No space left on device", words):
        return JobError("toolkit:disk-full", words)
    if re.search(r"MemoryError|std::bad_alloc|Cannot allocate memory|Unable to allocate", words):
        return JobError("toolkit:out-of-memory", words)
    if ended.signal == signal.SIGXCPU:
        return JobError("toolkit:timed-out", "It used up its processor time.")
    if ended.signal is not None:
        return JobError("toolkit:crashed", f"It was ended by {_signal_name(ended.signal)}.\n{words}".strip())
    if ended.status == 0:
        return JobError("toolkit:crashed", f"It ended without a result.\n{words}".strip())
    return JobError("toolkit:crashed", f"It ended with status {ended.status}.\n{words}".strip())


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _named_error(error: object) -> JobError:
    """The error that the child put into its result; a code that it may not use becomes toolkit:failed."""
    if not isinstance(error, dict):
        return JobError("toolkit:bad-result", "The error in result.json is not an object.")
    code = str(error.get("code", ""))
    detail = " ".join(str(error[part])[:4000] for part in ("message", "detail") if error.get(part))
    if code in FAILURES and code.startswith(ALLOWED_BLAME):
        return JobError(code, detail)
    return JobError("toolkit:failed", detail or code[:100])


def leftovers(root: Path, alive: Callable[[str], bool]) -> Iterator[Path]:
    """Job folders below `root` whose label no live job answers for: what a killed worker left behind."""
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        label, separator, _ = path.name.rpartition(SEPARATOR)
        if separator and path.is_dir() and not path.is_symlink() and not alive(label):
            yield path


def delete(folder: Path) -> None:
    """Delete `folder`, also where a child took its own rights away."""
    for path, names, _ in os.walk(folder):
        for name in names:
            inner = Path(path, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
