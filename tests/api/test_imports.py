"""`/api/v1/imports/`: uploads, what they hold, and what is refused."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from dashboard.imports.models import Import
from tests import factories
from tests.imports.rows import make_import

pytestmark = pytest.mark.django_db
V1 = "/api/v1"


def send(api, project, content: bytes = b"bytes", name: str = "snapshot.zip", **fields):
    form = {"project": project.pk, "file": SimpleUploadedFile(name, content), **fields}
    return api.post(f"{V1}/imports/", form, format="multipart")


def test_an_upload_is_a_queued_import(api, project):
    answer = send(api, project, name="snapshot.zip")
    assert (answer.status_code, answer.json()["state"], answer.json()["name"]) == (
        201,
        "queued",
        "snapshot.zip",
    )


def test_the_same_file_again_is_a_200_and_the_same_import(api, project):
    first, again = send(api, project), send(api, project)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


def test_a_reference_is_kept(api, project):
    dump = factories.make_dump(project)
    assert send(api, project, reference=dump.pk).json()["reference"] == dump.pk


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"content": b""}, 422, "import:empty"),
        ({"name": "x" * 300, "reference": "x"}, 400, "request:invalid"),
        ({"reference": 999_999}, 400, "request:invalid"),
    ],
)
def test_an_upload_that_makes_no_sense_is_refused(api, project, fields, status, code):
    answer = send(api, project, **fields)
    assert (answer.status_code, answer.json()["code"], Import.objects.count()) == (status, code, 0)


def test_a_dump_of_another_project_is_no_reference(api, project):
    foreign = factories.make_dump(factories.make_project())
    assert send(api, project, reference=foreign.pk).status_code == 400


def test_a_file_over_the_limit_is_refused(api, project, settings):
    settings.MAX_UPLOAD_BYTES = 3
    answer = send(api, project)
    assert (answer.status_code, answer.json()["code"]) == (413, "import:too-large")


def test_an_import_tells_what_it_holds(api, project):
    imported = make_import(project)
    found = api.get(f"{V1}/imports/{imported.pk}/").json()
    assert [dump["rung"] for dump in found["dumps"]] == ["converted", "quantized"]
    assert found["parts"][0]["where"] == "snapshot/error_analysis.txt"
    comparison = api.get(f"{V1}/comparisons/{found['comparisons'][0]}/").json()
    assert (comparison["imported"], comparison["simulated"]) == (True, False)


def test_imported_dumps_say_so(api, project):
    imported = make_import(project)
    dump = api.get(f"{V1}/dumps/{imported.dumps.first().dump_id}/").json()
    assert (dump["imported"], factories.make_dump(project).imported) == (True, False)


def test_scores_are_what_the_vendor_printed(api, project):
    imported = make_import(project)
    found = api.get(f"{V1}/imports/{imported.pk}/scores/?scope=entire").json()
    assert (found["count"], found["results"][0]["printed"]["cosine"], found["results"][0]["cosine"]) == (
        3, "1.00000", 1.0,
    )  # fmt: skip


def test_an_odd_scope_is_refused(api, project):
    assert api.get(f"{V1}/imports/{make_import(project).pk}/scores/?scope=x").status_code == 400


def test_tables_come_with_their_rows(api, project):
    found = api.get(f"{V1}/imports/{make_import(project).pk}/tables/").json()["results"]
    assert [(table["kind"], len(table["rows"])) for table in found] == [
        ("times", 3), ("compiled", 3), ("quantization", 3),
    ]  # fmt: skip


def test_more_imports_cost_no_more_queries(api, project, django_assert_max_num_queries):
    for _ in range(5):
        make_import(project)
    with django_assert_max_num_queries(8):
        assert len(api.get(f"{V1}/imports/").json()["results"]) == 5


def test_an_import_is_a_job_of_its_kind(api, project):
    imported = make_import(project, "by hand")
    assert api.get(f"{V1}/jobs/import/{imported.pk}/").json()["title"] == "Import by hand"
