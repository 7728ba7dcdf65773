"""Addresses of comparisons and dump files."""

from django.urls import path

from dashboard.layers import views

urlpatterns = [
    path("comparisons/<int:pk>/", views.comparison, name="comparison"),
    path("dumps/<int:pk>/file/", views.dump_file, name="dump-file"),
]
