"""After RKNN-Toolkit 1.x ran: its dumps, tables and quantization parameters become the files of the contract.

Runs in a limited child: `python -P -m workers.toolkits.rknn1_collect_job FOLDER`. Contract: ARCHITECTURE.md,
"Toolkit job convert".
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from similarity.dumpfile import DumpFile, LayerInfo, write_dump
from workers.toolkits.onnxjob.batch import repeated_layers, repeated_values
from workers.toolkits.onnxjob.framework import FRAMEWORK
from workers.toolkits.onnxjob.jobside import log, run_job, stage
from workers.toolkits.rknn1files.histograms import collect_histograms
from workers.toolkits.rknn1files.plan import SNAPSHOT
from workers.toolkits.rknn1files.proposal import read_proposal
from workers.toolkits.rknn1files.quantization import Scales, read_parameters, table_of
from workers.toolkits.rknn1files.snapshot import FLOAT as FLOAT_CHAIN
from workers.toolkits.rknn1files.snapshot import QUANTIZED as QUANTIZED_CHAIN
from workers.toolkits.rknn1files.snapshot import Snapshot
from workers.toolkits.rknn1job.hybrid import PROPOSAL
from workers.toolkits.rknn1job.words import FLOAT

ARTIFACT = "artifact.rknn"
WARNINGS = re.compile(
    r"found outlier value|Not match|Try match .* failed|Insert converter layer", re.IGNORECASE
)
MOST_WARNINGS = 200


def collect(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """The result of the contract, without the toolkit's version. Raises Refused toolkit:bad-result."""
    parameters = read_parameters(folder)
    known = _source_layers(folder)
    snapshot = Snapshot(folder / SNAPSHOT, known, quantized=job["recipe"]["dtype"] != FLOAT)
    histograms = collect_histograms(folder, snapshot, wanted=bool(job["recipe"].get("histograms")))
    rows = snapshot.accuracy()
    batch = int(job["recipe"].get("batch", 1))
    # where nothing here can run the source, the toolkit's own float graph is all that there is to measure against
    own = "converted" if known else "framework"
    for rung, chain, scales in ((own, FLOAT_CHAIN, None), ("quantized", QUANTIZED_CHAIN, Scales(parameters))):
        stage(f"{rung} dump", 0, 1)
        layers = repeated_layers(snapshot.layers(scales), batch)
        values = repeated_values(snapshot.values(chain), batch)
        write_dump(folder / f"{rung}.safetensors", rung, layers, values, dtypes=["F32"] * len(layers))
    snapshot.remove()
    facts: dict[str, Any] = {
        "rewrites": [],
        "layers": [],
        "memory_kb": {},
        "accuracy": rows,
        "quantization": parameters,
        "warnings": _warnings(folder / "toolkit.log"),
    }
    if job["recipe"].get("propose"):
        facts["proposal"] = read_proposal(folder / PROPOSAL)
    (folder / "calibration.json").write_text(json.dumps(table_of(parameters), indent=1, allow_nan=False))
    (folder / "build.json").write_text(json.dumps(facts, indent=1))
    log(f"{len(snapshot.tensors)} layers, {len(facts['warnings'])} warnings of the toolkit.")
    return {
        "artifact": ARTIFACT,
        "inputs": "inputs.safetensors",
        "dumps": {rung: f"{rung}.safetensors" for rung in dict.fromkeys(("framework", own, "quantized"))},
        "calibration_table": "calibration.json",
        "build_facts": "build.json",
        "histograms": histograms,
        "framework_by": str(job.get("framework_by") or "source") if known else "toolkit",
    }


def _source_layers(folder: Path) -> Sequence[LayerInfo]:
    """The layers of the source as it was run here, in execution order; none where nobody could."""
    if not (folder / FRAMEWORK).is_file():
        return ()
    with DumpFile.open(folder / FRAMEWORK) as dump:
        return dump.layers


def _warnings(path: Path) -> list[str]:
    """What the toolkit warned of while it built: outliers of weights [UG 4.2.2], operators that it did not match."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return [line.strip()[:500] for line in lines if WARNINGS.search(line)][:MOST_WARNINGS]


if __name__ == "__main__":
    run_job(collect)
