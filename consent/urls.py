"""Addresses of the data subject's pages about consent. None of them names anybody."""

from __future__ import annotations

from django.urls import path

from consent import (
    address_views,
    breach_views,
    choice_views,
    closing_views,
    erasure_views,
    guardian_views,
    narrowing_views,
    notice_views,
    paper_views,
    proof_views,
    receipt_views,
    request_views,
    sign_in_views,
    views,
)

urlpatterns = [
    path("invitation/<str:token>/", sign_in_views.invitation, name="invitation"),
    path("sign-in/", sign_in_views.sign_in, name="subject_sign_in"),
    path("sign-in/code/", sign_in_views.sign_in_code, name="subject_sign_in_code"),
    path("sign-out/", sign_in_views.sign_out, name="subject_sign_out"),
    path("studies/<uuid:purpose_id>/notice/", choice_views.notice, name="consent_notice"),
    path("studies/<uuid:purpose_id>/guardian/", guardian_views.guardian, name="consent_guardian"),
    path("studies/<uuid:purpose_id>/assent/", guardian_views.assent, name="consent_assent"),
    path("notices/<uuid:notice_id>/", notice_views.own_notice, name="own_notice"),
    path("studies/<uuid:purpose_id>/done/", views.done, name="consent_done"),
    path("studies/<uuid:purpose_id>/withdraw/", views.withdraw_page, name="consent_withdraw"),
    path("studies/<uuid:purpose_id>/change/", narrowing_views.change, name="consent_change"),
    path(
        "studies/<uuid:purpose_id>/consent/", receipt_views.consent_history, name="consent_history"
    ),
    path(
        "consents/<uuid:event_id>/receipt/",
        receipt_views.consent_receipt_file,
        name="consent_receipt",
    ),
    path("consents/<uuid:event_id>/paper/", paper_views.own_scan, name="own_paper"),
    path("erasures/", erasure_views.erasures, name="erasures"),
    path("erasures/<uuid:erasure_id>/", views.erasure, name="erasure"),
    path("erasures/<uuid:erasure_id>/receipt/", views.erasure_receipt_file, name="erasure_receipt"),
    path("requests/", request_views.requests, name="own_requests"),
    path("requests/new/<str:kind>/", request_views.request_new, name="own_request_new"),
    path("requests/<uuid:request_id>/", request_views.own_request, name="own_request"),
    path(
        "requests/<uuid:request_id>/retract/",
        request_views.request_retract,
        name="own_request_retract",
    ),
    path("address/", address_views.own, name="own_address"),
    path("breaches/<uuid:breach_id>/", breach_views.own_breach, name="own_breach"),
    path("close/", closing_views.close, name="close_account"),
    path("closed/<str:token>/", closing_views.closed, name="closed_account"),
    path(
        "closed/<str:token>/<uuid:erasure_id>/",
        closing_views.closed_receipt,
        name="closed_account_receipt",
    ),
    path("access/", proof_views.access, name="access_history"),
    path("access/proofs/", proof_views.access_proofs, name="entry_proofs"),
    path("access/<uuid:entry_id>/proof/", proof_views.access_proof, name="entry_proof"),
    path("verify_access_log.py", proof_views.verifier, name="verifier"),
]
