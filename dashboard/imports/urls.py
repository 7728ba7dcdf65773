"""Addresses of imports, and of the comparison of any two dumps."""

from django.urls import path

from dashboard.imports import views

urlpatterns = [
    path("projects/<slug:slug>/imports/", views.imports, name="imports"),
    path("projects/<slug:slug>/imports/new/", views.new_import, name="import-new"),
    path("projects/<slug:slug>/dumps/compare/", views.compare_dumps, name="dumps-compare"),
    path("imports/<int:pk>/", views.imported, name="import"),
    path("imports/<int:pk>/file/", views.import_file, name="import-file"),
]
