"""Addresses of the data subject's pages about their own recordings."""

from __future__ import annotations

from django.urls import path

from emotion import (
    bundle_views,
    camera_views,
    comparison_views,
    dispute_views,
    film_views,
    home,
    own_uploads,
    photograph_views,
    trend_views,
    views,
)

urlpatterns = [
    path("", home.subject_home, name="subject_home"),
    path("studies/<uuid:purpose_id>/download/", bundle_views.own_bundle, name="own_bundle"),
    path("studies/<uuid:purpose_id>/upload/", views.upload, name="upload"),
    path("studies/<uuid:purpose_id>/uploads/", own_uploads.own_uploads, name="own_uploads"),
    path("uploads/<uuid:own_upload_id>/", own_uploads.own_upload, name="own_upload"),
    path("studies/<uuid:purpose_id>/camera/", camera_views.camera, name="camera"),
    path("studies/<uuid:purpose_id>/camera/open/", camera_views.camera_open, name="camera_open"),
    path("recordings/<uuid:recording_id>/", views.recording, name="own_recording"),
    path("recordings/<uuid:film_id>/film/", film_views.own_film, name="own_film"),
    path(
        "recordings/<uuid:recording_id>/photograph/",
        photograph_views.own_photograph,
        name="own_photograph",
    ),
    path(
        "recordings/<uuid:recording_id>/compare/",
        comparison_views.compare_own,
        name="own_comparison",
    ),
    path("recordings/<uuid:recording_id>/dispute/", dispute_views.dispute_own, name="own_dispute"),
    path(
        "recordings/<uuid:recording_id>/dispute/retract/",
        dispute_views.retract_own,
        name="own_dispute_retract",
    ),
    path(
        "recordings/<uuid:recording_id>/dispute/erase/",
        dispute_views.erase_disputed,
        name="own_dispute_erase",
    ),
    path("over-time/", trend_views.own_trend, name="own_trend"),
    path("analyses/<uuid:analysis_id>/result/", views.result, name="own_result"),
]
