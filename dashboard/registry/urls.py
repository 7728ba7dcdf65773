"""Addresses of models, versions, sources and input sets."""

from django.urls import path

from dashboard.registry import views

urlpatterns = [
    path("projects/<slug:slug>/models/new/", views.new_model, name="models-new"),
    path("models/<int:pk>/", views.model, name="model"),
    path("models/<int:pk>/versions/new/", views.new_version, name="version-new"),
    path("versions/<int:pk>/", views.version, name="version"),
    path("sources/<int:pk>/file/", views.source_file, name="source-file"),
    path("projects/<slug:slug>/input-sets/", views.input_sets, name="input-sets"),
    path("projects/<slug:slug>/input-sets/new/", views.new_input_set, name="input-set-new"),
    path("input-sets/<int:pk>/", views.input_set, name="input-set"),
    path("input-sets/<int:pk>/file/", views.input_set_file, name="input-set-file"),
]
