"""Every address of the API, one line per resource."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from dashboard.api import (
    artifacts,
    boards,
    comparisons,
    conversions,
    dumps,
    evaluations,
    failures,
    histories,
    input_sets,
    jobs,
    openapi,
    projects,
    recipes,
    registered_models,
    runs,
    sources,
    tokens,
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
router.register("recipes", recipes.Recipes, "api-recipe")
router.register("conversions", conversions.Conversions, "api-conversion")
router.register("artifacts", artifacts.Artifacts, "api-artifact")
router.register("runs", runs.Runs, "api-run")
router.register("dumps", dumps.Dumps, "api-dump")
router.register("comparisons", comparisons.Comparisons, "api-comparison")
router.register("evaluations", evaluations.Evaluations, "api-evaluation")
router.register("boards", boards.Boards, "api-board")
router.register("jobs/<slug:kind>", jobs.Jobs, "api-job")
router.register("tokens", tokens.Tokens, "api-token")

urlpatterns = [
    path("", include(router.urls)),
    path("models/<int:model>/history/", histories.History.as_view({"get": "list"}), name="api-history"),
    path(
        "comparisons/<int:pk>/scores.csv",
        comparisons.Comparisons.as_view({"get": "scores_csv"}, filter_backends=[]),
        name="api-comparison-scores-csv",
    ),
    path("failures/", failures.Failures.as_view(), name="api-failures"),
    path("whoami/", whoami.Whoami.as_view(), name="api-whoami"),
    path("schema/", openapi.Schema.as_view(), name="api-schema"),
    re_path(r"^.*$", NotHere.as_view(), name="api-not-here"),
]
