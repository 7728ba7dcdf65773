"""One run on the board, from job.json to result.json: each mode in its own child; the journal tells it all."""

import json
import os
import re
import shutil
import sys
import time

from boardagent import attendance, children, clocks, fences, harvest, jobfile, npu, protocol, signs, sysinfo
from boardagent.journal import RESULT, Journal

SPARE_BYTES = 16 * 1024 * 1024
FULL_BYTES = (
    1024 * 1024
)  # with less, what a child wrote cannot be trusted: libraries rarely look whether it was kept
HARVEST_S = 0.2
FULL = (27, 28, 122)  # EFBIG, ENOSPC, EDQUOT
KEPT = ("agent.log", "journal.jsonl", "job.json", "pids")
IN_USE = re.compile(
    r"^([a-z]+-[0-9]{5}|running|attached|starting)"
)  # gathered files, as harvest.py names them, and locks


class RunFailed(Exception):
    """The run ends with a failure code of the site."""

    def __init__(self, code, message, detail=""):
        super().__init__(message)
        self.error = {
            "code": code,
            "message": protocol.plain(message)[:2000],
            "detail": protocol.plain(detail)[-8000:],
        }


class Forsaken(Exception):
    """Nobody has been attached for too long: the run ends itself."""


def run(root, folder, ready=lambda: None):
    """Do the job in `folder`; `ready` is called when its journal can be read. StaleFence when outrun.

    The journal ends with a result, failures too, unless nobody was there for it: then only words are left.
    """
    job = jobfile.read(folder)
    fences.advance(root, job["fence"])
    with attendance.running(folder):
        fences.record(folder, os.getpid())
        journal = Journal(folder)
        ready()
        try:
            result = _outcome(job, root, folder, journal)
        except Forsaken as reason:
            sys.stderr.write("{}\n".format(reason))
            _remove_files(folder)
            return
        _tell(result, folder, journal)


def _tell(result, folder, journal):
    """The end of the run. A full disk is made emptier first: the failure has to be told."""
    path = os.path.join(folder, RESULT)
    try:
        if "error" not in result:
            _write(path, result)
    except OSError as error:
        result = {"error": _of_system(error)}
    if "error" in result:
        if result["error"]["code"] == "board:disk-full":
            _remove_files(folder, but_used=True)
        _write(path, result)
    harvest.announce(journal, path, "result")
    journal.add("end")


def _outcome(job, root, folder, journal):
    try:
        _check_disk(job, folder)
        fences.end_leftovers(root, job["fence"] - 1)
        with fences.one_run(root), clocks.fixed(root, job.get("fix_clocks")):
            return Run(job, folder, journal).result()
    except RunFailed as failure:
        return {"error": failure.error}
    except (OSError, protocol.BadMessage) as error:
        return {"error": _of_system(error)}


def _of_system(error):
    code = "board:disk-full" if getattr(error, "errno", 0) in FULL else "board:agent-died"
    return RunFailed(code, "{}: {}".format(type(error).__name__, error)).error


def _check_disk(job, folder):
    """Outputs and dumps grow with what came in: refuse early when that would not fit several times."""
    arrived = sum(os.path.getsize(os.path.join(folder, job[field])) for field in ("artifact", "inputs"))
    needed = int(job.get("disk_bytes") or 4 * arrived + SPARE_BYTES)
    free = sysinfo.free_bytes(folder)
    if free < needed:
        raise RunFailed("board:disk-full", "{} bytes free, {} needed".format(free, needed))


class Run:
    """The modes of a job, one after the other."""

    def __init__(self, job, folder, journal):
        self._job, self._folder, self._journal = job, folder, journal
        self._until = time.monotonic() + float(job.get("deadline_s") or 300)
        self._attendance = attendance.Attendance(folder, jobfile.orphan_s(job))
        self._kind = npu.KINDS.get(job.get("npu"))
        self._gathered = 0.0

    def result(self):
        """The parts of every mode and the board's state before and after. Raises RunFailed, OSError, Forsaken."""
        if self._kind is None or not self._kind.is_here():
            message = "this board has no NPU of kind {}".format(self._job.get("npu"))
            raise RunFailed("board:npu-unavailable", message)
        before, result, about = sysinfo.fingerprint(self._folder), {}, {"simulated": False}
        modes = self._job["modes"]
        for done, mode in enumerate(modes):
            self._journal.add("stage", name=mode, done=done, total=len(modes))
            report = self._mode(mode)
            about.update(report.pop("npu", {}))
            result[mode] = report
        after = sysinfo.fingerprint(self._folder)
        before.update(about)
        after.update(about)
        result["fingerprint"] = {"before": before, "after": after}
        return result

    def _mode(self, mode):
        out = os.path.join(self._folder, mode)
        os.mkdir(out)
        crop = harvest.Harvest(self._kind, mode, self._folder, self._journal, self._check)
        try:
            ended = children.run_child(
                self._kind.command(mode, self._folder, out),
                out,
                environment=self._kind.environment(mode, self._job),
                started=lambda pid: fences.record(self._folder, pid),
                watch=lambda: self._watch(mode, crop),
                listener=signs.Listener() if self._kind.GIVES_SIGNS else None,
            )
        except children.CannotStart as error:
            raise RunFailed("board:npu-failed", str(error)) from error
        except signs.Silent as silence:
            raise _of_silence(silence, mode, out) from silence
        self._check_room(mode)
        self._journal.log(ended.tail)
        report = _report_of(self._kind, mode, out, ended)
        crop.gather(True)
        shutil.rmtree(out, ignore_errors=True)
        return _with_files(report, mode, crop)

    def _watch(self, mode, crop):
        self._check(mode)
        now = time.monotonic()
        if now >= self._gathered + HARVEST_S:  # not each time: looking takes time from what is measured
            self._check_room(mode)
            crop.gather(False)
            self._gathered = now

    def _check_room(self, mode):
        if sysinfo.free_bytes(self._folder) < FULL_BYTES:
            raise RunFailed("board:disk-full", "{} filled the disk".format(mode))

    def _check(self, mode=""):
        """Raises RunFailed at the deadline, Forsaken when nobody wants the result any more."""
        if time.monotonic() >= self._until:
            tail = children.tail(os.path.join(self._folder, mode, "log"))
            raise RunFailed("board:timed-out", "{} did not end in time".format(mode or "the run"), tail)
        if self._attendance.is_orphan():
            raise Forsaken("nobody was attached for {:g} s".format(jobfile.orphan_s(self._job)))


def _report_of(kind, mode, out, ended):
    """What the child says of its mode. RunFailed when it says nothing, or names an error."""
    try:
        report = _read_report(out)
    except (OSError, protocol.BadMessage) as error:
        how = "signal {}".format(-ended.status) if ended.status < 0 else "status {}".format(ended.status)
        code = kind.failure_of(ended.status, ended.tail)
        raise RunFailed(code, "{} ended with {}: {}".format(mode, how, error), ended.tail) from error
    if "error" in report:
        raise _of_report(report, mode, ended.tail)
    return report


def _read_report(out):
    with open(os.path.join(out, "report.json"), "rb") as file:
        return protocol.decode(file.read(protocol.MAX_RESULT + 1), protocol.MAX_RESULT)


def _of_report(report, mode, tail):
    found = report["error"] if isinstance(report["error"], dict) else {}
    detail = str(found.get("detail", "")) or tail
    return RunFailed(str(found.get("code")), "{}: {}".format(mode, found.get("message")), detail)


def _of_silence(silence, mode, out):
    """The failure of a silent child; what it reported itself before it fell silent says more: it names the call."""
    tail = children.tail(os.path.join(out, "log"))
    try:
        report = _read_report(out)
    except (OSError, protocol.BadMessage):
        report = {}
    if "error" in report:
        return _of_report(report, mode, tail)
    return RunFailed("board:npu-hung", "{}: {}".format(mode, silence), tail)


def _with_files(report, mode, crop):
    """The report with the names that the mode's files have by now; names it gave itself mean nothing any more."""
    report.pop("outputs", None)
    if crop.named("outputs"):
        report["outputs"] = crop.named("outputs")
    if mode == "dump":
        report.setdefault("format", "dump/1")
        if report["format"] == "dump/1":
            report["file"] = crop.named("dump")
        else:
            files = [(name, label) for name, role, label in crop.files if role == "layer"]
            report["files"] = [{"name": name, "label": label} for name, label in files]
            report["names"] = crop.named("names")
            report["dumped"] = bool(files)
    return report


def _write(path, result):
    with open(path + ".part", "w") as file:
        json.dump(result, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)


def _remove_files(folder, but_used=False):
    """Leave nothing but the few lines that say why, and what is still in use if that is wanted."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif name not in KEPT and not (but_used and IN_USE.match(name)):
            os.unlink(path)
