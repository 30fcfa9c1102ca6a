"""The public page of storage and destruction: which studies run, and until when they keep anything.

Illinois BIPA §15(a) asks for it: a written policy, made public, with a retention schedule and guidelines
for destruction at the purpose's end or within three years of the last interaction, whichever is first.
"""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from consent.models import Purpose, PurposeState
from consent.purposes import ENDS_AFTER_AT_MOST


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """Every open purpose with its periods, every closed one with its end, and how things are destroyed."""
    running = Q(state=PurposeState.OPEN) | Q(ends_at__gt=timezone.now())
    purposes = Purpose.objects.filter(running).prefetch_related("controllers").order_by("name")
    context = {"purposes": purposes, "most_days_after_closing": ENDS_AFTER_AT_MOST}
    return render(request, "retention.html", context)
