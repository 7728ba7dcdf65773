"""Addresses of what boards told over time, and of their sites."""

from django.urls import path

from dashboard.telemetry import views

urlpatterns = [
    path("boards/<int:pk>/changes/", views.changes, name="board-changes"),
    path("sites/", views.sites, name="sites"),
]
