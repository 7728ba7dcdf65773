"""The address of a model's history."""

from django.urls import path

from dashboard.history import views

urlpatterns = [path("models/<int:pk>/history/", views.history, name="history")]
