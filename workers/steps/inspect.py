"""Look into an uploaded file, in a limited child process, and keep what was found."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard import files
from dashboard.lint.services import keep_graph
from dashboard.registry.models import InputSet, Inspection, Source
from workers.jobfolder import JobFolder
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.steps.events import report_to
from workers.toolkits.graphfile import read_graph
from workers.toolkits.inspect import inspect_model, inspect_samples


def inspect(inspection: Inspection, lease: Lease) -> Keep:
    """Inspect the source or the input set; the report is written when the job ends."""
    root, label = Path(settings.WORK_DIR) / "jobs", f"inspection-{inspection.pk}-{lease.fence.attempt}"
    with JobFolder(root, label, lease.log) as folder:
        graph: dict[str, Any] | None = None
        if inspection.source:
            fields = {"report": look_into_model(folder, inspection.source, lease)}
            graph = read_graph(folder)
        else:
            assert inspection.input_set is not None
            fields = look_into_samples(folder, inspection.input_set, lease)
    return partial(keep, inspection, fields, graph)


def keep(inspection: Inspection, fields: dict[str, Any], graph: dict[str, Any] | None) -> None:
    """Write the report, and the source's graph where the inspection tells one."""
    Inspection.objects.filter(pk=inspection.pk).update(**fields)
    if inspection.source and graph is not None:
        keep_graph(inspection.source, graph)


def look_into_model(folder: JobFolder, source: Source, lease: Lease) -> dict[str, Any]:
    """What the model takes, gives and contains."""
    facts = inspect_model(
        folder,
        files.existing(source.sha256),
        max_bytes=settings.MAX_UPLOAD_BYTES,
        on_event=report_to(lease),
        should_stop=lease.is_lost,
    )
    return asdict(facts)


def look_into_samples(folder: JobFolder, input_set: InputSet, lease: Lease) -> dict[str, Any]:
    """The samples in canonical form, stored, and what they are."""
    facts = inspect_samples(
        folder,
        files.existing(input_set.sha256),
        input_set.filename,
        max_bytes=settings.MAX_SAMPLES_BYTES,
        on_event=report_to(lease),
        should_stop=lease.is_lost,
    )
    report = asdict(facts)
    del report["file"]
    return {"report": report, "samples_sha256": files.put_path(facts.file).sha256}
