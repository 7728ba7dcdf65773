"""The product's job for RKNN-Toolkit2 with a watch on the vendor's calls; runs in the toolkit's interpreter.

`python -m tests.bench.toolkits.timed_job FOLDER` does what `-m workers.toolkits.rknn2_job FOLDER` does. Only the
vendor's class is wrapped: what happens between its calls is ours. Its import is the vendor's too, and comes first, so
that what both sides need is counted where the vendor alone would need it. Leaves timing.json in the folder.
"""

import json
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = (
    "config", "load_onnx", "hybrid_quantization_step1", "hybrid_quantization_step2", "build", "export_rknn",
    "accuracy_analysis", "release",
)  # fmt: skip


class Watch:
    """Wall and processor seconds of each of the vendor's calls."""

    def __init__(self) -> None:
        self.calls: dict[str, list[float]] = {}

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **settings: Any) -> Any:
            wall, processor = time.perf_counter(), time.process_time()
            try:
                return call(*args, **settings)
            finally:
                found = self.calls.setdefault(name, [0.0, 0.0])
                found[0] += time.perf_counter() - wall
                found[1] += time.process_time() - processor

        return act

    def wrap(self, api: Any) -> None:
        """Let the class be timed wherever it is made from now on."""
        timed = type("RKNN", (api.RKNN,), {name: self.timed(name, getattr(api.RKNN, name)) for name in CALLS})
        api.RKNN = self.timed("RKNN", timed)


def imported() -> Any:
    """The vendor's module."""
    import rknn.api

    return rknn.api


def main() -> None:
    watch, folder = Watch(), Path(sys.argv[1])
    watch.wrap(watch.timed("import", imported)())
    from workers.toolkits.onnxjob import framework, jobside

    own = Watch()
    framework.write_framework = own.timed("float network", framework.write_framework)
    jobside.run_job(runpy.run_module("workers.toolkits.rknn2_job")["convert"])
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {"calls": watch.calls, "own": own.calls, "peak_kb": peak_kb}
    (folder / "timing.json").write_text(json.dumps(told))
    jobside.leave()


if __name__ == "__main__":
    main()
