"""Addresses of the recordings API."""

from __future__ import annotations

from django.urls import path

from emotion import analyses_api, api, batch_api, exports_api, results_api, tus_api

urlpatterns = [
    path("recordings/", api.Recordings.as_view(), name="api_recordings"),
    path("recordings/batch/", batch_api.RecordingsBatch.as_view(), name="api_recordings_batch"),
    path("recordings/<uuid:recording_id>/", api.RecordingDetail.as_view(), name="api_recording"),
    path(
        "recordings/<uuid:recording_id>/analyses/",
        analyses_api.RecordingAnalyses.as_view(),
        name="api_recording_analyses",
    ),
    path("analyses/", analyses_api.Analyses.as_view(), name="api_analyses"),
    path(
        "analyses/<uuid:analysis_id>/", analyses_api.AnalysisDetail.as_view(), name="api_analysis"
    ),
    path(
        "analyses/<uuid:analysis_id>/cancel/",
        analyses_api.AnalysisCancel.as_view(),
        name="api_analysis_cancel",
    ),
    path(
        "analyses/<uuid:analysis_id>/result/",
        results_api.ResultDetail.as_view(),
        name="api_result",
    ),
    path(
        "analyses/<uuid:analysis_id>/series/<slug:category>/",
        results_api.SeriesDetail.as_view(),
        name="api_series",
    ),
    path("exports/", exports_api.Exports.as_view(), name="api_exports"),
    path("exports/<uuid:export_id>/", exports_api.ExportDetail.as_view(), name="api_export"),
    path(
        "exports/<uuid:export_id>/content/",
        exports_api.ExportContent.as_view(),
        name="api_export_content",
    ),
    path("uploads/", tus_api.Uploads.as_view(), name="api_uploads"),
    path("uploads/<uuid:upload_id>/", tus_api.UploadDetail.as_view(), name="api_upload"),
]
