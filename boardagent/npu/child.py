"""The throw-away child, `npu-child KIND MODE FOLDER OUT`: loads the library, does one mode, leaves a report."""

import json
import os
import sys

from boardagent import libraryinfo, protocol, signs, tensorfile
from boardagent.npu import childlog, layerfiles, perftable, rknn1, rknn2, sequence, tensors, watch
from boardagent.npu.failures import NpuFailure
from boardagent.npu.runtime import COLLECT_PERF, Runtime

KINDS = {"rknn1": rknn1, "rknn2": rknn2}
GENERATIONS = {"rknn1": 1, "rknn2": 2}
MOST_EXECUTIONS = 100000


def main(arguments):
    """Do one mode in the folder OUT; 0 when a report was left, errors included."""
    kind, mode, folder, out = arguments
    signs.give()
    os.chdir(out)
    _leave_report(_report(kind, mode, folder))
    sys.stdout.flush()
    childlog.flush()
    watch.end_process(0)


def _report(kind, mode, folder):
    try:
        return Child(kind, folder).do(mode)
    except NpuFailure as failure:
        return _error(failure.code, str(failure))
    except MemoryError:
        return _error("board:no-memory", "the child ran out of memory")
    except Exception as error:  # whatever it is, the run needs a reason rather than a missing report
        return _error("board:npu-failed", "{}: {}".format(type(error).__name__, error))


def _error(code, message):
    said = childlog.tail()
    reason = childlog.vendors_reason(said)
    text = "{}: {}".format(message, reason) if reason and code == "board:rejected-artifact" else message
    return {"error": {"code": code, "message": protocol.plain(text)[:4000], "detail": said}}


def _leave_report(report):
    with open("report.json.part", "w") as file:
        json.dump(report, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace("report.json.part", "report.json")


def _hung(call, seconds):
    """On the watch's thread: the main one is inside the library and will not come back."""
    message = "{} did not come back within {:.0f} s".format(call, seconds)
    _leave_report(_error("board:npu-hung", message))
    watch.end_process(protocol.EXIT_FAILED)


class Child:
    """One mode of one job, with the library loaded."""

    def __init__(self, kind, folder):
        self.kind, self.folder = KINDS[kind], folder
        self.generation = GENERATIONS[kind]
        self.job = self._read_job()
        self.kind.prepare()
        path = self.kind.library()
        if path is None:
            raise NpuFailure(
                "board:npu-unavailable", "none of {} is here".format(", ".join(self.kind.LIBRARIES))
            )
        self.runtime = Runtime(path, self.generation, watch.Watch(_hung, self._most_s()))
        self.path = path

    def _read_job(self):
        try:
            with open(os.path.join(self.folder, "job.json"), "rb") as file:
                return protocol.decode(file.read(protocol.MAX_LINE + 1))
        except FileNotFoundError:
            return {}  # a probe has no job

    def _most_s(self):
        """What a single call may take: the job's `hang_s`, else nine tenths of what the whole run has."""
        return float(self.job.get("hang_s") or 0.9 * float(self.job.get("deadline_s") or 300))

    def do(self, mode):
        """The report of a mode."""
        modes = {
            "plain": self.plain,
            "timed": self.timed,
            "dump": self.dump,
            "sequence": self.sequence,
            "probe": self.probe,
        }
        found = modes[mode]()
        return dict(found, npu=self.about)

    def probe(self):
        """Loading is all that a probe wants. Without a context only the 1.7 library tells its version."""
        api, driver = self.runtime.versions()
        self._remember((api or libraryinfo.build_of(self.path) or "", driver))
        return {"library": self.path}

    def plain(self):
        """Warm-up, then every iteration's time by the runtime and by the wall; the last iteration's outputs."""
        session = self._open()
        counted, walls = [], []
        for execution in range(self._count("warmup", 2) + max(1, self._count("iterations", 20))):
            session.send_inputs()
            wall = session.run()
            outputs = session.fetch(self._raw(session))
            if execution >= self._count("warmup", 2):
                walls.append(wall)
                counted.append(session.run_us())
        self._save(session, outputs)
        iterations = walls if None in counted else counted
        return {
            "init_us": session.init_us,
            "iterations_us": iterations,
            "wall_us": walls,
            "outputs": "outputs.safetensors",
        }

    def timed(self):
        """One execution with the runtime's performance flag; its table as rows, `total_us` the run as a whole."""
        session = self._open(COLLECT_PERF)
        session.run()
        session.fetch()
        session.send_inputs()
        wall = session.run()
        session.fetch()
        text = session.perf_table()
        total = session.run_us() or wall
        if text is None:
            return {
                "total_us": total,
                "layers": [],
                "reason": "the runtime collected no layer times: its table is empty",
            }
        rows = perftable.parse_1(text) if self.generation == 1 else perftable.parse_2(text)
        if not rows:
            sys.stdout.write(text[:8000] + "\n")
            return {
                "total_us": total,
                "layers": [],
                "reason": "the runtime's table of layer times is not of a known form",
            }
        return {"total_us": total, "layers": rows}

    def dump(self):
        """One execution while the runtime writes every layer's result into the working folder."""
        session = self._open()
        session.run()
        self._save(session, session.fetch(self._raw(session)))
        found = {
            "format": self.kind.DUMP_FORMAT,
            "dumped": layerfiles.is_any_here(self.kind.LAYER_FILE, os.curdir),
        }
        if not found["dumped"]:
            found["reason"] = self.kind.NOT_DUMPED
        return found

    def sequence(self):
        """See sequence.checks; the job may name a file with a second input."""
        session, wanted = self._open(), self.job.get("sequence") or {}
        first = self._fed(session, "inputs")
        second = [sequence.other_input(one) for one in first]
        if wanted.get("second"):
            second = tensors.feed(
                session.inputs, os.path.join(self.folder, str(wanted["second"])), self._io()
            )
        found, session = sequence.checks(session, self._reopen, first, second, wanted)
        return {"checks": found}

    def _open(self, flags=0):
        session = self.runtime.open(os.path.join(self.folder, self.job["artifact"]), flags)
        self._remember(self.runtime.versions(session.context))
        session.set_inputs(self._fed(session, "inputs"))
        return session

    def _reopen(self, session):
        session.close()
        return self.runtime.open(os.path.join(self.folder, self.job["artifact"]))

    def _fed(self, session, field):
        return tensors.feed(session.inputs, os.path.join(self.folder, self.job[field]), self._io())

    def _io(self):
        return self.job.get("io") or {}

    def _raw(self, session):
        """Names of the outputs that the job wants as the NPU left them."""
        return {
            attr.name
            for attr in session.outputs
            if (self._io().get(attr.name) or {}).get("want_float") is False
        }

    def _count(self, field, usual):
        value = self.job.get(field, usual)
        return max(0, min(MOST_EXECUTIONS, int(value)))

    def _save(self, session, outputs):
        raw, entries, scales = self._raw(session), [], {}
        for name, attr, data in zip(tensors.names_of(session.outputs), session.outputs, outputs):
            entries.append((name, attr.type if attr.name in raw else "F32", attr.shape, data))
            if attr.name in raw and attr.scale is not None:
                scales[name] = {"scale": attr.scale, "zero_point": attr.zero_point}
        metadata = {"layerwise": "outputs/1"}
        if scales:
            metadata["quantization"] = json.dumps(scales, allow_nan=False, separators=(",", ":"))
        tensorfile.write("outputs.safetensors", entries, metadata)

    def _remember(self, versions):
        api, driver = versions
        self.about = {"simulated": "simulated" in api.lower(), "npu": api[:200], "npu_driver": driver[:200]}
