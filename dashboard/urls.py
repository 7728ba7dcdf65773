"""Every address of the site, one include per room."""

from django.urls import include, path, re_path

from dashboard.api.errors import NotHere

urlpatterns = [
    path("", include("dashboard.projects.urls")),
    path("", include("dashboard.registry.urls")),
    path("", include("dashboard.lint.urls")),
    path("", include("dashboard.evaluations.urls")),
    path("", include("dashboard.conversions.urls")),
    path("", include("dashboard.layers.urls")),
    path("", include("dashboard.imports.urls")),
    path("", include("dashboard.registration.urls")),
    path("", include("dashboard.health.urls")),
    path("", include("dashboard.telemetry.urls")),
    path("", include("dashboard.boards.urls")),
    path("", include("dashboard.jobs.urls")),
    path("", include("dashboard.history.urls")),
    path("", include("dashboard.operations.urls")),
    path("api/v1/", include("dashboard.api.urls")),
    re_path(r"^api(/.*)?$", NotHere.as_view(), name="api-elsewhere"),
]
