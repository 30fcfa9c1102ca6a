"""Addresses of the operators' first page, of recordings, results and health, and of the technical file."""

from __future__ import annotations

from django.urls import path

from emotion import (
    bulk_views,
    cohort_views,
    comparison_views,
    dispute_views,
    film_views,
    keys_views,
    operator_views,
    pack_views,
    photograph_views,
    retention_views,
    technical_file_views,
)

urlpatterns = [
    path("", operator_views.home, name="operate_home"),
    path("recordings/", operator_views.recordings, name="operate_recordings"),
    path("recordings/act/", bulk_views.act_on_many, name="operate_recordings_act"),
    path("recordings/<uuid:recording_id>/", operator_views.recording, name="operate_recording"),
    path(
        "recordings/<uuid:recording_id>/photograph/",
        photograph_views.photograph,
        name="operate_photograph",
    ),
    path("recordings/<uuid:film_id>/film/", film_views.film, name="operate_film"),
    path(
        "recordings/<uuid:recording_id>/compare/",
        comparison_views.compare,
        name="operate_compare",
    ),
    path("disputes/", dispute_views.disputes, name="operate_disputes"),
    path("disputes/<uuid:dispute_id>/", dispute_views.dispute_detail, name="operate_dispute"),
    path(
        "recordings/<uuid:recording_id>/again/",
        operator_views.again,
        name="operate_again",
    ),
    path("analyses/<uuid:analysis_id>/result/", operator_views.result, name="operate_result"),
    path("retention/", retention_views.retention, name="operate_retention"),
    path(
        "purposes/<uuid:purpose_id>/periods/",
        retention_views.periods,
        name="operate_purpose_periods",
    ),
    path("purposes/<uuid:purpose_id>/group/", cohort_views.cohort, name="operate_cohort"),
    path(
        "purposes/<uuid:purpose_id>/group/answers/",
        cohort_views.cohort_answers,
        name="operate_cohort_answers",
    ),
    path("keys/", keys_views.keys, name="operate_keys"),
    path("models/<str:pack>/use/", pack_views.use, name="operate_model_use"),
    path("health/", operator_views.health, name="operate_health"),
    path("technical-file/", technical_file_views.page, name="operate_technical_file"),
    path("technical-file.json", technical_file_views.file, name="operate_technical_file_json"),
]
