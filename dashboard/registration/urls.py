"""Addresses of registration: new boards, their host keys, access to boards, probes."""

from django.urls import path

from dashboard.registration import boardviews, views

urlpatterns = [
    path("projects/<slug:slug>/boards/new/", views.board_new, name="board-new"),
    path("registrations/<int:pk>/", views.registration, name="registration"),
    path("registrations/<int:pk>/look/", views.look, name="registration-look"),
    path("registrations/<int:pk>/confirm/", views.confirm, name="registration-confirm"),
    path("registrations/<int:pk>/discard/", views.discard, name="registration-discard"),
    path("boards/<int:pk>/access/", boardviews.access, name="board-access"),
    path("boards/<int:pk>/probe/", boardviews.probe_board, name="board-probe"),
    path("boards/<int:pk>/admit/", boardviews.admit, name="board-admit"),
    path("boards/<int:pk>/pin/", boardviews.pin, name="board-pin"),
    path("probes/<int:pk>/", boardviews.probe, name="probe"),
]
