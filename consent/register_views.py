"""The register of processing as a page that prints, and as JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import require_permission
from consent.models import Purpose, PurposeRefusal, Sector, Use
from consent.purpose_words import assessment_words, sections_of
from consent.register import SECURITY_MEASURES, register
from consent.views import download


@require_permission("consent.view_register")
@require_safe
def register_page(request: HttpRequest) -> HttpResponse:
    """Every purpose with what Art. 30(1) asks for, and every refusal."""
    rows = Purpose.objects.order_by("created_at", "id").select_related("exception_document")
    purposes = []
    for purpose in rows.prefetch_related("controllers", "assessments", "notices"):
        newest = max(purpose.assessments.all(), key=lambda a: a.version, default=None)
        purposes.append(
            {
                "purpose": purpose,
                "sections": sections_of(purpose),
                "assessment": newest,
                "assessment_state": assessment_words(newest),
                "notice": max((n.version for n in purpose.notices.all()), default=0),
            }
        )
    sectors, uses = dict(Sector.choices), dict(Use.choices)
    refused = [
        {
            "row": row,
            "sector": sectors.get(row.sector, row.sector),
            "uses": [uses.get(use, use) for use in row.uses],
        }
        for row in PurposeRefusal.objects.order_by("-at", "-id")
    ]
    context = {"purposes": purposes, "refused": refused, "measures": SECURITY_MEASURES}
    return render(request, "operators/register.html", context)


@require_permission("consent.view_register")
@require_safe
def register_file(request: HttpRequest) -> HttpResponse:
    """The same as JSON, to keep or to hand to the authority."""
    return download(register(), "register-of-processing.json")
