"""Addresses of the consent API."""

from __future__ import annotations

from django.urls import path

from consent import (
    api,
    consent_request_api,
    log_entry_api,
    purpose_api,
    receipt_api,
    recipient_api,
    webhook_api,
)

urlpatterns = [
    path("purposes/", purpose_api.Purposes.as_view(), name="api_purposes"),
    path("purposes/<uuid:purpose_id>/", purpose_api.PurposeDetail.as_view(), name="api_purpose"),
    path(
        "consent-requests/",
        consent_request_api.ConsentRequests.as_view(),
        name="api_consent_requests",
    ),
    path(
        "consent-requests/<uuid:reference_id>/",
        consent_request_api.ConsentRequestDetail.as_view(),
        name="api_consent_request",
    ),
    path(
        "consent-requests/<uuid:reference_id>/resend/",
        consent_request_api.Resending.as_view(),
        name="api_consent_request_resend",
    ),
    path(
        "consent-requests/<uuid:reference_id>/cancel/",
        consent_request_api.Cancelling.as_view(),
        name="api_consent_request_cancel",
    ),
    path("subjects/", api.SubjectList.as_view(), name="api_subjects"),
    path("subjects/find/", api.Subjects.as_view(), name="api_subjects_find"),
    path("subjects/<uuid:reference_id>/", api.SubjectDetail.as_view(), name="api_subject"),
    path(
        "subjects/<uuid:reference_id>/receipts/",
        receipt_api.ErasureReceipts.as_view(),
        name="api_subject_receipts",
    ),
    path(
        "subjects/<uuid:reference_id>/consents/",
        receipt_api.ConsentReceipts.as_view(),
        name="api_subject_consents",
    ),
    path("erasures/", recipient_api.Erasures.as_view(), name="api_erasures"),
    path(
        "erasures/<uuid:telling_id>/acknowledge/",
        recipient_api.Acknowledgement.as_view(),
        name="api_erasure_acknowledge",
    ),
    path("webhook/", webhook_api.Webhook.as_view(), name="api_webhook"),
    path(
        "webhook/rotate-secret/",
        webhook_api.SecretRotation.as_view(),
        name="api_webhook_rotate_secret",
    ),
    path("webhook/deliveries/", webhook_api.Deliveries.as_view(), name="api_webhook_deliveries"),
    path(
        "webhook/deliveries/<uuid:telling_id>/replay/",
        webhook_api.Replay.as_view(),
        name="api_webhook_replay",
    ),
    path(
        "log-entries/<uuid:logged_id>/",
        log_entry_api.LogEntryDetail.as_view(),
        name="api_log_entry",
    ),
    path(
        "log-entries/<uuid:logged_id>/proof/",
        log_entry_api.LogEntryProof.as_view(),
        name="api_log_entry_proof",
    ),
]
