"""The page on which a person sees their own results over time. It has no door for anybody else."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.models import DataSubject
from consent.views import own_subject
from emotion.help_lines import lines_for
from emotion.trend import COOKIE, COOKIE_DAYS, MOST, is_on, mark, open_trend, own_analyses, strips


@require_permission("emotion.read_own_result")
@require_http_methods(["GET", "POST"])
@never_cache
def own_trend(request: HttpRequest) -> HttpResponse:
    """Off: what it would show, and a button. On: the results over time, opened for this answer."""
    subject = own_subject(request)
    if request.method == "POST":
        return turn(request, subject)
    context: dict[str, Any] = {
        "help": lines_for(request.headers.get("Accept-Language", "")),
        "most": MOST,
        "days": COOKIE_DAYS,
        "back_url": reverse("subject_home"),
        "back_label": _("My studies"),
    }
    if is_on(subject, request.COOKIES.get(COOKIE, "")):
        trend = open_trend(actor_of(request), subject)
        context |= {"on": True, "trend": trend, "strips": strips(trend.moments)}
    else:
        context |= {"on": False, "waiting": own_analyses(actor_of(request), subject).count()}
    return render(request, "emotion/trend.html", context)


def turn(request: HttpRequest, subject: DataSubject) -> HttpResponse:
    """Turn it on or off in this browser; any other word changes nothing."""
    response = redirect("own_trend")
    if request.POST.get("turn") == "on":
        response.set_cookie(
            COOKIE,
            mark(subject),
            max_age=COOKIE_DAYS * 24 * 3600,
            path=reverse("own_trend"),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    elif request.POST.get("turn") == "off":
        response.delete_cookie(COOKIE, path=reverse("own_trend"), samesite="Strict")
    return response
