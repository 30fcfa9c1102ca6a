"""Addresses of the operators' pages about purposes, people, messages and API clients."""

from __future__ import annotations

from django.urls import path

from consent import (
    address_views,
    assessment_views,
    breach_views,
    client_key_views,
    client_views,
    find_views,
    hold_views,
    link_back_views,
    many_invitations_views,
    notice_views,
    operator_views,
    outbox_views,
    paper_views,
    people_views,
    register_views,
    request_desk_views,
    step_views,
    webhook_views,
)

urlpatterns = [
    path("purposes/", operator_views.purposes, name="operate_purposes"),
    path("purposes/new/", operator_views.purpose_new, name="operate_purpose_new"),
    path("purposes/<uuid:purpose_id>/", operator_views.purpose_detail, name="operate_purpose"),
    path(
        "purposes/<uuid:purpose_id>/notices/new/",
        notice_views.notice_new,
        name="operate_notice_new",
    ),
    path(
        "purposes/<uuid:purpose_id>/notices/<uuid:notice_id>/",
        notice_views.notice_version,
        name="operate_notice",
    ),
    path(
        "purposes/<uuid:purpose_id>/edit/", operator_views.purpose_edit, name="operate_purpose_edit"
    ),
    path(
        "purposes/<uuid:purpose_id>/assessment/",
        assessment_views.assessment,
        name="operate_assessment",
    ),
    path(
        "purposes/<uuid:purpose_id>/assessment/new/",
        assessment_views.assessment_new,
        name="operate_assessment_new",
    ),
    path(
        "purposes/<uuid:purpose_id>/assessment/<uuid:assessment_id>/approve/",
        assessment_views.assessment_approve,
        name="operate_assessment_approve",
    ),
    path(
        "purposes/<uuid:purpose_id>/reason/",
        assessment_views.reason_document,
        name="operate_reason",
    ),
    path(
        "purposes/<uuid:purpose_id>/reason/agree/",
        assessment_views.reason_approve,
        name="operate_reason_approve",
    ),
    path("documents/<uuid:document_id>/", assessment_views.document, name="operate_document"),
    path("register/", register_views.register_page, name="operate_register"),
    path("register.json", register_views.register_file, name="operate_register_file"),
    path(
        "purposes/<uuid:purpose_id>/submit/",
        step_views.purpose_submit,
        name="operate_purpose_submit",
    ),
    path(
        "purposes/<uuid:purpose_id>/send-back/",
        step_views.purpose_send_back,
        name="operate_purpose_send_back",
    ),
    path("purposes/<uuid:purpose_id>/open/", step_views.purpose_open, name="operate_purpose_open"),
    path(
        "purposes/<uuid:purpose_id>/close/",
        step_views.purpose_close,
        name="operate_purpose_close",
    ),
    path(
        "purposes/<uuid:purpose_id>/researchers/",
        operator_views.purpose_assign,
        name="operate_purpose_assign",
    ),
    path(
        "purposes/<uuid:purpose_id>/invite-many/",
        many_invitations_views.invite_many,
        name="operate_invite_many",
    ),
    path("purposes/<uuid:purpose_id>/invite/", people_views.invite, name="operate_invite"),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/",
        people_views.person,
        name="operate_person",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/invitation/",
        people_views.invite_again,
        name="operate_invitation_card",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/link-back/",
        link_back_views.link_back,
        name="operate_link_back",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/address/",
        address_views.change,
        name="operate_address",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/take-back/",
        people_views.take_question_back,
        name="operate_question_back",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/identity/",
        people_views.identity,
        name="operate_identity",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/paper/",
        paper_views.paper,
        name="operate_paper",
    ),
    path(
        "purposes/<uuid:purpose_id>/people/<uuid:subject_id>/paper/scan/",
        paper_views.scan,
        name="operate_paper_scan",
    ),
    path("holds/", hold_views.holds, name="operate_holds"),
    path("holds/<uuid:hold_id>/lift/", hold_views.hold_lift, name="operate_hold_lift"),
    path("purposes/<uuid:purpose_id>/hold/", hold_views.hold_place, name="operate_hold_place"),
    path("requests/", request_desk_views.requests, name="operate_requests"),
    path("requests/<uuid:request_id>/", request_desk_views.request_detail, name="operate_request"),
    path(
        "requests/<uuid:request_id>/take/",
        request_desk_views.request_take,
        name="operate_request_take",
    ),
    path(
        "requests/<uuid:request_id>/text/",
        request_desk_views.request_text,
        name="operate_request_text",
    ),
    path(
        "requests/<uuid:request_id>/more-time/",
        request_desk_views.request_extend,
        name="operate_request_extend",
    ),
    path(
        "requests/<uuid:request_id>/answer/",
        request_desk_views.request_answer,
        name="operate_request_answer",
    ),
    path("breaches/", breach_views.breaches, name="operate_breaches"),
    path("breaches/new/", breach_views.breach_new, name="operate_breach_new"),
    path("breaches/<uuid:breach_id>/", breach_views.breach_detail, name="operate_breach"),
    path("breaches/<uuid:breach_id>/draw/", breach_views.breach_draw, name="operate_breach_draw"),
    path(
        "breaches/<uuid:breach_id>/authority/",
        breach_views.breach_notify,
        name="operate_breach_notify",
    ),
    path("breaches/<uuid:breach_id>/tell/", breach_views.breach_tell, name="operate_breach_tell"),
    path(
        "breaches/<uuid:breach_id>/close/", breach_views.breach_close, name="operate_breach_close"
    ),
    path("people/", people_views.people, name="operate_people"),
    path("people/find/", find_views.find, name="operate_find"),
    path("outbox/", outbox_views.outbox, name="operate_outbox"),
    path("outbox/<uuid:message_id>/", outbox_views.message, name="operate_message"),
    path("clients/", client_views.clients, name="operate_clients"),
    path("clients/new/", client_views.client_new, name="operate_client_new"),
    path("clients/<uuid:client_id>/", client_key_views.client_detail, name="operate_client"),
    path(
        "clients/<uuid:client_id>/keys/<slug:prefix>/",
        client_key_views.client_key_revoke,
        name="operate_client_key",
    ),
    path(
        "clients/<uuid:client_id>/revoke/", client_views.client_revoke, name="operate_client_revoke"
    ),
    path("clients/<uuid:client_id>/webhook/", webhook_views.webhook, name="operate_webhook"),
]
