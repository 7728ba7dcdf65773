"""Before RKNN-Toolkit 1.x runs: checks, data set and plan for it, and the float dump of the source itself.

Runs in a limited child: `python -P -m workers.toolkits.rknn1_prepare_job FOLDER`. Contract: ARCHITECTURE.md,
"Toolkit job convert".
"""

import json
from pathlib import Path
from typing import Any

from similarity.tensorfile import write_tensors
from workers.toolkits.onnxjob.batch import repeated_feed
from workers.toolkits.onnxjob.framework import samples_of, write_framework
from workers.toolkits.onnxjob.jobside import run_job, stage
from workers.toolkits.onnxjob.samples import Preparation
from workers.toolkits.onnxjob.source import read_source
from workers.toolkits.rknn1files.dataset import write_calibration, write_evaluation
from workers.toolkits.rknn1files.plan import plan_of
from workers.toolkits.rknn2job.feeding import Feeding


def prepare(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Leave plan.json, the data set, inputs.safetensors, and framework.safetensors where the source's graph can be run
    here. Raises Refused.
    """
    stage("loading", 0, 1)
    recipe = job["recipe"]
    source = read_source(folder, job)
    wished = {name: Preparation.from_recipe(entry) for name, entry in recipe["inputs"].items()}
    feeding = Feeding(source.inputs, wished, source.is_turned)
    calibration = samples_of(folder, job, "calibration", source.inputs, feeding.raw())
    for written in write_calibration(folder, calibration, source):
        stage("preparing", written, len(calibration))
    number = int(job.get("sample", 0))
    batch = int(recipe.get("batch", 1))
    if source.model:
        prepared = samples_of(folder, job, "evaluation", source.inputs, wished).prepared(number)
        write_framework(folder, source.model, prepared, batch)
    feed = samples_of(folder, job, "evaluation", source.inputs, feeding.raw()).prepared(number)
    write_evaluation(folder, feed, source)
    write_tensors(folder / "inputs.safetensors", repeated_feed(feed, batch), {"layerwise": "inputs/1"})
    plan = plan_of(recipe, source, feeding.config(), samples=len(calibration))
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return {}


if __name__ == "__main__":
    run_job(prepare)
