"""The built-in toolkit: ONNX Runtime's quantizer in a limited subprocess, its results checked before they
count."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.conversions.offered import Offered
from dashboard.conversions.services import Converted
from similarity.dumpfile import DamagedFile, DumpFile
from similarity.tensorfile import TensorFile
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.jobs import conversion_limits, run_script
from workers.toolkits.probing import probed

RUNGS = ("framework", "quantized")
TABLE_BYTES = 64 << 20


class ReferenceToolkit:
    """uint8 asymmetric per tensor, like the RV1126 (see workers/toolkits/onnxjob)."""

    name = "reference"

    def __init__(self, offered: Offered) -> None:
        self.offered = offered

    def convert(
        self, folder: JobFolder, on_event: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
    ) -> Converted:
        """Run the job and check every file that it announces. Raises JobError toolkit:bad-result for a
        damaged one, toolkit:own-fault for what no code of its own was foreseen for."""
        try:
            result = run_script(
                "reference_job",
                folder,
                limits=conversion_limits(),
                on_event=on_event,
                should_stop=should_stop,
            )
        except JobError as error:
            raise (
                JobError("toolkit:own-fault", error.detail) if error.code == "toolkit:failed" else error
            ) from error
        try:
            return checked(folder, result)
        except (DamagedFile, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise JobError("toolkit:bad-result", f"{type(error).__name__}: {error}") from error


def here() -> list[ReferenceToolkit]:
    """The toolkit of this worker, when its packages are there."""
    offered = probed(ReferenceToolkit.name)
    return [ReferenceToolkit(offered)] if offered else []


def checked(folder: JobFolder, result: dict[str, Any]) -> Converted:
    """The announced files, opened and compared with each other. Raises JobError toolkit:bad-result,
    DamagedFile or KeyError."""
    dumps = {rung: folder.file(result["dumps"][rung]) for rung in RUNGS}
    _check_dumps(dumps)
    converted = Converted(
        artifact=folder.file(result["artifact"]),
        inputs=folder.file(result["inputs"]),
        dumps=dumps,
        calibration_table=folder.file(result["calibration_table"]),
        toolkit_version=str(result["toolkit_version"])[:200],
    )
    folder.read_map(result["calibration_table"], TABLE_BYTES)
    _check_artifact(converted)
    return converted


def _check_dumps(dumps: dict[str, Path]) -> None:
    with DumpFile.open(dumps["framework"]) as floats, DumpFile.open(dumps["quantized"]) as quantized:
        if (floats.rung, quantized.rung) != RUNGS:
            raise _bad(f"The dumps say that they are {floats.rung} and {quantized.rung}.")
        shapes = [[(layer.key, layer.shape) for layer in dump.layers] for dump in (floats, quantized)]
        if not shapes[0] or shapes[0] != shapes[1]:
            raise _bad("The float dump and the quantized dump do not hold the same layers.")


def _check_artifact(converted: Converted) -> None:
    """The artifact parses, names its layers, and takes exactly the inputs that were stored for it."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model = onnx.ModelProto()
    try:
        model.ParseFromString(converted.artifact.read_bytes())
    except (DecodeError, RuntimeError) as error:
        raise _bad("The artifact is not an ONNX file.") from error
    facts = {entry.key: entry.value for entry in model.metadata_props}
    if facts.get("layerwise") != "artifact/1" or not facts.get("layers"):
        raise _bad("The artifact does not say what its layers are.")
    filled = {tensor.name for tensor in model.graph.initializer}
    taken = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in model.graph.input
        if value.name not in filled
    }
    with TensorFile.open(converted.inputs) as inputs:
        stored = {name: spec.shape for name, spec in inputs.specs.items()}
    if stored != taken:
        raise _bad(f"The artifact takes {taken}, the stored inputs are {stored}.")


def _bad(detail: str) -> JobError:
    return JobError("toolkit:bad-result", detail)
