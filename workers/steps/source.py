"""Bringing a conversion's source into its job folder, in the form that the toolkit takes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard import files
from dashboard.conversions.models import Conversion
from dashboard.registry.formats import Format
from dashboard.registry.models import Source, reported
from workers.jobfolder import JobFolder
from workers.lease import Lease
from workers.steps.events import report_to
from workers.toolkits import torchscript
from workers.toolkits.jobs import inspection_limits, run_script
from workers.toolkits.sourceinputs import SourceInput, inputs_of

# names as toolkits expect them: some go by the ending
NAMES = {
    Format.ONNX: {"model": "source.onnx"},
    Format.TORCHSCRIPT: {"model": "source.pt"},
    Format.TFLITE: {"model": "source.tflite"},
    Format.KERAS: {"model": "source.h5"},
    Format.TENSORFLOW: {"model": "source.pb"},
    Format.CAFFE: {"model": "source.prototxt", "weights": "source.caffemodel"},
    Format.DARKNET: {"model": "source.cfg", "weights": "source.weights"},
    Format.MXNET: {"model": "source.json", "weights": "source.params"},
    Format.RKNN: {"model": "source.rknn"},
}
FRAMEWORK = "framework.onnx"
BY_TORCH_ONLY = {"reference"}  # toolkits that see a .pt only as what PyTorch made of it


@dataclass(frozen=True)
class Bringing:
    """One conversion's way of getting its source: where it lies, and how to make folders for steps on the way."""

    conversion: Conversion
    folder: JobFolder
    lease: Lease

    def bring(self) -> dict[str, Any]:
        """Put the source's files into the folder; the part of job.json that is about them. Raises JobError."""
        source = self.conversion.source
        found = source.format or Format.ONNX
        stored, names = files.existing(source.sha256), NAMES[found]
        if found == Format.ONNX:
            self.folder.add(names["model"], stored)
            return {"source": names["model"], "format": str(found), "framework_by": "source"}
        inputs = self.inputs(source)
        if found == Format.TORCHSCRIPT:
            return self._torchscript(stored, inputs)
        if len(names) == 1:
            self.folder.add(names["model"], stored)
        else:
            self._unpack(stored, names)
        told: dict[str, Any] = {"source": names["model"], "format": str(found)}
        told["inputs"] = [asdict(one) for one in inputs]
        if found == Format.TENSORFLOW:
            told["ends"] = self._ends(source)
        if found == Format.RKNN:
            told |= self._float_route(source)
        return told | ({"weights": names["weights"]} if "weights" in names else {})

    def inputs(self, source: Source) -> tuple[SourceInput, ...]:
        """What goes in, as far as the file, the recipe and the version's other routes tell."""
        others = source.version.sources.exclude(pk=source.pk).select_related("inspection")
        routes = [reported(other) for other in others.defer("inspection__log")]
        return inputs_of(reported(source), self.conversion.recipe.value.inputs, routes)

    def _ends(self, source: Source) -> dict[str, list[str]]:
        """Names in the file, whatever the recipe calls them: loaders of such graphs ask where they begin and end."""
        report = reported(source)
        return {
            side: [str(one.get("name", "")) for one in report.get(side, [])] for side in ("inputs", "outputs")
        }

    def _torchscript(self, stored: Path, inputs: tuple[SourceInput, ...]) -> dict[str, Any]:
        """The .pt, and beside it what PyTorch makes of it; the latter alone where the toolkit takes ONNX only."""
        toolkit = self.conversion.recipe.value.toolkit
        if torchscript.here() or toolkit in BY_TORCH_ONLY:
            with self._folder() as place:
                made = torchscript.export_onnx(
                    place,
                    stored,
                    inputs,
                    on_event=report_to(self.lease),
                    should_stop=self.lease.is_lost,
                )
                self.folder.add(FRAMEWORK, made)
        if toolkit in BY_TORCH_ONLY:
            return {"source": FRAMEWORK, "format": str(Format.ONNX), "framework_by": "torch"}
        name = NAMES[Format.TORCHSCRIPT]["model"]
        self.folder.add(name, stored)
        told = {"source": name, "format": str(Format.TORCHSCRIPT), "inputs": [asdict(one) for one in inputs]}
        exported = {"framework": FRAMEWORK, "framework_by": "torch"}
        return told | (exported if (self.folder.path / FRAMEWORK).exists() else {})

    def _float_route(self, source: Source) -> dict[str, Any]:
        """The version's first ONNX route, whose float network a run of a ready file is held against; {} without one."""
        others = source.version.sources.exclude(pk=source.pk).select_related("inspection").order_by("pk")
        other = next((one for one in others.defer("inspection__log") if one.format == Format.ONNX), None)
        if other is None:
            return {}
        self.folder.add(FRAMEWORK, files.existing(other.sha256))
        return {"framework": FRAMEWORK, "framework_by": "route"}

    def _unpack(self, stored: Path, names: dict[str, str]) -> None:
        """Both files of a zip, taken out in a limited child and a folder of its own."""
        with self._folder() as place:
            place.add("source.zip", stored)
            most = settings.MAX_UPLOAD_BYTES
            place.write_job({"kind": "unpack", "source": "source.zip", "names": names, "max_bytes": most})
            run_script(
                "unpack_job",
                place,
                limits=inspection_limits(),
                on_event=report_to(self.lease),
                should_stop=self.lease.is_lost,
            )
            for name in names.values():
                self.folder.add(name, place.file(name))

    def _folder(self) -> JobFolder:
        """A folder for a step on the way, called like the conversion's own, so that it is swept with it."""
        return JobFolder(self.folder.root, self.folder.label, self.lease.log)
