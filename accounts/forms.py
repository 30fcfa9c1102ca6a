"""allauth's forms where they would guess, count or keep something differently from this product."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm, ResetPasswordForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django import forms
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.adapters import CREDENTIAL
from accounts.attempts import keyed_hash
from accounts.errors import TooManyAttempts
from accounts.models import User
from accounts.second_factor import TOTP_PERIOD
from accounts.sign_ins import begin_sign_in, record_failure
from audit_log.actions import ReasonCode
from vault.credentials import open_credential, seal_credential

SESSION_KEY = "accounts.pending_app"
RESET_PAUSE_SECONDS = 60
CODE_INPUT = {"autocomplete": "one-time-code", "inputmode": "numeric"}


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth ships no types
    """E-mail address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        address, password = self.fields["login"], self.fields["password"]
        address.label = _("E-mail address")
        address.widget.attrs = {"autocomplete": "username webauthn", "autofocus": True}
        password.widget.attrs = {"autocomplete": "current-password"}
        password.help_text = ""


class RequestPasswordForm(ResetPasswordForm):  # type: ignore[misc]  # allauth ships no types
    """Ask for a link that sets a new password: at most one a minute for an address."""

    def clean_email(self) -> str:
        """The address; raises a ValidationError where no e-mail can be sent at all."""
        if not settings.EMAIL_URL:
            raise ValidationError(
                _("This installation sends no e-mail. Ask an administrator for a new password.")
            )
        email: str = super().clean_email()
        if not cache.add(keyed_hash("reset", email), "", RESET_PAUSE_SECONDS):
            # The answer stays the same: a link was sent less than a minute ago, or nobody is there.
            self.users: list[User] = []
        return email


class CountedCode:
    """Counts wrong codes like wrong passwords and takes each code only once."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: forms.Field = self.fields["code"]  # type: ignore[attr-defined]  # of the form below
        field.widget.attrs = dict(CODE_INPUT)

    def clean_code(self) -> str:
        """The code, when it is right and new."""
        account = self.user.email or str(self.user.id)
        try:
            attempt = begin_sign_in(context.request, account, self.user)
        except TooManyAttempts:
            raise get_adapter().validation_error("too_many_login_attempts") from None
        try:
            code: str = super().clean_code()  # type: ignore[misc]  # of the form it is mixed into
            # A code is valid for three periods (one early, one late); allauth remembers it for one.
            used = keyed_hash(f"code-{self.user.id}", code)
            if not cache.add(used, "", 3 * TOTP_PERIOD):
                raise get_mfa_adapter().validation_error("incorrect_code")
        except ValidationError:
            record_failure(ReasonCode.BAD_CREDENTIALS, self.user)
            raise
        attempt.succeed()
        return code


class SecondFactorForm(CountedCode, AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    """The code at sign-in."""


class ConfirmCodeForm(CountedCode, ReauthenticateForm):  # type: ignore[misc]  # the same
    """The code before the means of signing in are changed."""


class ActivateAppForm(ActivateTOTPForm):  # type: ignore[misc]  # allauth ships no types
    """Set up an authenticator app; the secret waits sealed in the session, never in plain."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)
        self.fields["code"].widget.attrs = dict(CODE_INPUT)
        session = context.request.session
        if self.is_bound and SESSION_KEY in session:
            self.secret = open_credential(CREDENTIAL, session[SESSION_KEY]).decode()
        else:
            self.secret = generate_totp_secret()
            session[SESSION_KEY] = seal_credential(CREDENTIAL, self.secret.encode())

    def clean_code(self) -> str:
        """The code, when it fits; the pending secret has then served."""
        code: str = super().clean_code()
        context.request.session.pop(SESSION_KEY, None)
        return code
