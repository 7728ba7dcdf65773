"""Addresses of evaluations and of the side-by-side comparison of two runs."""

from django.urls import path

from dashboard.evaluations import views

urlpatterns = [
    path("versions/<int:pk>/evaluations/new/", views.new_evaluation, name="evaluation-new"),
    path("evaluations/<int:pk>/", views.evaluation, name="evaluation"),
    path("evaluations/<int:pk>/cancel/", views.cancel, name="evaluation-cancel"),
    path("compare/", views.compare, name="compare"),
]
