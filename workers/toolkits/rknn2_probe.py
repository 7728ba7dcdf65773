"""What this RKNN-Toolkit2 can do: its own config() is asked for each platform, data type and algorithm.

Formats of sources that need a package beside it are offered where that can be imported.

Runs in a limited child in the toolkit's own interpreter: `python -P -m workers.toolkits.rknn2_probe FOLDER`. Contract:
ARCHITECTURE.md, "Toolkit job `probe`". A toolkit that cannot be imported or constructed ends it with toolkit:failed.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workers.toolkits.onnxjob.jobside import Refused, run_job
from workers.toolkits.rknn1job.packages import formats_with_packages
from workers.toolkits.rknn2job.calls import done

FLOAT = "float"  # a build without quantization: config() is not told of a data type


def probe(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Of the words in the job, those that the toolkit takes, and its version."""
    from rknn.api import RKNN

    rknn = RKNN(verbose=False)
    dtypes = {
        platform: [dtype for dtype in kinds if _takes(rknn, platform, dtype)]
        for platform, kinds in job["dtypes"].items()
    }
    algorithms = {
        kind: [word for word in words if _takes_somewhere(rknn, dtypes, kind, word)]
        for kind, words in job["algorithms"].items()
    }
    rknn.release()
    found = version("rknn-toolkit2")
    title = f"rknn-toolkit2 {found}"
    formats = formats_with_packages(job["formats"], job["needs"])
    words = {"dtypes": dtypes, "algorithms": algorithms, "formats": formats}
    return {"version": found, "title": title, **words}


def _takes_somewhere(rknn: Any, dtypes: Mapping[str, Sequence[str]], kind: str, algorithm: str) -> bool:
    """On some platform that has the data type?"""
    having = [platform for platform, kinds in dtypes.items() if kind in kinds]
    return any(_takes(rknn, platform, kind, quantized_algorithm=algorithm) for platform in having)


def _takes(rknn: Any, platform: str, dtype: str, **more: str) -> bool:
    """Does config() take it? It refuses by raising ValueError, some versions by returning -1."""
    kind: Mapping[str, str] = {} if dtype == FLOAT else {"quantized_dtype": dtype}
    try:
        done("config", rknn.config, target_platform=platform, **kind, **more)
    except Refused:
        return False
    return True


if __name__ == "__main__":
    run_job(probe)
