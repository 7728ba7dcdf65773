"""Addresses of lint."""

from django.urls import path

from dashboard.lint import views

urlpatterns = [
    path("sources/<int:pk>/lint/", views.source_lint, name="source-lint"),
    path("sources/<int:pk>/inspect-again/", views.inspect_again, name="source-inspect-again"),
    path("versions/<int:pk>/lint/", views.version_lint, name="version-lint"),
]
