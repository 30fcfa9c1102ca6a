"""The technical file as a page that prints, and as JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import require_permission
from consent.views import download
from emotion.technical_file import technical_file


@require_permission("emotion.view_technical_file")
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """What Annex IV asks for, in its order, to read and to print."""
    return render(request, "operators/technical_file.html", {"file": technical_file()})


@require_permission("emotion.view_technical_file")
@require_safe
def file(request: HttpRequest) -> HttpResponse:
    """The same as JSON, to keep or to hand to an authority."""
    return download(technical_file(), "technical-file.json")
