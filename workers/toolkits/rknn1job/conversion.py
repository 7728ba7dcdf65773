"""One conversion by RKNN-Toolkit 1.x, call by call, as plan.json says: load, build, export, analyse."""

import json
import os
import sys
from typing import Any, Dict

from workers.toolkits.rknn1job.calls import Failed, done, known
from workers.toolkits.rknn1job.channel import error, leave, stage
from workers.toolkits.rknn1job.hybrid import in_two_steps
from workers.toolkits.rknn1job.package import opened, version

PLAN = "plan.json"
ARTIFACT = "artifact.rknn"
FEEDBACK = "log_feedback_to_the_rknn_toolkit_dev_team.log"  # written on an error [UG 7.1]
FEEDBACK_BYTES = 64 << 10
# Histograms of weights and layers in dump_data_distribute/ [UG 7.4]; they are drawn where there is no screen.
DRAW = "RKNN_DRAW_DATA_DISTRIBUTE"
DRAWING = {DRAW: "1", "MPLBACKEND": "Agg"}


def main(folder: str) -> None:
    """Carry the plan in `folder` out and leave result.json there."""
    try:
        with open(os.path.join(folder, PLAN), encoding="utf-8") as file:
            plan = json.load(file)
        result = convert(plan)
    except Failed as failed:
        show_feedback()
        result = error(failed.code, str(failed))
    except MemoryError as failed:
        result = error("toolkit:out-of-memory", str(failed))
    leave(folder, result)


def convert(plan: Dict[str, Any]) -> Dict[str, Any]:
    """All calls of one conversion; what was written is in the working folder. Raises Failed.

    What accuracy_analysis does with an artifact of several samples no manual says: the layers are then those of the
    same network built for one.
    """
    if plan["histograms"]:
        os.environ.update(DRAWING)
    if plan["batch"] > 1:
        alone = made(plan)
        analyse(alone, plan)
        alone.release()
        os.environ.pop(
            DRAW, None
        )  # the second build's ids and sizes are others: its pictures would be strangers
        rknn = made(dict(plan, build=dict(plan["build"], rknn_batch_size=plan["batch"])))
    else:
        rknn = made(plan)
    done("export_rknn", rknn.export_rknn, ARTIFACT)
    if plan["batch"] == 1:
        analyse(rknn, plan)
    describe(rknn)
    rknn.release()
    return {"version": version()}


def made(plan: Dict[str, Any]) -> Any:
    """The toolkit's object with the network loaded and built."""
    rknn = configured(plan)
    stage("loading", 0, 1)
    load(rknn, **plan["load"])
    stage("loading", 1, 1)
    if plan["hybrid"]:
        return in_two_steps(rknn, lambda: configured(plan), plan)
    stage("building", 0, 1)
    done("build", rknn.build, do_quantization=plan["quantize"], dataset=plan["dataset"], **plan["build"])
    stage("building", 1, 1)
    return rknn


def configured(plan: Dict[str, Any]) -> Any:
    """A new object of the toolkit, told how."""
    rknn = opened()
    done("config", rknn.config, **plan["config"])
    return rknn


def load(rknn: Any, call: str, settings: Dict[str, Any]) -> None:
    """Read the source. A manual may name an argument that this version does not have, or has by another name."""
    done(call, getattr(rknn, call), **known(getattr(rknn, call), settings, ("proto",)))


def analyse(rknn: Any, plan: Dict[str, Any]) -> None:
    """Every layer on one sample, float and quantized, on this machine: no target, so no board [UG 4.3, 7.12]."""
    stage("analysing", 0, 1)
    settings = {
        "inputs": plan["evaluation"],
        "output_dir": plan["snapshot"],
        "calc_qnt_error": plan["quantize"],
        "dump_file_type": "npy",
    }
    call = rknn.accuracy_analysis
    done("accuracy_analysis", call, **known(call, settings, ("calc_qnt_error", "dump_file_type")))
    stage("analysing", 1, 1)


def describe(rknn: Any) -> None:
    """Write <model name>_quant_param.yml: how every tensor is quantized. Versions before 1.7.5 cannot [UG 7.17]."""
    if hasattr(rknn, "export_rknn_quant_params"):
        done("export_rknn_quant_params", rknn.export_rknn_quant_params, ARTIFACT, only_io=False)


def show_feedback() -> None:
    """Print the end of the log that the toolkit writes for its makers: it may hold the cause."""
    try:
        with open(FEEDBACK, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - FEEDBACK_BYTES))
            text = file.read()
    except OSError:
        return
    sys.stdout.flush()
    os.write(1, b"\n" + text + b"\n")
