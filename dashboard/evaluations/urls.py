"""Addresses of evaluations and of the side-by-side comparison of two runs."""

from django.urls import path

from dashboard.evaluations import views
from dashboard.evaluations.layertypes_view import layer_types

urlpatterns = [
    path("versions/<int:pk>/evaluations/new/", views.new_evaluation, name="evaluation-new"),
    path("evaluations/<int:pk>/", views.evaluation, name="evaluation"),
    path("evaluations/<int:pk>/cancel/", views.cancel, name="evaluation-cancel"),
    path("legs/<int:pk>/data-types/", layer_types, name="leg-data-types"),
    path("compare/", views.compare, name="compare"),
]
