"""Addresses of the pages about people who work here."""

from __future__ import annotations

from django.urls import path, re_path

from accounts import auditor_views, operator_views, training_views

urlpatterns = [
    path("auditors/", auditor_views.auditors, name="operate_auditors"),
    path("auditors/new/", auditor_views.auditor_new, name="operate_auditor_new"),
    path("auditors/<uuid:token_id>/", auditor_views.auditor_revoke, name="operate_auditor_revoke"),
    path("training/", training_views.training, name="operate_training"),
    path(
        "training/<uuid:operator_id>/",
        training_views.operator_training,
        name="operate_operator_training",
    ),
    path(
        "training/certificates/<uuid:certificate_id>/withdraw/",
        training_views.certificate_withdraw,
        name="operate_certificate_withdraw",
    ),
    path("operators/", operator_views.operator_list, name="operate_operators"),
    path("operators/new/", operator_views.operator_new, name="operate_operator_new"),
    path("operators/<uuid:operator_id>/", operator_views.operator_detail, name="operate_operator"),
    re_path(
        r"^operators/(?P<operator_id>[0-9a-f-]{36})/(?P<step>deactivate|reactivate|reset)/$",
        operator_views.operator_step,
        name="operate_operator_step",
    ),
]
