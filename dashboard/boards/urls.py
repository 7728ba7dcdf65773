"""Addresses of boards, runs and the files that a run needs and brings back."""

from django.urls import path

from dashboard.boards import reserving, views

urlpatterns = [
    path("boards/", views.boards, name="boards"),
    path("boards/<int:pk>/", views.board, name="board"),
    path("boards/<int:pk>/pause/", views.pause, name="board-pause"),
    path("boards/<int:pk>/resume/", views.resume, name="board-resume"),
    path("boards/<int:pk>/drain/", reserving.drain, name="board-drain"),
    path("boards/<int:pk>/reserve/", reserving.reserve, name="board-reserve"),
    path("boards/<int:pk>/release/", reserving.release, name="board-release"),
    path("runs/<int:pk>/", views.run, name="run"),
    path("runs/<int:pk>/outputs/", views.outputs_file, name="outputs-file"),
    path("artifacts/<int:pk>/file/", views.artifact_file, name="artifact-file"),
]
