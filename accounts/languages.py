"""Which language somebody reads: chosen with the switch on every page, remembered for messages."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import check_for_language, get_language
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.models import User


def remember_language(user: User, language: str) -> None:
    """File the language on the account; one that the installation does not have is left out."""
    if language in dict(settings.LANGUAGES) and language != user.language:
        user.language = language
        user.save(update_fields=["language"])


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Django's own switch (a cookie, no script); whoever is signed in also gets messages in it."""
    response = set_language(request)
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and check_for_language(language):
        remember_language(request.user, language)
    return response


def settle_language(request: HttpRequest, user: User, response: HttpResponseBase) -> None:
    """After signing in: a choice made in this browser counts, else the one filed before.

    Without either, the language that the browser asked for is filed.
    """
    if user.language and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            user.language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
        return
    remember_language(user, get_language() or "")
