"""One conversion by RKNN-Toolkit2, call by call: load, quantize, export, analyse.

Quantization goes through the two steps of the hybrid interface, which give what build() gives, bit for bit (tried with
2.5.0), and also tell the scale of every tensor. Step 2 wants an object of its own: on the first it returns -1.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from workers.toolkits.onnxjob.jobside import Refused, stage
from workers.toolkits.onnxjob.source import Source, nodes_of
from workers.toolkits.rknn2job.calls import done
from workers.toolkits.rknn2job.config import FLOAT, configure
from workers.toolkits.rknn2job.hybrid import read_proposal, tensors_of, without_scales, write_layers
from workers.toolkits.rknn2job.loading import loading
from workers.toolkits.rknn2job.quantization import read_parameters
from workers.toolkits.rknn2job.snapshot import FOLDERS
from workers.toolkits.rknn2job.texts import texts_deleted
from workers.toolkits.vendor.accuracy_table import read_accuracy_table

ARTIFACT = "artifact.rknn"
CONFIGURATION = ".quantization.cfg"
BY_BUILD = ("gdq",)  # algorithms for which the hybrid interface returns -1; their 16-bit floats have no scale

FRONT_END = "front_end.onnx"


class Toolkit:
    """One conversion by RKNN-Toolkit2: load, quantize, export, analyse."""

    def __init__(
        self, folder: Path, source: Source, recipe: Mapping[str, Any], preprocessing: Mapping[str, Any]
    ) -> None:
        self.folder, self.source, self.recipe, self.preprocessing = folder, source, recipe, preprocessing
        self.rknn = self._configured()
        self.stem = ""
        self.proposal: list[dict[str, Any]] | None = None  # what step 1 proposes, when the recipe asks for it

    def build(self) -> dict[str, dict[str, Any]]:
        """Quantize and export; how each tensor is quantized (nothing for a float build, and by gdq)."""
        by_build = self.recipe["dtype"] == FLOAT or self.recipe["algorithm"] in BY_BUILD
        parameters = self._build() if by_build else self._quantize()
        stage("building", 1, 1)
        done("export_rknn", self.rknn.export_rknn, str(self.folder / ARTIFACT))
        return parameters

    def analyse(self, paths: list[str]) -> list[dict[str, Any]]:
        """Run the vendor's accuracy_analysis into snapshot/; the rows of its table as it printed them."""
        stage("analysing", 0, 1)
        snapshot = self.folder / "snapshot"
        with texts_deleted([snapshot / name for name in FOLDERS.values()]):
            done("accuracy_analysis", self.rknn.accuracy_analysis, inputs=paths, output_dir=str(snapshot))
        stage("analysing", 1, 1)
        table = (snapshot / "error_analysis.txt").read_text(encoding="utf-8")
        return [
            vars(row) | {"entire": dict(row.entire), "single": dict(row.single)}
            for row in read_accuracy_table(table)
        ]

    def fused(self) -> onnx.GraphProto:
        """The toolkit's graph after its rewrites, without weights: the hybrid model where there is one, else the last
        check file.
        """
        written = (
            [self.folder / f"{self.stem}.model"]
            if self.stem
            else sorted(self.folder.glob("check[0-9]_*.onnx"))[-1:]
        )
        if not written and self.source.model:
            return self.source.model.graph
        if not written:
            raise Refused("toolkit:bad-result", "The toolkit left no graph of what it built.")
        model = onnx.ModelProto()
        model.ParseFromString(written[0].read_bytes())
        return nodes_of(model).graph

    def release(self) -> None:
        self.rknn.release()

    @property
    def _batch(self) -> int | None:
        batch = int(self.recipe.get("batch", 1))
        return batch if batch > 1 else None

    def _build(self) -> dict[str, dict[str, Any]]:
        """In one call, which tells no scales."""
        self._load()
        stage("building", 0, 1)
        data = {} if self.recipe["dtype"] == FLOAT else {"dataset": "dataset/dataset.txt"}
        done("build", self.rknn.build, do_quantization=bool(data), rknn_batch_size=self._batch, **data)
        self._keep_front_end()
        return {}

    def _quantize(self) -> dict[str, dict[str, Any]]:
        self._load()
        stage("quantizing", 0, 1)
        done(
            "hybrid_quantization_step1",
            self.rknn.hybrid_quantization_step1,
            dataset="dataset/dataset.txt",
            rknn_batch_size=self._batch,
            proposal=bool(self.recipe.get("propose")),
        )
        stage("quantizing", 1, 1)
        self._keep_front_end()
        self.stem = self._written_stem()
        parameters = self._with_layers(self.folder / f"{self.stem}{CONFIGURATION}")
        self.rknn.release()
        self.rknn = self._configured()
        stage("building", 0, 1)
        done(
            "hybrid_quantization_step2",
            self.rknn.hybrid_quantization_step2,
            model_input=f"{self.stem}.model",
            data_input=f"{self.stem}.data",
            model_quantization_cfg=f"{self.stem}{CONFIGURATION}",
        )
        return parameters

    def _with_layers(self, path: Path) -> dict[str, dict[str, Any]]:
        """Keep what step 1 proposes, write what the recipe wants instead; how each tensor is then quantized."""
        parameters = read_parameters(path)
        if self.recipe.get("propose"):
            self.proposal = read_proposal(path)
        layers = tensors_of(self.recipe.get("hybrid") or {}, parameters)
        write_layers(path, layers)
        return without_scales(parameters, layers)

    def _configured(self) -> Any:
        from rknn.api import RKNN

        rknn = RKNN(verbose=True)
        configure(rknn, self.recipe, self.preprocessing)
        return rknn

    def _keep_front_end(self) -> None:
        """Put the graph as the toolkit's front end read it, before its rewrites, where the next build leaves it; nobody
        looks at it where the source itself can be read.
        """
        written = sorted(self.folder.glob("check[0-9]_*.onnx"))
        if written and self.source.model is None:
            shutil.copyfile(written[0], self.folder / FRONT_END)

    def _load(self) -> None:
        name, settings = loading(self.source)
        done(name, getattr(self.rknn, name), **settings)
        stage("loading", 1, 1)

    def _written_stem(self) -> str:
        """The name of the files that step 1 left here; it comes from inside the model."""
        found = [path.name.removesuffix(CONFIGURATION) for path in self.folder.glob(f"*{CONFIGURATION}")]
        if len(found) != 1:
            raise Refused(
                "toolkit:bad-result", f"hybrid_quantization_step1 wrote {len(found)} quantization.cfg."
            )
        return found[0]
