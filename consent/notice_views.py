"""Pages of privacy notices: publishing the next version, and showing a past one as it was shown."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.models import ConsentState, ConsentStatus, Notice, PurposeState
from consent.notice_forms import NoticeForm
from consent.notice_pages import NoticePage, page_in, text_in
from consent.notices import publish_notice
from consent.operator_views import UNPROCESSABLE, refuse
from consent.readiness import newest_notices
from consent.views import own_subject
from consent.visibility import find_purpose


@require_permission("consent.publish_notice")
@require_http_methods(["GET", "HEAD", "POST"])
def notice_new(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Publish the next version of a purpose's notice; it starts from the one in force."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    newest = newest_notices(purpose)
    version = newest[0].version + 1 if newest else 1
    initial = {
        f"{part}_{notice.language}": getattr(notice, part)
        for notice in newest
        for part in ("title", "summary", "text")
    }
    form, status = NoticeForm(request.POST or None, initial=initial, version=version), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                published = publish_notice(actor, purpose, form.texts(), form.change())
            except ConsentError as error:
                status = refuse(form, error)
            else:
                told = _("Version %(number)d of the notice is published.")
                messages.success(request, told % {"number": published[0].version})
                return redirect("operate_purpose", purpose.id)
    context = {
        "form": form,
        "purpose": purpose,
        "version": version,
        "bound_to_earlier": ConsentState.objects.filter(
            purpose=purpose, status=ConsentStatus.GIVEN
        ).count(),
        "is_open": purpose.state == PurposeState.OPEN,
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/notice_new.html", context, status=status)


def asked_for(request: HttpRequest, notice: Notice) -> NoticePage:
    """The page in the language that ``?in=`` names, or in the reader's; 404 where there was none."""
    language = request.GET.get("in") or get_language()
    if "in" in request.GET and language not in notice.pages:
        raise Http404
    return page_in(notice, language)


def as_it_was(request: HttpRequest, page: NoticePage, more: dict[str, Any]) -> HttpResponse:
    """The page of a past version, or with ``?as=text`` the plain text whose SHA-256 was recorded."""
    if request.GET.get("as") == "text":
        name = f"notice-{page.notice.version}-{page.language}.txt"
        response = HttpResponse(text_in(page), content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    context = {"page": page, "notice": page.notice, "purpose": page.notice.purpose}
    return render(request, "consent/notice_version.html", context | more)


@require_permission("consent.view_own_consents")
@require_safe
def own_notice(request: HttpRequest, notice_id: UUID) -> HttpResponse:
    """A version of a notice of a study that asked me, exactly as it was shown."""
    asked = ConsentState.objects.filter(subject=own_subject(request)).values("purpose_id")
    found = (
        Notice.objects.select_related("purpose").filter(pk=notice_id, purpose_id__in=asked).first()
    )
    if found is None:
        raise Http404
    more = {"up_url": reverse("subject_home"), "up_label": _("My studies")}
    return as_it_was(request, asked_for(request, found), more)


@require_permission("consent.view_purpose")
@require_safe
def notice_version(request: HttpRequest, purpose_id: UUID, notice_id: UUID) -> HttpResponse:
    """A version of a purpose's notice, exactly as people were shown it."""
    purpose = find_purpose(actor_of(request), purpose_id)
    found = purpose.notices.select_related("purpose").filter(pk=notice_id).first()
    if found is None:
        raise Http404
    more = {
        "up_url": reverse("operate_purpose", args=[purpose.id]),
        "up_label": purpose.name,
        "bound": ConsentState.objects.filter(notice=found, status=ConsentStatus.GIVEN).count(),
    }
    return as_it_was(request, asked_for(request, found), more)
