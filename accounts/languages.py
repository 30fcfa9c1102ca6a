"""Which language somebody reads: chosen with the switch at the foot of a page, remembered for messages.

Pages for operators have no switch: they are written in English, and show in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import activate, check_for_language, get_language
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.models import User

IN_ENGLISH = frozenset(
    {
        "account_inactive",
        "account_login",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "api_docs",
        "mfa_authenticate",
    }
)
"""Pages for operators, and for who writes programs, that open to strangers; by names of their addresses."""


class OperatorsReadEnglish:
    """Middleware that shows an operator every page in English, and everybody the pages for operators.

    Half a catalogue would be worse than none: a screen reader says every sentence of a page in the one
    language that the page names.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Here already where an operator asks: an address that leads nowhere comes to no view."""
        if isinstance(request.user, User) and request.user.is_operator:
            speak_english(request)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Here where the page decides."""
        match = request.resolver_match
        if match is not None and match.view_name in IN_ENGLISH:
            speak_english(request)


def speak_english(request: HttpRequest) -> None:
    """Answer this request in English, without a switch at the foot of the page."""
    activate("en")
    request.LANGUAGE_CODE = "en"
    request.in_english = True  # type: ignore[attr-defined]  # for components/languages.html alone


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
