"""Inspecting uploads in a limited child: what a model takes and contains, what an input set holds."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.registry.formats import Format
from similarity.tensorfile import DamagedFile, TensorFile
from workers.errors import Died, JobError
from workers.jobfolder import JobFolder
from workers.toolkits.jobs import inspection_limits, run_script

NAME = 4096
Size = int | str | None


@dataclass(frozen=True)
class TensorFacts:
    """A named input or output: sizes are numbers, symbol names or None (unknown); `shape` is None when the
    rank is unknown."""

    name: str
    shape: tuple[Size, ...] | None
    dtype: str


@dataclass(frozen=True)
class Remark:
    """Something worth knowing about a model that is no error; `node` may be empty."""

    code: str
    node: str
    text: str


@dataclass(frozen=True)
class ModelFacts:
    """What a model file is. `operators` counts nodes by operator, inner graphs included; `max_rank` is the
    most dimensions of any tensor. Of other formats than ONNX less is known: numbers are 0, shapes None.
    `platforms` is what a compiled file is made for, as far as it tells."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    opset: int
    ir_version: int
    operators: dict[str, int]
    parameters: int
    nodes: int
    max_rank: int
    dynamic: bool
    producer: str
    external_data: bool
    lint: tuple[Remark, ...]
    format: str = "onnx"
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleFacts:
    """What an input set is; `file` is its canonical form, in the job's folder. `layout_guess` is NCHW, NHWC
    or ""."""

    file: Path
    count: int
    inputs: tuple[TensorFacts, ...]
    layout_guess: str


def inspect_model(
    folder: JobFolder,
    source: Path,
    *,
    max_bytes: int | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ModelFacts:
    """Inspect the upload at `source`. Raises JobError model:* for what is wrong with it."""
    folder.add("model", source)
    folder.write_job({"kind": "inspect-model", "model": "model", "max_bytes": max_bytes})
    try:
        result = run_script(
            "inspect_model_job",
            folder,
            limits=inspection_limits(),
            on_event=on_event,
            should_stop=should_stop,
        )
    except JobError as error:
        raise as_model_error(error) from error
    try:
        return ModelFacts(
            format=_format(result["format"]),
            inputs=_tensors(result["inputs"]),
            outputs=_tensors(result["outputs"]),
            operators={str(name)[:NAME]: int(count) for name, count in result["operators"].items()},
            producer=str(result["producer"]),
            dynamic=bool(result["dynamic"]),
            external_data=bool(result["external_data"]),
            platforms=tuple(str(name)[:40] for name in result.get("platforms", ())),
            lint=tuple(Remark(str(r["code"]), str(r["node"]), str(r["text"])) for r in result["lint"]),
            **{
                name: int(result[name]) for name in ("opset", "ir_version", "parameters", "nodes", "max_rank")
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobError("toolkit:bad-result", f"The inspection's result is odd: {error!r}") from error


def _format(name: object) -> str:
    """The format's name. Raises ValueError for one that the site does not know."""
    return str(Format(str(name)))


def as_model_error(error: JobError) -> JobError:
    """An inspection that dies of its limits says something about the model, not about a toolkit."""
    if error.code == "toolkit:crashed":
        return Died("model:too-complex", error.detail)
    if error.code in ("toolkit:timed-out", "toolkit:out-of-memory", "toolkit:disk-full"):
        return JobError("model:too-complex", error.detail)
    if error.code == "toolkit:failed":
        return JobError("model:invalid", error.detail)
    return error


def inspect_samples(
    folder: JobFolder,
    source: Path,
    uploaded_name: str,
    *,
    max_bytes: int | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SampleFacts:
    """Inspect the upload at `source` and bring it into canonical form. Raises JobError data:* for what is
    wrong with it."""
    folder.add("upload", source)
    folder.write_job(
        {
            "kind": "inspect-samples",
            "samples": "upload",
            "uploaded_name": uploaded_name,
            "max_bytes": max_bytes,
        }
    )
    try:
        result = run_script(
            "inspect_samples_job",
            folder,
            limits=inspection_limits(),
            on_event=on_event,
            should_stop=should_stop,
        )
    except JobError as error:
        raise as_data_error(error) from error
    try:
        facts = SampleFacts(
            file=folder.file(result["samples"]),
            count=int(result["count"]),
            inputs=_tensors(result["inputs"]),
            layout_guess=str(result["layout_guess"])[:4],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobError("toolkit:bad-result", f"The inspection's result is odd: {error!r}") from error
    _check_samples(facts)
    return facts


def as_data_error(error: JobError) -> JobError:
    """As as_model_error, for input sets."""
    if error.code in ("toolkit:timed-out", "toolkit:out-of-memory", "toolkit:disk-full"):
        return JobError("data:too-large", error.detail)
    if error.code == "toolkit:crashed":
        return Died("data:unreadable", error.detail)
    if error.code == "toolkit:failed":
        return JobError("data:unreadable", error.detail)
    return error


def _check_samples(facts: SampleFacts) -> None:
    """The canonical file opens and holds as many samples as announced."""
    try:
        with TensorFile.open(facts.file) as samples:
            numbers = {name.partition("/")[0] for name in samples.specs}
    except DamagedFile as error:
        raise JobError("toolkit:bad-result", str(error)) from error
    if len(numbers) != facts.count or not all(re.fullmatch(r"\d{6}", number) for number in numbers):
        raise JobError(
            "toolkit:bad-result", f"{facts.count} samples are announced, {len(numbers)} are there."
        )


def _tensors(entries: Any) -> tuple[TensorFacts, ...]:
    return tuple(
        TensorFacts(
            str(e["name"])[:NAME], None if e["shape"] is None else tuple(e["shape"]), str(e["dtype"])[:20]
        )
        for e in entries
    )
