"""Addresses of the operators' first page, and of recordings, results and health."""

from __future__ import annotations

from django.urls import path

from emotion import operator_views

urlpatterns = [
    path("", operator_views.home, name="operate_home"),
    path("recordings/", operator_views.recordings, name="operate_recordings"),
    path("recordings/<uuid:recording_id>/", operator_views.recording, name="operate_recording"),
    path("analyses/<uuid:analysis_id>/result/", operator_views.result, name="operate_result"),
    path("health/", operator_views.health, name="operate_health"),
]
