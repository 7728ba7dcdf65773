"""The whole path of an import: uploaded, read by the real step in its child, compared, shown; never queued twice."""

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from onnx import helper
from pytest_django.fixtures import Settings

from dashboard.imports.models import Import
from dashboard.imports.services import comparisons_of, request_import
from dashboard.imports.shown import ScoreTable, score_tables
from dashboard.jobs.models import State
from dashboard.layers.models import Dump
from dashboard.projects.models import Project
from dashboard.registry.services import Upload
from tests.factories import make_dump, make_project, owner_of
from tests.flow.conftest import run_queue
from tests.imports import vendor
from tests.toolkits.networks import constant, network
from workers.toolkits import rknn2

__all__ = ["run_queue"]
pytestmark = pytest.mark.django_db(transaction=True)
RunQueue = Callable[[], int]


@pytest.fixture
def project() -> Project:
    return make_project(name="Vision")


def upload(project: Project, path: Path, reference: Dump | None = None) -> Import:
    """Request the import of this file as an admin."""
    sent = Upload(path.name, io.BytesIO(path.read_bytes()))
    return request_import(project, "", sent, owner_of(project), reference)[0]


def done(imported: Import, run_queue: RunQueue) -> Import:
    """The import after every queued job has been done."""
    run_queue()
    return Import.objects.get(pk=imported.pk)


def tables(imported: Import) -> dict[str, ScoreTable]:
    return {table.scope.value: table for table in score_tables(imported, comparisons_of(imported))}


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_folder_of_toolkit2_becomes_dumps_and_scores_that_agree(
    project: Project, tmp_path: Path, run_queue: RunQueue
) -> None:
    client = as_user(owner_of(project))
    archive = vendor.zipped(vendor.folder_2(tmp_path / "snapshot"))
    form = {"file": SimpleUploadedFile("snapshot.zip", archive.read_bytes()), "name": "by hand"}
    address = client.post("/projects/vision/imports/new/", form).headers["Location"]
    assert "no worker serves the queue inspect" in client.get(address).content.decode()
    run_queue()
    page = client.get(address).content.decode()
    # the tenth is a distance of nine digits in float32
    assert "agree with the vendor's to its last digit in 9 of 10 numbers" in page
    assert "In 1 more they differ by no more than the vendor loses" in page
    assert set(Dump.objects.values_list("rung", "imported")) == {("converted", True), ("quantized", True)}
    assert "converted (imported) → quantized (imported)" in page


def test_a_folder_of_toolkit_1_is_compared_rung_by_rung(
    project: Project, tmp_path: Path, run_queue: RunQueue
) -> None:
    imported = done(
        upload(project, vendor.tarred(vendor.folder_1(tmp_path / "snapshot", with_npu=True))), run_queue
    )
    agreed = {scope: (table.agreeing, table.compared) for scope, table in tables(imported).items()}
    assert agreed == {"entire": (10, 10), "single": (8, 8), "npu": (8, 8)}


def test_a_table_alone_gives_scores_without_ours(
    project: Project, tmp_path: Path, run_queue: RunQueue
) -> None:
    file = tmp_path / "entire_qnt_error_analysis.txt"
    exact, chain, _ = vendor.tensors((1, 4, 4, 2), 1)
    file.write_text(vendor.line_1("Conv_1_out0_nhwc_1_4_4_2.npy", "u8", exact, chain))
    imported = done(upload(project, file), run_queue)
    (table,) = tables(imported).values()
    assert (len(table.rows), table.comparison, imported.dumps.count()) == (1, None, 0)


def test_a_reference_is_compared_with_what_came(
    project: Project, tmp_path: Path, run_queue: RunQueue
) -> None:
    reference = make_dump(project, layers=("conv_1", "conv_2"))
    arrays = {"conv_1_7": vendor.tensors((1, 2, 4, 4), 1)[0], "conv_2_8": vendor.tensors((1, 2, 4, 4), 2)[0]}
    archive = vendor.zipped(vendor.layer_dump(tmp_path / "dump", arrays))
    imported = done(upload(project, archive, reference), run_queue)
    (comparison,) = comparisons_of(imported)
    keys = list(comparison.scores.values_list("reference_key", "candidate_key"))
    assert (comparison.reference_id, comparison.candidate.rung, keys) == (
        reference.pk, "board", [("conv_1", "conv_1"), ("conv_2", "conv_2")],
    )  # fmt: skip


def test_an_upload_that_is_nothing_ends_with_what_was_looked_for(
    project: Project, tmp_path: Path, run_queue: RunQueue
) -> None:
    (tmp_path / "notes.txt").write_text("it was a Tuesday")
    imported = done(upload(project, tmp_path / "notes.txt"), run_queue)
    assert (imported.state, imported.failure) == (State.FAILED, "import:unknown-format")
    assert "Looked for" in imported.detail and "it was a Tuesday" in imported.detail
    page = as_user(owner_of(project)).get(f"/imports/{imported.pk}/").content.decode()
    assert "Nothing in the upload was recognised" in page


def test_what_unpacks_beyond_the_limit_fails_and_leaves_no_row(
    project: Project, tmp_path: Path, run_queue: RunQueue, settings: Settings
) -> None:
    settings.MAX_IMPORT_BYTES = 1000
    imported = done(upload(project, vendor.tarred(vendor.folder_2(tmp_path / "snapshot"))), run_queue)
    assert (imported.failure, Dump.objects.count()) == ("import:too-large", 0)


def test_the_same_file_again_is_the_same_import(project: Project, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("anything")
    first, again = (upload(project, tmp_path / "x.txt") for _ in range(2))
    assert first == again


def test_the_same_file_with_a_reference_is_another_import(project: Project, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("anything")
    assert upload(project, tmp_path / "x.txt") != upload(project, tmp_path / "x.txt", make_dump(project))


def test_a_failed_import_is_made_anew(project: Project, tmp_path: Path, run_queue: RunQueue) -> None:
    (tmp_path / "x.txt").write_text("anything")
    first = done(upload(project, tmp_path / "x.txt"), run_queue)
    assert upload(project, tmp_path / "x.txt") != first


ANALYSE = """
from rknn.api import RKNN
rknn = RKNN()
rknn.config(target_platform="rv1126b")
assert rknn.load_onnx("net.onnx") == 0
assert rknn.build(do_quantization=True, dataset="dataset.txt") == 0
assert rknn.accuracy_analysis(inputs=["sample.npy"], output_dir="./snapshot") == 0
rknn.release()
"""


@pytest.mark.integration
@pytest.mark.skipif(not rknn2.here(), reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
def test_what_the_real_toolkit_leaves_is_imported_and_agrees_to_its_last_digit(
    project: Project, tmp_path: Path, run_queue: RunQueue
) -> None:
    toolkit = rknn2.here()[0]
    assert toolkit is not None
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["/body.0/Conv_output_0"], "c", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["/body.0/Conv_output_0"], ["r"], "r"),
        helper.make_node("Conv", ["r", "v"], ["y"], "d", pads=[1, 1, 1, 1]),
    ]
    weights = [constant("w", (8, 3, 3, 3), 1), constant("v", (4, 8, 3, 3), 2)]
    model = network(nodes, inputs={"x": (1, 3, 16, 16)}, outputs=["y"], initializers=weights)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with (tmp_path / "sample.npy").open("wb") as file:
        vendor.np.save(file, vendor.tensors((1, 3, 16, 16), 1)[0])
    (tmp_path / "dataset.txt").write_text("sample.npy\n")
    subprocess.run(
        [str(toolkit.python), "-c", ANALYSE], cwd=tmp_path, check=True, capture_output=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    imported = done(upload(project, vendor.zipped(tmp_path / "snapshot")), run_queue)
    table = tables(imported)["entire"]
    numbered = [row for row in table.rows if row.score.printed]  # Conv and Relu are one: its row is blank
    assert (table.agreeing, table.compared) == (2 * len(numbered), 2 * len(numbered))
    assert len(table.rows) == len(numbered) + 1
    assert imported.ignored == {"count": 0, "names": []}
