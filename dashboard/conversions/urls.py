"""Addresses of conversions."""

from django.urls import path

from dashboard.conversions import views

urlpatterns = [
    path("toolkits/", views.toolkits, name="toolkits"),
    path("artifacts/<int:pk>/histograms/", views.histograms, name="histograms"),
    path("artifacts/<int:pk>/histograms/<str:sha256>.png", views.histogram_file, name="histogram-file"),
]
