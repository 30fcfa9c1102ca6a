"""Where this product differs from django-allauth's defaults.

Nobody signs up; attempts are counted by ``accounts.attempts``; every sign-in, failure and sign-out
is in the access log; secrets of authenticator apps are sealed; a data subject's passkey carries no
address.
"""

from __future__ import annotations

import itertools
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.attempts import WINDOW, address_of, hash_of_address
from accounts.errors import TooManyAttempts
from accounts.models import User
from accounts.sign_ins import Step, begin_sign_in, record, record_failure, signed_in_within
from audit_log.actions import Action, ReasonCode
from vault.credentials import open_credential, seal_credential

CREDENTIAL = "second-factor"
FRESH_SECONDS = 300


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Signing in and out."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("The e-mail address or the password is not right."),
        "too_many_login_attempts": _("Too many failed attempts. Try again in %(minutes)d minutes.")
        % {"minutes": WINDOW.seconds // 60},
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: operators are made by an administrator, data subjects by an invitation."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """A keyed hash instead of the address: allauth would use the plain one as a cache key."""
        return hash_of_address(address_of(request))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Nothing: allauth's own counter hashes the address without a key."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The operator with this address and password, or None; too many failures are refused."""
        typed = credentials.get("email") or credentials.get("username") or ""
        try:
            attempt = begin_sign_in(request, typed)
        except TooManyAttempts:
            raise self.validation_error("too_many_login_attempts") from None
        user: User | None = super().authenticate(request, **credentials)
        if user is not None:
            attempt.succeed()
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Write the failure down; the entry names nobody, because nobody is known yet."""
        record_failure(ReasonCode.BAD_CREDENTIALS)

    def login(self, request: HttpRequest, user: User) -> None:
        """Open the session, after all factors, together with its entry in the log."""
        with transaction.atomic():
            super().login(request, user)
            record(user, Action.LOGIN_SUCCEED)

    def logout(self, request: HttpRequest) -> None:
        """Close the session together with its entry in the log."""
        user = request.user if isinstance(request.user, User) else None
        with transaction.atomic():
            super().logout(request)
            if user is not None:
                record(user, Action.LOGOUT)

    def set_password(self, user: User, password: str) -> None:
        """Change or reset a password together with its entry in the log."""
        with transaction.atomic():
            super().set_password(user, password)
            record(user, Action.AUTHENTICATOR_CHANGE, Step.PASSWORD)

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Refuse an account that was deactivated, and write that down."""
        if not user.is_active:
            record_failure(ReasonCode.NOT_PERMITTED, user)
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether to ask again who it is before the means of signing in are changed.

        Not within five minutes of signing in, whatever the way: asking a new operator twice in a
        row protects nothing, and a data subject who lost a passkey could not answer. Whoever has nothing
        to be asked for signs in anew: ``accounts.views.AddPasskeyView``.
        """
        if signed_in_within(self.request, FRESH_SECONDS):
            return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """The second factor and passkeys."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code is not right, or was used already."),
    }

    def encrypt(self, text: str) -> str:
        """Seal the secret of an authenticator app or of the recovery codes."""
        return seal_credential(CREDENTIAL, text.encode())

    def decrypt(self, encrypted_text: str) -> str:
        """Open what ``encrypt`` sealed."""
        return open_credential(CREDENTIAL, encrypted_text).decode()

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """The name under which a passkey manager files the key: a data subject's names nobody."""
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        if not user.is_operator:
            name = gettext("Data subject %(mark)s") % {"mark": user.username[:6]}
            entity |= {"name": name, "display_name": name}
        return entity

    def generate_authenticator_name(self, user: User, type: str) -> str:
        """What a new passkey is called, an operator's until its owner says otherwise."""
        known = Authenticator.objects.filter(user=user, type=type)
        taken = set(known.values_list("data__name", flat=True))
        names = (gettext("Passkey %(number)d") % {"number": each} for each in itertools.count(1))
        return next(name for name in names if name not in taken)

    def _get_site_name(self) -> str:
        return "Consentry"
