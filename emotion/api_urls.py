"""Addresses of the recordings API."""

from __future__ import annotations

from django.urls import path

from emotion import api, series_api

urlpatterns = [
    path("recordings/", api.Recordings.as_view(), name="api_recordings"),
    path("recordings/<uuid:recording_id>/", api.RecordingDetail.as_view(), name="api_recording"),
    path("analyses/<uuid:analysis_id>/", api.AnalysisDetail.as_view(), name="api_analysis"),
    path("analyses/<uuid:analysis_id>/result/", api.ResultDetail.as_view(), name="api_result"),
    path(
        "analyses/<uuid:analysis_id>/series/<slug:category>/",
        series_api.SeriesDetail.as_view(),
        name="api_series",
    ),
]
