"""Addresses of golden models, checks, incidents, twin checks and power switches."""

from django.urls import path

from dashboard.health.views import boards, golden, twins

urlpatterns = [
    path("projects/<slug:slug>/golden-models/", golden.golden_models, name="golden-models"),
    path("runs/<int:pk>/golden-model/", golden.name, name="golden-model-new"),
    path("golden-models/<int:pk>/", golden.golden_model, name="golden-model"),
    path("golden-models/<int:pk>/retire/", golden.retire, name="golden-model-retire"),
    path("health-checks/<int:pk>/", boards.check, name="health-check"),
    path("health-checks/<int:pk>/accept/", boards.accept, name="health-check-accept"),
    path("boards/<int:pk>/health/", boards.health, name="board-health"),
    path("boards/<int:pk>/health/check/", boards.check_now, name="board-check"),
    path("boards/<int:pk>/incidents/", boards.incidents, name="board-incidents"),
    path("incidents/<int:pk>/close/", boards.close_incident, name="incident-close"),
    path("boards/<int:pk>/power/", boards.power, name="board-power"),
    path("boards/<int:pk>/power/cycle/", boards.power_cycle, name="board-power-cycle"),
    path("boards/<int:pk>/power/remove/", boards.power_remove, name="board-power-remove"),
    path("projects/<slug:slug>/twin-checks/", twins.twin_checks, name="twin-checks"),
    path("projects/<slug:slug>/twin-checks/new/", twins.twin_new, name="twin-check-new"),
    path("twin-checks/<int:pk>/", twins.twin_check, name="twin-check"),
]
