"""Addresses of the consent API."""

from __future__ import annotations

from django.urls import path

from consent import api

urlpatterns = [
    path("consent-requests/", api.ConsentRequests.as_view(), name="api_consent_requests"),
    path("subjects/find/", api.Subjects.as_view(), name="api_subjects_find"),
    path("subjects/<uuid:reference_id>/", api.SubjectDetail.as_view(), name="api_subject"),
]
