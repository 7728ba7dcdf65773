"""One run on the board, from job.json to result.json: each mode in its own child, then hashes."""

import hashlib
import json
import os
import re
import time

from boardagent import children, fences, npu, protocol, sysinfo

PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
SPARE_BYTES = 16 * 1024 * 1024


class RunFailed(Exception):
    """The run ends with a failure code of the site."""

    def __init__(self, code, message, detail=""):
        super().__init__(message)
        self.error = {
            "code": code,
            "message": protocol.plain(message),
            "detail": protocol.plain(detail)[-8000:],
        }


def run(root, folder, channel):
    """Do the job in `folder`; result.json holds the outcome, failures too. StaleFence when outrun."""
    job = read_job(folder)
    fences.advance(root, job["fence"])
    fences.end_leftovers(root, job["fence"] - 1)
    with fences.one_run(root):
        fences.record(folder, os.getpid())
        try:
            result = _carry_out(job, folder, channel)
        except RunFailed as failure:
            result = {"error": failure.error}
        except OSError as error:
            code = "board:disk-full" if error.errno in (27, 28, 122) else "board:agent-died"
            result = {"error": RunFailed(code, str(error)).error}
        _write_result(folder, result)


def read_job(folder):
    """job.json, checked. BadMessage when a field is missing or a file name leaves the folder."""
    with open(os.path.join(folder, "job.json"), "rb") as file:
        job = protocol.decode(file.read(protocol.MAX_LINE + 1))
    if job.get("schema") != 1 or job.get("kind") != "run" or not isinstance(job.get("fence"), int):
        raise protocol.BadMessage("job.json is not a run of schema 1")
    for field in ("artifact", "inputs"):
        if not PLAIN_NAME.match(str(job.get(field))):
            raise protocol.BadMessage("job.json: {} is not a plain file name".format(field))
    if not job.get("modes") or any(mode not in protocol.MODES for mode in job["modes"]):
        raise protocol.BadMessage("job.json: unknown modes")
    return job


def _carry_out(job, folder, channel):
    kind = npu.KINDS.get(job.get("npu"))
    if kind is None or not kind.is_here():
        raise RunFailed("board:npu-failed", "this board has no NPU of kind {}".format(job.get("npu")))
    _check_disk(job, folder)
    until = time.monotonic() + float(job.get("deadline_s", 300))
    before, result = sysinfo.fingerprint(folder), {}
    about = {"simulated": False}
    for done, mode in enumerate(job["modes"]):
        stage = {"name": mode, "done": done, "total": len(job["modes"])}
        channel.send("stage", **stage)
        report = _run_mode(kind, mode, folder, until=until, channel=channel, stage=stage)
        about.update(report.pop("npu", {}))
        result[mode] = report
    after = sysinfo.fingerprint(folder)
    before.update(about)
    after.update(about)
    result["fingerprint"] = {"before": before, "after": after}
    result["files"] = {name: _measure(os.path.join(folder, name)) for name in _files_of(result)}
    return result


def _check_disk(job, folder):
    """Outputs and dumps grow with what came in: refuse early when that would not fit several times."""
    arrived = sum(os.path.getsize(os.path.join(folder, job[field])) for field in ("artifact", "inputs"))
    needed = int(job.get("disk_bytes") or 4 * arrived + SPARE_BYTES)
    free = sysinfo.free_bytes(folder)
    if free < needed:
        raise RunFailed("board:disk-full", "{} bytes free, {} needed".format(free, needed))


def _run_mode(kind, mode, folder, *, until, channel, stage):
    out = os.path.join(folder, mode)
    os.mkdir(out)
    try:
        ended = children.run_child(
            kind.command(mode, folder, out),
            out,
            until=until,
            started=lambda pid: fences.record(folder, pid),
            is_unheard=lambda: channel.is_broken,
            beat=lambda: channel.send("stage", **stage),
        )
    except OSError as error:
        raise RunFailed("board:npu-failed", "the NPU program does not start: {}".format(error)) from error
    channel.log(ended.tail)
    return _move_up(_report_of(mode, out, ended), mode, folder, out)


def _report_of(mode, out, ended):
    if ended.reason == "timed-out":
        raise RunFailed("board:timed-out", "{} did not end in time".format(mode), ended.tail)
    if ended.reason == "unheard":
        raise RunFailed("board:link-lost", "the worker went away during {}".format(mode))
    try:
        with open(os.path.join(out, "report.json"), "rb") as file:
            report = protocol.decode(file.read(protocol.MAX_RESULT + 1), protocol.MAX_RESULT)
    except (OSError, protocol.BadMessage) as error:
        how = "signal {}".format(-ended.status) if ended.status < 0 else "status {}".format(ended.status)
        message = "{} ended with {}: {}".format(mode, how, error)
        raise RunFailed("board:npu-failed", message, ended.tail) from error
    if "error" in report:
        found = report["error"]
        code, message = str(found.get("code")), str(found.get("message"))
        raise RunFailed(code, "{}: {}".format(mode, message), str(found.get("detail", "")) or ended.tail)
    return report


def _move_up(report, mode, folder, out):
    """Move the files a mode left to the run's folder and name them after the mode."""
    for field in ("outputs", "dump"):
        if field in report:
            if not PLAIN_NAME.match(str(report[field])):
                raise RunFailed("board:npu-failed", "{} names a file outside its folder".format(mode))
            name = "{}-{}".format(mode, report[field])
            os.replace(os.path.join(out, report[field]), os.path.join(folder, name))
            report[field] = name
    return report


def _files_of(result):
    return [result[mode][field] for mode in protocol.MODES for field in ("outputs", "dump")
            if field in result.get(mode, {})]  # fmt: skip


def _measure(path):
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
            size += len(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _write_result(folder, result):
    part = os.path.join(folder, "result.json.part")
    with open(part, "w") as file:
        json.dump(result, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, os.path.join(folder, "result.json"))
