"""The torch environment (LAYERWISE_TORCH): a TorchScript source becomes ONNX in a limited child of its interpreter."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.inspect import as_model_error
from workers.toolkits.jobs import conversion_limits, run_script
from workers.toolkits.sourceinputs import SourceInput

MISSING = "There is no torch environment here: run make toolkit-torch, or set LAYERWISE_TORCH."


def here() -> Path | None:
    """The interpreter of the torch environment of this worker, None where there is none."""
    python = Path(settings.TORCH_DIR) / "bin" / "python"
    return python if python.is_file() else None


def export_onnx(
    folder: JobFolder,
    source: Path,
    inputs: Sequence[SourceInput],
    *,
    on_event: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> Path:
    """The source as ONNX with inputs of fixed shapes, in `folder`, which is for this only.

    Raises JobError recipe:no-torch without the environment, what is wrong with the model otherwise.
    """
    python = here()
    if python is None:
        raise JobError("recipe:no-torch", MISSING)
    folder.add("source.pt", source)
    told = [asdict(one) for one in inputs]
    folder.write_job({"kind": "export", "source": "source.pt", "target": "source.onnx", "inputs": told})
    try:
        result = run_script(
            "torch_job",
            folder,
            limits=conversion_limits(),
            on_event=on_event,
            should_stop=should_stop,
            python=python,
        )
    except JobError as error:
        raise as_model_error(error) if error.code == "toolkit:failed" else error from error
    return folder.file(result.get("onnx"))
