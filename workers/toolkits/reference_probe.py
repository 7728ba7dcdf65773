"""What the built-in toolkit can do: the versions of its packages, and the words that its job takes.

Runs in a limited child: `python -P -m workers.toolkits.reference_probe FOLDER`. Contract: ARCHITECTURE.md, "Toolkit job
`probe`". Packages that cannot be imported end it without a result.
"""

from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from workers.toolkits.onnxjob.jobside import run_job
from workers.toolkits.onnxjob.quantize import DTYPES
from workers.toolkits.onnxjob.ranges import ALGORITHMS


def probe(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Of the words in the job, those that the toolkit takes, and its version: ONNX Runtime's."""
    dtypes = {platform: [one for one in kinds if one in DTYPES] for platform, kinds in job["dtypes"].items()}
    return {
        "version": onnxruntime.__version__,
        "title": f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}",
        "dtypes": dtypes,
        "algorithms": {
            kind: [one for one in words if one in ALGORITHMS] for kind, words in job["algorithms"].items()
        },
        "formats": job["formats"],
    }


if __name__ == "__main__":
    run_job(probe)
