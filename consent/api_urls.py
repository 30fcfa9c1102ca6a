"""Addresses of the consent API."""

from __future__ import annotations

from django.urls import path

from consent import api, recipient_api

urlpatterns = [
    path("consent-requests/", api.ConsentRequests.as_view(), name="api_consent_requests"),
    path("subjects/find/", api.Subjects.as_view(), name="api_subjects_find"),
    path("subjects/<uuid:reference_id>/", api.SubjectDetail.as_view(), name="api_subject"),
    path("erasures/", recipient_api.Erasures.as_view(), name="api_erasures"),
    path(
        "erasures/<uuid:telling_id>/acknowledge/",
        recipient_api.Acknowledgement.as_view(),
        name="api_erasure_acknowledge",
    ),
]
