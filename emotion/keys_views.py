"""The operators' page of keys: which epochs there are, when the next one comes, and which erasures are not
final yet. Ids and numbers only; no page shows or changes a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.permissions import require_permission
from consent.models import ErasureRequest
from emotion.faults import in_a_line
from vault.epochs import EPOCH_LIFE, ERASURE_WAIT, is_due
from vault.errors import VaultError
from vault.overview import EpochNumbers, epoch_numbers

SHOWN = 20
STATES = {
    "opening": ("waiting", _("Opening")),
    "current": ("live", _("In use")),
    "closed": ("waiting", _("Being emptied")),
    "destroying": ("waiting", _("Being destroyed")),
    "destroyed": ("ended", _("Destroyed")),
}
"""The kind of badge and the word for each state."""


@dataclass(frozen=True)
class Line:
    """One epoch as it is read; kind: of its badge."""

    numbers: EpochNumbers
    kind: str
    state: str | Promise


def line(numbers: EpochNumbers) -> Line:
    """An epoch with its state in a word."""
    return Line(numbers, *STATES[numbers.state])


def erasures() -> dict[str, Any]:
    """How many erasures are done and not final, since when the oldest, and how many are final."""
    waiting = Q(final_at=None)
    return ErasureRequest.objects.aggregate(
        waiting=Count("pk", filter=waiting),
        oldest=Min("requested_at", filter=waiting),
        final=Count("pk", filter=~waiting),
    )


@require_permission("emotion.view_keys")
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Epochs, newest first, and erasures that wait for the end of one."""
    context: dict[str, Any] = {
        "transit": bool(settings.TRANSIT_URL),
        "erasures": erasures(),
        "life": EPOCH_LIFE.days,
        "wait": int(ERASURE_WAIT.total_seconds() // 3600),
    }
    try:
        epochs = list(reversed(epoch_numbers()))
        context |= {"epochs": [line(each) for each in epochs[:SHOWN]], "due": is_due()}
        context["older"] = len(epochs[SHOWN:])
    except VaultError as error:
        context["trouble"] = in_a_line(error)
    return render(request, "operators/keys.html", context)
