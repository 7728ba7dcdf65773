"""An import through the real queue: rung for, read by a worker's limited child, compared, and nothing left behind."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.imports.models import Import
from dashboard.imports.services import comparisons_of, request_import
from dashboard.jobs.models import State
from dashboard.registry.services import Upload
from tests.chaos.stack import Stack
from tests.factories import make_project, owner_of
from tests.imports import vendor

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
Until = Callable[[Callable[[], object]], None]


def test_a_worker_reads_an_import_and_compares_its_dumps(stack: Stack, until: Until, tmp_path: Path) -> None:
    project = make_project()
    archive = vendor.tarred(vendor.folder_1(tmp_path / "snapshot"))
    sent = Upload("snapshot.tar.gz", io.BytesIO(archive.read_bytes()))
    imported, _ = request_import(project, "", sent, owner_of(project))
    until(lambda: Import.objects.get(pk=imported.pk).has_ended)
    assert Import.objects.get(pk=imported.pk).state == State.SUCCEEDED
    comparisons = comparisons_of(imported)
    until(lambda: set(comparisons.values_list("state", flat=True)) == {State.SUCCEEDED})
    assert len(comparisons) == 2
    until(lambda: not list((stack.folder / "work" / "jobs").glob("import-*")))
