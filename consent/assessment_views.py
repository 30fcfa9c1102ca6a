"""Operators' pages of a purpose's papers: the impact assessment, and a documented reason."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from consent.assessments import TEXTS, approve_assessment, write_assessment
from consent.documented_reasons import approve_reason, file_reason
from consent.documents import as_attachment, takes_documents
from consent.errors import ConsentError
from consent.forms import StatementForm
from consent.models import Document, ImpactAssessment, Purpose
from consent.operator_views import UNPROCESSABLE, refuse
from consent.purpose_forms import AssessmentForm, ReasonDocumentForm
from consent.purpose_words import assessment_words
from consent.purposes import EDITABLE
from consent.readiness import newest_assessment
from consent.visibility import find_purpose, visible_purposes


def sent_with(request: HttpRequest) -> tuple[Any, Any]:
    """What a form that takes a file is filled in with: nothing before it is sent."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


@require_permission("consent.view_purpose")
@require_safe
def assessment(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The impact assessment that counts, and the versions before it."""
    return show_assessment(request, find_purpose(actor_of(request), purpose_id))


def show_assessment(
    request: HttpRequest, purpose: Purpose, refusal: str = "", status: int = 200
) -> HttpResponse:
    """Render the versions, newest first."""
    rows = purpose.assessments.select_related("document", "written_by", "approved_by")
    versions = [
        {
            "row": row,
            "state": assessment_words(row),
            "texts": [
                (AssessmentForm.Meta.labels[name], getattr(row, name))
                for name in TEXTS
                if getattr(row, name)
            ],
        }
        for row in rows.order_by("-version")
    ]
    user = cast(User, request.user)
    wrote = purpose.assessments.filter(written_by=user).exists()
    newest = versions[0]["row"] if versions else None
    context = {
        "purpose": purpose,
        "versions": versions,
        "refusal": refusal,
        "may_approve": user.has_perm("consent.approve_assessment")
        and not wrote
        and isinstance(newest, ImpactAssessment)
        and not newest.is_approved,
    }
    return render(request, "operators/assessment.html", context, status=status)


@require_permission("consent.write_assessment")
@require_http_methods(["GET", "HEAD", "POST"])
@takes_documents
def assessment_new(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Write the next version; it starts from the newest."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    newest = newest_assessment(purpose)
    initial = {name: getattr(newest, name) for name in AssessmentForm.Meta.fields} if newest else {}
    data, files = sent_with(request)
    form, status = AssessmentForm(data, files, initial=initial), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                write_assessment(
                    actor,
                    cast(User, request.user),
                    purpose,
                    form.cleaned_data,
                    residual_risk=form.cleaned_data["residual_risk"],
                    document=form.cleaned_data["document"],
                )
            except ConsentError as error:
                status = refuse(form, error)
            else:
                messages.success(request, _("The impact assessment waits for approval."))
                return redirect("operate_assessment", purpose.id)
    context = {
        "form": form,
        "purpose": purpose,
        "version": newest.version + 1 if newest else 1,
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/assessment_new.html", context, status=status)


@require_permission("consent.approve_assessment")
@require_http_methods(["POST"])
def assessment_approve(request: HttpRequest, purpose_id: UUID, assessment_id: UUID) -> HttpResponse:
    """The data protection officer approves the version they have read."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    if not purpose.assessments.filter(pk=assessment_id).exists():
        raise Http404
    try:
        approve_assessment(actor, cast(User, request.user), assessment_id)
    except ConsentError as error:
        return show_assessment(request, purpose, str(error), UNPROCESSABLE)
    messages.success(request, _("The impact assessment is approved."))
    return redirect("operate_purpose", purpose.id)


@require_permission("consent.view_purpose")
@require_safe
def document(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """A document about a purpose, to keep; it is never shown inside a page."""
    found = Document.objects.filter(
        pk=document_id, purpose__in=visible_purposes(actor_of(request))
    ).first()
    if found is None:
        raise Http404
    return as_attachment(found)


@require_permission("consent.create_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
@takes_documents
def reason_document(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Upload what shows the medical or safety reason of a draft."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    if purpose.state not in EDITABLE or not purpose.exception:
        messages.error(request, _("A reason is documented in a draft that claims the exception."))
        return redirect("operate_purpose", purpose.id)
    data, files = sent_with(request)
    form, status = ReasonDocumentForm(data, files), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                file_reason(actor, cast(User, request.user), purpose, form.upload())
            except ConsentError as error:
                status = refuse(form, error)
            else:
                messages.success(request, _("The document is filed."))
                return redirect("operate_purpose", purpose.id)
    context = {
        "form": form,
        "multipart": True,
        "heading": _("Document the reason"),
        "lead": _("AI Act Art. 5(1)(f) knows medical and safety reasons only. Show yours."),
        "button": _("Upload the document"),
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/form_page.html", context, status=status)


@require_permission("consent.approve_exception")
@require_http_methods(["GET", "HEAD", "POST"])
def reason_approve(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Agree in words that the document shows the reason."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    if not purpose.exception:
        messages.error(request, _("This purpose claims no exception."))
        return redirect("operate_purpose", purpose.id)
    form = StatementForm(
        request.POST or None,
        label=_("Why does the document show the reason?"),
        help_text=_("In your own words. They stand on the purpose's page under your name."),
    )
    status = 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                approve_reason(actor, cast(User, request.user), purpose, form.stated())
            except ConsentError as error:
                status = refuse(form, error)
            else:
                messages.success(request, _("Your agreement is written down."))
                return redirect("operate_purpose", purpose.id)
    context = {
        "form": form,
        "heading": _("Agree to the reason"),
        "lead": _(
            "Two people who did not write the purpose must agree; the second is the data protection "
            "officer who opens it. Read the document first."
        ),
        "button": _("I have read it and agree"),
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/form_page.html", context, status=status)
