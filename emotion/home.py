"""The data subject's start page: what runs about me, in one glance."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.breach_telling import told_to
from consent.ending_soon import ends_soon
from consent.history import access_history, has_ended_links
from consent.holds import hold_words
from consent.methods import HOW, how_each_yes_came
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataSubject,
    ErasureCause,
    ErasureRequest,
    LegalHold,
    Purpose,
    PurposeState,
    SubjectRequest,
    category_label,
)
from consent.narrowing import paused_by_a_restore
from consent.notices import last_substantive, renewal_asked
from consent.request_clock import days_left
from consent.sign_in_views import ways_back
from consent.views import own_subject
from emotion.models import Analysis, AnalysisState, Recording

SHOWN_LOOKS = 5
OWN_WORDS = {
    ConsentStatus.REQUESTED: gettext_lazy("Waits for your answer"),
    ConsentStatus.GIVEN: gettext_lazy("You said yes"),
    ConsentStatus.REFUSED: gettext_lazy("You said no"),
    ConsentStatus.CANCELLED: gettext_lazy("The study took its question back"),
}


def results_kept(purpose: Purpose) -> str:
    """How long results are kept."""
    days = purpose.result_retention_days or 0
    text = ngettext(
        "Results for %(days)s day, at most until your consent ends.",
        "Results for %(days)s days, at most until your consent ends.",
        days,
    )
    return text % {"days": days}


def media_kept(purpose: Purpose) -> str:
    """How long photographs and films are kept."""
    if not purpose.keep_media:
        return _("What you send is deleted once it has been measured.")
    days = purpose.media_retention_days or 0
    text = ngettext(
        "Of what you send, your head for %(days)s day, at most until your consent ends.",
        "Of what you send, your head for %(days)s days, at most until your consent ends.",
        days,
    )
    return text % {"days": days}


def consent_word(state: ConsentState, by_a_restore: Collection[UUID]) -> str:
    """The state of a consent in the person's own words; ``by_a_restore`` from ``paused_by_a_restore``."""
    if state.tags_ended_at is not None:
        return _("Over for good")
    if state.status == ConsentStatus.GIVEN and state.restricted_at is not None:
        if state.purpose_id in by_a_restore:
            return _("Paused: a backup was restored")
        return _("You paused it")
    return str(OWN_WORDS.get(ConsentStatus(state.status), state.get_status_display()))


def holds_over(subject: DataSubject, states: list[ConsentState]) -> dict[UUID, LegalHold]:
    """By purpose: the standing hold over this person that ends last; one query."""
    purposes = [state.purpose_id for state in states]
    rows = LegalHold.objects.standing().filter(purpose__in=purposes).order_by("ends_at")
    return {hold.purpose_id: hold for hold in rows if hold.subject_id in {None, subject.id}}


def consent_card(
    state: ConsentState,
    erasure: ErasureRequest | None,
    substantive: dict[UUID, int],
    hold: LegalHold | None,
    method: str = "",
    by_a_restore: Collection[UUID] = (),
) -> dict[str, Any]:
    """One purpose on the person's start page; ``substantive`` from ``last_substantive``.

    ``method``: how the last yes came about; ``by_a_restore`` from ``paused_by_a_restore``.
    """
    live = state.status == ConsentStatus.GIVEN
    purpose = state.purpose
    keeps = results_kept(purpose) + " " + media_kept(purpose)
    ask = state.status in {ConsentStatus.REQUESTED, ConsentStatus.REFUSED}
    renew = state.status in {ConsentStatus.EXPIRED, ConsentStatus.WITHDRAWN}
    is_open = purpose.state == PurposeState.OPEN and state.tags_ended_at is None
    return {
        "purpose": purpose,
        "state": "waiting" if live and state.restricted_at else state.status,
        "label": consent_word(state, by_a_restore),
        "categories": [category_label(category, purpose.takes) for category in state.categories],
        "valid_until": state.valid_until if live else None,
        "keeps": keeps if live else "",
        "how": HOW.get(method, "") if live else "",
        "hold": hold_words(hold),
        "notice_url": reverse("consent_notice", args=[purpose.id])
        if is_open and (ask or renew or live)
        else "",
        "decide": ask or renew,
        "renewal": is_open and renewal_asked(state, substantive),
        "ends_soon": is_open and ends_soon(state),
        "read_url": notice_read(state) if live else "",
        "asked": ask,
        "upload_url": reverse("upload", args=[purpose.id])
        if live and is_open and not state.restricted_at
        else "",
        "paused": live and state.restricted_at is not None,
        "change_url": reverse("consent_change", args=[purpose.id]) if live else "",
        "withdraw_url": reverse("consent_withdraw", args=[purpose.id]) if live else "",
        "erasure_url": reverse("erasure", args=[erasure.id]) if erasure and not live else "",
    }


def notice_read(state: ConsentState) -> str:
    """The page that the person said yes to, in the language they read it in."""
    if state.event is None or state.event.notice_id is None:
        return ""
    return reverse("own_notice", args=[state.event.notice_id]) + f"?in={state.event.language}"


def closed_since(subject: DataSubject) -> dict[UUID, datetime]:
    """By purpose: until when everything recorded was given up to erasure; it opens no more."""
    whole = ErasureRequest.objects.whole().filter(subject=subject)
    newest = whole.values("purpose_id").annotate(at=Max("requested_at"))
    return {row["purpose_id"]: row["at"] for row in newest}


def is_closed(recording: Recording, closed: dict[UUID, datetime]) -> bool:
    """Whether this recording belongs to a consent that has ended."""
    at = closed.get(recording.purpose_id)
    return at is not None and recording.created_at <= at


def recording_rows(request: HttpRequest, subject: DataSubject) -> list[dict[str, Any]]:
    """The person's newest recordings with the state of their newest analysis."""
    closed = closed_since(subject)
    found = (
        Recording.objects.visible_to(actor_of(request))
        .select_related("purpose")
        .prefetch_related("analyses")
        .order_by("-created_at")[:50]
    )
    rows = []
    for recording in found:
        analysis = max(recording.analyses.all(), key=lambda a: a.queued_at)
        state, label = own_state(recording, analysis, over=is_closed(recording, closed))
        opens = state == AnalysisState.DONE
        rows.append(
            {
                "id": recording.id,
                "created_at": recording.created_at,
                "purpose_name": recording.purpose.name,
                "state": state,
                "label": label,
                "url": reverse("own_recording", args=[recording.id]),
                "result_url": reverse("own_result", args=[analysis.id]) if opens else "",
            }
        )
    return rows


def own_state(recording: Recording, analysis: Analysis, *, over: bool) -> tuple[str, str]:
    """How a recording stands for the person: (state, its word). ``over``: the consent has ended."""
    if analysis.state == AnalysisState.ERASED:
        return analysis.state, analysis.get_state_display()
    if over:
        return "waiting", _("Being erased")
    if recording.disputed_at is not None:
        return "disputed", _("You said: not me")
    return analysis.state, analysis.get_state_display()


def requests_under_way(subject: DataSubject) -> list[dict[str, Any]]:
    """The person's requests that wait for an answer, the most urgent first, with the days left."""
    rows = SubjectRequest.objects.waiting().filter(subject=subject).select_related("purpose")
    return [{"asked": row, "days": days_left(row.due_at)} for row in rows.order_by("due_at")]


@require_permission("consent.view_own_consents")
@require_GET
def subject_home(request: HttpRequest) -> HttpResponse:
    """What runs about me, in one glance."""
    subject = own_subject(request)
    states = list(
        ConsentState.objects.filter(subject=subject)
        .select_related("purpose", "notice", "event")
        .prefetch_related("purpose__controllers")
        .order_by("-changed_at")
    )
    substantive = last_substantive(state.purpose_id for state in states)
    erasures = {
        erasure.purpose_id: erasure
        for erasure in ErasureRequest.objects.filter(
            subject=subject, cause=ErasureCause.WITHDRAWAL
        ).order_by("requested_at")
    }
    holds = holds_over(subject, states)
    methods, by_a_restore = how_each_yes_came(subject), paused_by_a_restore(subject)
    context = {
        "live_count": sum(
            state.status == ConsentStatus.GIVEN and state.restricted_at is None for state in states
        ),
        "consents": [
            consent_card(
                state,
                erasures.get(state.purpose_id),
                substantive,
                holds.get(state.purpose_id),
                methods.get(state.purpose_id, ""),
                by_a_restore,
            )
            for state in states
        ],
        "recordings": recording_rows(request, subject),
        "requests": requests_under_way(subject),
        "breaches": told_to(subject),
        "has_erasures": ErasureRequest.objects.filter(subject=subject).exists(),
        "ways_back": ways_back(subject),
        "looks": access_history(subject, SHOWN_LOOKS, looks=True),
        "ended_links": has_ended_links(subject),
    }
    return render(request, "consent/subject_home.html", context)
