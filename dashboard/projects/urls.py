"""Addresses of the entrance, projects, members and tokens."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from dashboard.projects import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("", views.projects, name="projects"),
    path("projects/<slug:slug>/", views.project, name="project"),
    path("projects/<slug:slug>/members/", views.members, name="members"),
    path("projects/<slug:slug>/members/<int:pk>/remove/", views.remove_member, name="member-remove"),
    path("projects/<slug:slug>/tokens/", views.tokens, name="tokens"),
    path("projects/<slug:slug>/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
]
