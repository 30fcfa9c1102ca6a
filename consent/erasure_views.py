"""The data subject's list of their erasures, each with its state and its receipt."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.erasure_words import what_is_erased
from consent.models import ErasureRequest
from consent.views import own_subject


@dataclass(frozen=True)
class OwnErasure:
    """One line of the list: what is erased, and how far it is (``held``: a legal hold postpones it)."""

    erasure: ErasureRequest
    what: str
    held: bool


def with_words(rows: list[ErasureRequest]) -> list[OwnErasure]:
    """These erasures, each in words and with whether a legal hold postpones it; one query."""
    waiting = ErasureRequest.objects.held().filter(pk__in=[row.pk for row in rows])
    held = set(waiting.values_list("pk", flat=True))
    return [OwnErasure(row, what_is_erased(row), row.pk in held) for row in rows]


@require_permission("consent.view_own_consents")
@require_GET
def erasures(request: HttpRequest) -> HttpResponse:
    """Every erasure of something of mine, newest first."""
    rows = ErasureRequest.objects.filter(subject=own_subject(request)).select_related("purpose")
    page = page_of(request, rows)
    context = {"page": page, "lines": with_words(page.rows)}
    return render(request, "consent/erasures.html", context)
