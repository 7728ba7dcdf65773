"""A ready .rknn file's job: its header is read once more, and the sample brought into the form in which it goes in.

Runs in a limited child: `python -P -m workers.toolkits.ready_job FOLDER`. Contract: ARCHITECTURE.md, "Toolkit job
convert".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from similarity.tensorfile import DamagedFile, TensorFile, write_tensors
from workers.toolkits.formats.rknnheader import read_header
from workers.toolkits.onnxjob.framework import samples_of
from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused, log, run_job, stage
from workers.toolkits.onnxjob.samples import Preparation
from workers.toolkits.onnxjob.told import inputs_of, wishes_of
from workers.toolkits.rknn2job.feeding import Feeding

KEPT = ("uint8", "int8", "int16", "float16", "float32")  # what both generations of the runtime take [HDR]


def prepare(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Leave inputs.safetensors. Raises Refused recipe:wrong-platform, model:* or data:*."""
    stage("reading", 0, 1)
    header, recipe = read_header(folder / str(job["source"])), job["recipe"]
    if header.platforms and recipe["platform"] not in header.platforms:
        told = ", ".join(header.platforms)
        raise Refused("recipe:wrong-platform", f"It is compiled for {told}, not for {recipe['platform']}.")
    inputs = inputs_of(job)
    feeding = Feeding(inputs, wishes_of(job))
    how = feeding.raw()
    sample = int(job.get("sample", 0))
    typed = as_they_come(folder / str(job["evaluation"]), sample, inputs, how)
    feed = samples_of(folder, job, "evaluation", typed, how).prepared(sample)
    write_tensors(folder / "inputs.safetensors", dict(feed), {"layerwise": "inputs/1"})
    log(
        f"Built by {header.made_by}; it takes {', '.join(f'{one.name} {list(one.shape)}' for one in inputs)}."
    )
    for name in feeding.baked:
        log(f"Mean and std of {name} are taken as built into the file: it gets the sample without them.")
    return {
        "artifact": str(job["source"]),
        "inputs": "inputs.safetensors",
        "toolkit_version": header.made_by,
    }


def as_they_come(
    samples: Path, index: int, inputs: Sequence[Input], how: Mapping[str, Preparation]
) -> list[Input]:
    """The inputs with the types of sample `index`, which the runtime converts by itself; float32 for all others, and
    for what mean and std make of them.
    """
    try:
        with TensorFile.open(samples) as file:
            number = sorted({name.partition("/")[0] for name in file.specs})[index : index + 1]
            mine = [name for name in file.specs if name.partition("/")[0] in number]
            kinds = {name.partition("/")[2]: str(file.array(name).dtype) for name in mine}
    except DamagedFile as error:
        raise Refused("data:unreadable", str(error)) from error
    return [
        replace(one, dtype=kind)
        if (kind := kinds.get(one.name, kinds.get("", ""))) in KEPT and _is_as_it_is(how.get(one.name))
        else one
        for one in inputs
    ]


def _is_as_it_is(how: Preparation | None) -> bool:
    return how is None or (not any(how.mean) and set(how.std) <= {1.0})


if __name__ == "__main__":
    run_job(prepare)
