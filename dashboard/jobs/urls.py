"""Addresses of jobs of every kind."""

from django.urls import path

from dashboard.jobs import views

urlpatterns = [
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<slug:kind>/<int:pk>/", views.job, name="job"),
    path("jobs/<slug:kind>/<int:pk>/cancel/", views.cancel, name="job-cancel"),
    path("jobs/<slug:kind>/<int:pk>/log/", views.log, name="job-log"),
]
