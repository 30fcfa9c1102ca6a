"""One act on many recordings, from the operators' list: look at what would happen, then do it.

The look has an address of its own, with the rows in it, so that the browser's way back leads to it.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.forms import ConfirmForm
from consent.operator_views import UNPROCESSABLE
from emotion.active_pack import chosen
from emotion.bulk import DESTROYS, MOST, Act, Item, acts_of, carry_out, plan
from emotion.bulk_words import happens, left_out
from emotion.reservations import new_idempotency_key

LONGEST_KEY = 64
SIZE = 16
"""Bytes of an id."""


def sent(request: HttpRequest) -> QueryDict:
    """What the form sent, or what the address of a look says."""
    return request.POST if request.method == "POST" else request.GET


def back_to(request: HttpRequest) -> str:
    """The query of the list that the form came from."""
    return QueryDict(sent(request).get("back", "")).urlencode()


def list_url(request: HttpRequest) -> str:
    """The page of the list that the form came from."""
    query = back_to(request)
    return reverse("operate_recordings") + (f"?{query}" if query else "")


def look_url(request: HttpRequest, act: Act, ids: Iterable[UUID]) -> str:
    """The address of the look at these rows. Packed, since servers take lines of about 4,000 characters."""
    rows = urlsafe_b64encode(b"".join(each.bytes for each in sorted(ids))).decode()
    query = {"act": act.value, "rows": rows, "back": back_to(request)}
    return f"{reverse('operate_recordings_act')}?{urlencode(query)}"


def asked_rows(request: HttpRequest) -> set[UUID]:
    """The ids of the ticked rows, of all rows of that page, or of a look; what is no id is nothing."""
    if request.method != "POST":
        return unpacked(request.GET.get("rows", ""))
    name = "listed" if request.POST.get("which") == "page" else "row"
    found = set()
    for each in request.POST.getlist(name):
        try:
            found.add(UUID(each))
        except ValueError:
            continue
    return found


def unpacked(rows: str) -> set[UUID]:
    """The ids in the address of a look; none where it is damaged."""
    try:
        raw = urlsafe_b64decode(rows.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return set()
    if len(raw) % SIZE:
        return set()
    return {UUID(bytes=raw[start : start + SIZE]) for start in range(0, len(raw), SIZE)}


def asked_act(request: HttpRequest) -> Act:
    """Which act. Raises Http404 for none, and for one that is not for this operator."""
    asked = sent(request).get("act", "")
    if asked not in dict(acts_of(request.user)):
        raise Http404
    return Act(asked)


@require_permission("emotion.view_recordings")
@require_http_methods(["GET", "HEAD", "POST"])
def act_on_many(request: HttpRequest) -> HttpResponse:
    """GET looks at what an act would do. POST leads there, or with ``step=do`` does it to those rows."""
    if request.method != "POST" and "act" not in request.GET:
        return redirect("operate_recordings")
    actor, act, ids = actor_of(request), asked_act(request), asked_rows(request)
    if not 0 < len(ids) <= MOST:
        words = {"most": MOST, "came": len(ids)}
        messages.error(request, _("Tick 1 to %(most)s rows; %(came)s came.") % words)
        return redirect(list_url(request))
    if request.method == "POST" and request.POST.get("step") != "do":
        return redirect(look_url(request, act, ids))
    items = plan(actor, act, ids)
    if request.method != "POST":
        return show_plan(request, act, items, confirm_form(act, to_do(items), None))
    form = confirm_form(act, items, request.POST)
    if form is not None and (len(studies(items)) > 1 or not form.is_valid()):
        return show_plan(request, act, items, form, status=UNPROCESSABLE)
    done = carry_out(actor, act, ids, key_of(request))
    well = [each for each in done if not each.problem]
    context = {"act": act, "done": done, "well": len(well), "back_url": list_url(request)}
    return render(request, "operators/bulk_done.html", context)


def key_of(request: HttpRequest) -> str:
    """The key that was drawn with the look; a new one for a look, and where the form has lost it."""
    return request.POST.get("key", "")[:LONGEST_KEY] or new_idempotency_key()


def to_do(items: list[Item]) -> list[Item]:
    """The rows to which something would happen."""
    return [each for each in items if not each.left_out]


def studies(items: list[Item]) -> dict[UUID, str]:
    """The studies that the rows belong to, with their names."""
    return {each.recording.purpose_id: each.recording.purpose.name for each in items}


def confirm_form(act: Act, items: list[Item], sent: Any) -> ConfirmForm | None:
    """The name of the study has to be typed before something is destroyed; None for other acts."""
    if act not in DESTROYS or not items:
        return None
    return ConfirmForm(sent, expected=items[0].recording.purpose.name)


def show_plan(
    request: HttpRequest, act: Act, items: list[Item], form: ConfirmForm | None, status: int = 200
) -> HttpResponse:
    """What would happen to how many, and which are left out and why; nothing has happened yet."""
    takes = to_do(items)
    context = {
        "act": act,
        "items": items,
        "takes": takes,
        "happens": happens(act, takes, chosen()) if takes else [],
        "left_out": left_out(items),
        "left": len(items) - len(takes),
        "form": form,
        "danger": act in DESTROYS,
        "several_studies": act in DESTROYS and len(studies(takes)) > 1,
        "key": key_of(request),
        "back": back_to(request),
        "back_url": list_url(request),
    }
    return render(request, "operators/bulk_review.html", context, status=status)
