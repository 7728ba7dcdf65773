"""Pages of imports: forms and what they refuse, what is marked as imported, escaping, queries."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from dashboard.imports.models import Import, ImportedScore
from dashboard.imports.services import comparisons_of
from dashboard.imports.shown import Figure
from dashboard.layers.models import Comparison, Dump
from tests.factories import fail, make_dump, make_evaluation, make_project, succeed
from tests.imports.rows import make_import, make_queued_import
from tests.pages.conftest import SignIn, World, as_user, world

__all__ = ["as_user", "world"]


@pytest.fixture
def developer(world: World, as_user: SignIn) -> Client:
    return as_user(world.developer)


def page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_an_empty_name_is_the_files_name(world: World, developer: Client) -> None:
    developer.post("/projects/vision/imports/new/", {"file": SimpleUploadedFile("../a.zip", b"bytes")})
    assert Import.objects.latest("pk").name == "a.zip"


def test_an_upload_over_the_limit_is_refused_with_advice(
    world: World, developer: Client, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 3
    answer = developer.post("/projects/vision/imports/new/", {"file": SimpleUploadedFile("a.zip", b"bytes")})
    assert (answer.status_code, "LAYERWISE_MAX_IMPORT_MB" in answer.content.decode()) == (413, True)


def test_a_foreign_dump_is_no_reference(world: World, developer: Client) -> None:
    form = {"file": SimpleUploadedFile("a.zip", b"bytes"), "reference": make_dump(make_project()).pk}
    assert developer.post("/projects/vision/imports/new/", form).status_code == 422


def test_the_page_shows_every_part_and_marks_it_as_imported(world: World, developer: Client) -> None:
    shown = page(developer, f"/imports/{world.imported.pk}/")
    for words in (
        "What was recognised", "snapshot/notes.md", "Our own comparison of the imported dumps is under way",
        "golden/", "converted (imported) → quantized (imported)", "rknn1 eval_perf", "27.0 µs",
        "The compiler's estimates, not measurements", "Quantization: x.cfg",
    ):  # fmt: skip
        assert words in shown
    assert shown.count('class="badge imported"') >= 5


def test_a_comparison_of_imported_dumps_says_so(world: World, developer: Client) -> None:
    comparison = Comparison.objects.get(reference__imported=True)
    assert 'class="badge imported"' in page(developer, f"/comparisons/{comparison.pk}/")


def test_a_comparison_of_our_own_dumps_does_not(world: World, developer: Client) -> None:
    comparison = world.evaluation.legs.all()[0].quantization
    assert comparison is not None
    assert 'class="badge imported"' not in page(developer, f"/comparisons/{comparison.pk}/")


def test_a_downloaded_dump_is_called_imported(world: World, developer: Client) -> None:
    answer = developer.get(f"/dumps/{Dump.objects.filter(imported=True)[0].pk}/file/")
    answer.getvalue()
    assert "-imported.safetensors" in answer.headers["Content-Disposition"]


def test_the_page_asks_until_the_comparisons_have_ended(world: World, developer: Client) -> None:
    address = f"/imports/{world.imported.pk}/"
    assert f'hx-get="{address}?comparing=1"' in page(developer, address)
    asked = [developer.get(f"{address}?comparing=1", headers={"HX-Request": "true"})]
    succeed(comparisons_of(world.imported).get())
    asked.append(developer.get(f"{address}?comparing=1", headers={"HX-Request": "true"}))
    assert [(answer.status_code, answer.headers.get("HX-Refresh")) for answer in asked] == [
        (204, None), (204, "true"),
    ]  # fmt: skip
    assert "comparing=1" not in page(developer, address)


def test_a_comparison_that_failed_is_told_where_its_figures_would_be(world: World, developer: Client) -> None:
    fail(comparisons_of(world.imported).get(), "system:file-missing")
    shown = page(developer, f"/imports/{world.imported.pk}/")
    assert "Our own comparison of the imported dumps ended without these layers" in shown


def test_jobs_name_imports_and_lead_to_their_pages(world: World, developer: Client) -> None:
    queued = make_queued_import(world.project, "by hand")
    assert "Import by hand" in page(developer, "/jobs/?kind=import")
    assert f'href="/imports/{queued.pk}/"' in page(developer, f"/jobs/import/{queued.pk}/")


def test_an_import_that_waits_is_cancelled(world: World, developer: Client) -> None:
    queued = make_queued_import(world.project)
    developer.post(f"/jobs/import/{queued.pk}/cancel/")
    assert Import.objects.get(pk=queued.pk).failure == "job:cancelled"


def test_names_of_layers_are_shown_as_text(world: World, developer: Client) -> None:
    imported = make_import(world.project, "<b>x</b>", layers=("<script>alert(1)</script>", "</script><i>"))
    shown = page(developer, f"/imports/{imported.pk}/")
    assert "<script>alert" not in shown and "</script><i>" not in shown and "<b>x</b>" not in shown


def test_any_two_dumps_of_the_project_are_compared(world: World, developer: Client) -> None:
    one, other = make_dump(world.project), world.imported.dumps.first().dump
    answer = developer.post("/projects/vision/dumps/compare/", {"reference": one.pk, "candidate": other.pk})
    made = Comparison.objects.get(reference=one, candidate=other)
    assert answer.headers["Location"] == f"/comparisons/{made.pk}/"


def test_the_form_knows_where_dumps_come_from(world: World, developer: Client) -> None:
    shown = page(
        developer, f"/projects/vision/dumps/compare/?candidate={world.imported.dumps.first().dump_id}"
    )
    run, source = world.evaluation.legs.all()[0].run, world.evaluation.legs.all()[0].source
    assert all(words in shown for words in (world.imported.name, f"run {run.pk}", str(source), " selected>"))


@pytest.mark.parametrize("change", ["same", "foreign", "none", "words"])
def test_what_cannot_be_compared_is_refused(world: World, developer: Client, change: str) -> None:
    own = make_dump(world.project)
    other = {"same": own.pk, "foreign": make_dump(make_project()).pk, "none": "", "words": "x"}[change]
    answer = developer.post("/projects/vision/dumps/compare/", {"reference": own.pk, "candidate": other})
    assert answer.status_code == 422


def test_more_imports_and_layers_cost_no_more_queries(world: World, as_user: SignIn) -> None:
    from django.db import connection

    def count(client: Client, address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200
        return len(seen)

    client = as_user(world.viewer)
    many = make_import(world.project, layers=[f"conv_{number}_x" for number in range(40)])
    assert count(client, f"/imports/{many.pk}/") == count(client, f"/imports/{world.imported.pk}/")
    before = count(client, "/projects/vision/imports/")
    for _ in range(10):
        make_import(world.project)
    assert count(client, "/projects/vision/imports/") == before


def test_more_dumps_cost_the_form_no_more_queries(world: World, as_user: SignIn) -> None:
    from django.db import connection

    client, seen = as_user(world.developer), []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            client.get("/projects/vision/dumps/compare/")
        seen.append(len(queries))
        make_evaluation(world.evaluation.version, board=world.board)
        make_import(world.project)
    assert seen[0] == seen[1]


def test_thousands_of_layers_are_shown_up_to_a_limit(world: World, developer: Client) -> None:
    imported = make_import(world.project, has_dumps=False, layers=[f"layer {n}" for n in range(2100)])
    shown = page(developer, f"/imports/{imported.pk}/")
    assert "The first 2000 of 2100 layers" in shown
    assert ImportedScore.objects.filter(imported=imported).count() == 4200


@pytest.mark.parametrize(
    ("metric", "printed", "value", "ours", "mark"),
    [
        ("cosine", "0.99998", 0.999976, "0.99998", "✓"),
        ("cosine", "0.99998", 0.999974, "0.99997", "≈"),
        ("cosine", "0.99985", 0.99984033, "0.99984", "≈"),  # toolkit2's own float32, of 691,200 values
        ("cosine", "0.99998", 0.99990, "0.99990", "≠"),
        ("euclidean", "0.0", 0.04, "0.0", "✓"),
        ("euclidean", "6.3310", 6.33104, "6.3310", "✓"),
        ("euclidean", "10.972", 10.9726, "10.973", "≠"),
        ("euclidean", "10.45975", 10.4597553, "10.45976", "≈"),
        ("euclidean", "1172.83765", 1172.83771, "1172.83771", "≈"),
        ("euclidean", "1172.83765", 1172.8391, "1172.83910", "≠"),
        ("euclidean", "1.5e-05", 1.52e-5, "1.5e-05", "✓"),
        ("cosine", "", 0.5, "0.50000", ""),
        ("cosine", "0.5", None, "", ""),
        ("cosine", "nan", 0.5, "0", "≠"),
    ],
)
def test_our_figure_has_the_vendors_digits(
    metric: str, printed: str, value: float | None, ours: str, mark: str
) -> None:
    figure = Figure(metric, printed, value)
    found = "✓" if figure.agrees else "≈" if figure.is_near else "≠" if figure.is_compared else ""
    assert (figure.ours, found) == (ours, mark)


def test_an_upload_is_sent_back_as_it_came(world: World, developer: Client) -> None:
    answer = developer.get(f"/imports/{world.imported.pk}/file/")
    assert io.BytesIO(answer.getvalue()).read().startswith(b"archive ")
