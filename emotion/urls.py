"""Addresses of the data subject's pages about their own recordings."""

from __future__ import annotations

from django.urls import path

from emotion import home, views

urlpatterns = [
    path("", home.subject_home, name="subject_home"),
    path("studies/<uuid:purpose_id>/upload/", views.upload, name="upload"),
    path("recordings/<uuid:recording_id>/", views.recording, name="own_recording"),
    path("analyses/<uuid:analysis_id>/result/", views.result, name="own_result"),
]
