"""The second factor: operators cannot work without one.

An authenticator app (TOTP, RFC 6238) or a passkey (WebAuthn); recovery codes come with either and
count as neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.utils import decrypt
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from accounts.models import User
from accounts.sign_ins import Step, record
from audit_log.actions import Action

TOTP_PERIOD = 30

# Pages that an operator without a second factor may open, by the name of their address.
SET_UP_PAGES = frozenset(
    {
        "account_change_password",
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_index",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "set_language",
    }
)


def has_second_factor(user: User) -> bool:
    """Whether the person has an authenticator app or a passkey."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(Authenticator.objects.filter(user=user, type__in=kinds).exists())


class RequireSecondFactor:
    """Middleware that keeps an operator without a second factor in the pages that set one up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing here: the decision needs to know the page."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Redirect to the set-up page, whatever was asked for."""
        user = request.user
        if not isinstance(user, User) or not user.is_operator:
            return None
        match = request.resolver_match
        if match is not None and match.view_name in SET_UP_PAGES:
            return None
        return None if has_second_factor(user) else redirect("mfa_index")


def enrol_app(user: User) -> str:
    """Give a person an authenticator app and recovery codes, and return the app's base32 secret.

    For an installation's demo accounts; people do it themselves on the page.
    """
    secret: str = generate_totp_secret()
    with transaction.atomic():
        TOTP.activate(user, secret)
        RecoveryCodes.activate(user)
        record(user, Action.AUTHENTICATOR_CHANGE, Step.ADD)
    return secret


def code_now(secret: str) -> str:
    """The six digits that an authenticator app shows now for a base32 secret."""
    counter = int(timezone.now().timestamp()) // TOTP_PERIOD
    return str(format_hotp_value(hotp_value(secret, counter)))


def app_secret(user: User) -> str | None:
    """The base32 secret of a person's authenticator app; None without one."""
    found = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if found is None:
        return None
    return str(decrypt(found.data["secret"]))
