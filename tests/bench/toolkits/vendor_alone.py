"""The vendor's calls of one conversion and nothing else, in its own interpreter: how much memory they need, and how
long accuracy_analysis spends on its scores.

`python -m tests.bench.toolkits.vendor_alone FOLDER DATASET SAMPLE PLATFORM` in an empty working directory; FOLDER holds
source.onnx. Leaves told.json there. The calls are those of workers/toolkits/rknn2job/toolkit.py. Its scores come from
two functions of scipy (seen by this profile; 2.5.0), called for each tensor of the whole graph and each layer alone.
"""

import cProfile
import json
import pstats
import resource
import sys
from pathlib import Path
from typing import Any

SCORES = ("cosine", "euclidean")


def convert(source: str, dataset: str, sample: str, platform: str) -> cProfile.Profile:
    """Load, quantize, export, analyse; the profile of the last."""
    from rknn.api import RKNN

    def begun() -> Any:
        rknn = RKNN(verbose=True)
        rknn.config(target_platform=platform, quantized_dtype="w8a8")
        return rknn

    first = begun()
    first.load_onnx(model=source)
    first.hybrid_quantization_step1(dataset=dataset, proposal=False)
    (stem,) = [path.name.removesuffix(".quantization.cfg") for path in Path.cwd().glob("*.quantization.cfg")]
    first.release()
    rknn, profile = begun(), cProfile.Profile()
    rknn.hybrid_quantization_step2(
        model_input=f"{stem}.model",
        data_input=f"{stem}.data",
        model_quantization_cfg=f"{stem}.quantization.cfg",
    )
    rknn.export_rknn("./artifact.rknn")
    profile.runcall(rknn.accuracy_analysis, inputs=[sample], output_dir="./snapshot")
    rknn.release()
    return profile


def main() -> None:
    folder, dataset, sample, platform = sys.argv[1:]
    stats: Any = pstats.Stats(convert(str(Path(folder) / "source.onnx"), dataset, sample, platform))
    spent = [
        (row[1], row[3])
        for (file, _, name), row in stats.stats.items()
        if file.endswith("scipy/spatial/distance.py") and name in SCORES
    ]
    Path("told.json").write_text(json.dumps({
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "score_calls": sum(calls for calls, _ in spent), "score_seconds": sum(seconds for _, seconds in spent),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
