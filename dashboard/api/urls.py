"""Every address of the API, one line per resource."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from dashboard.api import (
    artifacts,
    boardaccess,
    boards,
    comparisons,
    conversions,
    dumps,
    evaluations,
    failures,
    golden_models,
    health_checks,
    histories,
    imports,
    incidents,
    input_sets,
    jobs,
    lint,
    openapi,
    presets,
    probes,
    projects,
    recipes,
    registered_models,
    registrations,
    runs,
    sources,
    telemetry,
    tokens,
    toolkits,
    twin_checks,
    versions,
    whoami,
)
from dashboard.api.errors import NotHere

router = SimpleRouter(use_regex_path=False)
router.register("projects", projects.Projects, "api-project")
router.register("models", registered_models.Models, "api-model")
router.register("versions", versions.Versions, "api-version")
router.register("sources", sources.Sources, "api-source")
router.register("input-sets", input_sets.InputSets, "api-input-set")
router.register("imports", imports.Imports, "api-import")
router.register("recipes", recipes.Recipes, "api-recipe")
router.register("conversions", conversions.Conversions, "api-conversion")
router.register("artifacts", artifacts.Artifacts, "api-artifact")
router.register("runs", runs.Runs, "api-run")
router.register("dumps", dumps.Dumps, "api-dump")
router.register("comparisons", comparisons.Comparisons, "api-comparison")
router.register("evaluations", evaluations.Evaluations, "api-evaluation")
router.register("boards", boards.Boards, "api-board")
router.register("registrations", registrations.Registrations, "api-registration")
router.register("probes", probes.Probes, "api-probe")
router.register("golden-models", golden_models.GoldenModels, "api-golden-model")
router.register("health-checks", health_checks.HealthChecks, "api-health-check")
router.register("incidents", incidents.Incidents, "api-incident")
router.register("twin-checks", twin_checks.TwinChecks, "api-twin-check")
router.register("jobs/<slug:kind>", jobs.Jobs, "api-job")
router.register("tokens", tokens.Tokens, "api-token")

urlpatterns = [
    path("", include(router.urls)),
    *(
        path(
            f"boards/<int:pk>/{verb}/",
            boardaccess.BoardAccess.as_view({"get" if verb == "access" else "post": verb}),
            name=f"api-board-{verb}",
        )
        for verb in ("probe", "access", "admit", "pin")
    ),
    path("models/<int:model>/history/", histories.History.as_view({"get": "list"}), name="api-history"),
    path(
        "boards/<int:board>/readings/",
        telemetry.Readings.as_view({"get": "list"}),
        name="api-board-readings",
    ),
    path("boards/<int:board>/changes/", telemetry.Changes.as_view({"get": "list"}), name="api-board-changes"),
    path(
        "comparisons/<int:pk>/scores.csv",
        comparisons.Comparisons.as_view({"get": "scores_csv"}, filter_backends=[]),
        name="api-comparison-scores-csv",
    ),
    path("sources/<int:pk>/lint/", lint.SourceLint.as_view({"get": "lint"}), name="api-source-lint"),
    path("failures/", failures.Failures.as_view(), name="api-failures"),
    path("presets/", presets.Presets.as_view(), name="api-presets"),
    path("toolkits/", toolkits.Toolkits.as_view(), name="api-toolkits"),
    path("whoami/", whoami.Whoami.as_view(), name="api-whoami"),
    path("schema/", openapi.Schema.as_view(), name="api-schema"),
    re_path(r"^.*$", NotHere.as_view(), name="api-not-here"),
]
