"""Addresses of conversions."""

from django.urls import path

from dashboard.conversions import views

urlpatterns = [path("toolkits/", views.toolkits, name="toolkits")]
