"""The forms that take what a passkey's device answered.

django-allauth verifies the answer. What it leaves open is settled here: an answer that is not built as
WebAuthn says (fido2 then raises whatever it comes across: KeyError, binascii.Error, struct.error), a falsy
one such as ``0`` (which allauth would file as a passkey without having looked at it), a passkey alone that
nobody proved to own by a finger print, a face or a PIN, and a refusal that nobody would find in the access
log. Of an answer only what is needed later is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from cryptography.exceptions import InvalidSignature
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from accounts.errors import TooManyAttempts
from accounts.models import User
from accounts.sign_ins import begin_sign_in, record_failure
from audit_log.actions import ReasonCode

LONGEST_NAME = 60


def registered(answer: Any) -> dict[str, Any]:
    """The parts of the answer to a registration that are kept; raises something unless it is one.

    https://www.w3.org/TR/webauthn-3/#dictdef-registrationresponsejson
    """
    told = RegistrationResponse.from_dict(answer)
    key = told.response.attestation_object.auth_data.credential_data
    if key is None:
        raise ValueError("no key came")
    with suppress(InvalidSignature):  # anything else means that the key could never verify one
        key.public_key.verify(b"", bytes(64))
    return {
        "id": told.id,
        "rawId": told.id,
        "type": "public-key",
        "response": dict(told.response),
    }


def signed_in(answer: Any) -> Any:
    """The answer to a request to sign in; raises something unless it is one.

    https://www.w3.org/TR/webauthn-3/#dictdef-authenticationresponsejson
    """
    AuthenticationResponse.from_dict(answer)
    return answer


class DeviceAnswer(forms.JSONField):
    """What a device answered, in JSON; it serves once and is never written back into a page."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        super().__init__(widget=forms.HiddenInput)
        self.read = read

    def to_python(self, value: Any) -> Any:
        """The answer; a ValidationError for anything that a device would not answer."""
        if value in self.empty_values:
            return None
        try:
            return self.read(super().to_python(value))
        except Exception:  # hostile bytes, in a reader that promises no kind of error
            raise get_adapter().validation_error("incorrect_code") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Nothing of what came."""
        return initial


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """Add a passkey; one that can sign in by itself unless the person says otherwise.

    That choice is kept, and not what the device says of itself: many hold every passkey so that it could.
    A data subject has no password and so no choice. Their passkeys are numbered: a name of their choosing
    ("Alice's telephone") would lie in the database for everybody to read.
    """

    credential = DeviceAnswer(registered)
    name = forms.CharField(label=_("Name of this passkey"), max_length=LONGEST_NAME, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {}).setdefault("passwordless", True)
        super().__init__(*args, **kwargs)
        self.fields["passwordless"].label = _("Sign in with this passkey alone")
        self.fields["passwordless"].help_text = _(
            "The device then asks for a finger print, a face or a PIN."
        )
        if not self.user.is_operator:
            self.fields["name"].disabled = self.fields["passwordless"].disabled = True

    def clean(self) -> dict[str, Any]:
        """The passkey with whether it signs in alone, for which the device has verified the person."""
        cleaned: dict[str, Any] = super().clean()
        if cleaned.get("credential"):
            alone = {"credProps": {"rk": bool(cleaned.get("passwordless"))}}
            cleaned["credential"] |= {"clientExtensionResults": alone}
        return cleaned


class RenamePasskeyForm(EditWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """What an operator calls a passkey."""

    name = forms.CharField(label=_("Name of this passkey"), max_length=LONGEST_NAME)


def opens_alone(passkey: Authenticator, answer: Any) -> bool:
    """Whether a signed answer is enough by itself: its owner wanted that, and was verified just now.

    Asked of the answer itself, whatever the challenge asked for: a key that only wants to be touched is in
    the hand of whoever found it.
    """
    told = AuthenticationResponse.from_dict(answer).response.authenticator_data
    return bool(passkey.wrap().is_passwordless and told.is_user_verified())


class SecondFactorPasskeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A passkey after the password. A wrong one is counted and written down, as a wrong password is."""

    credential = DeviceAnswer(signed_in)
    user: User | None

    def clean_credential(self) -> Authenticator:
        """The passkey, when it is right."""
        answer = self.cleaned_data["credential"]
        # Alone it is counted under its own number, as long as nobody knows whose it is.
        number = AuthenticationResponse.from_dict(answer).raw_id.hex()
        account = (self.user.email or str(self.user.id)) if self.user else number
        try:
            attempt = begin_sign_in(context.request, account, self.user)
        except TooManyAttempts:
            raise get_account_adapter().validation_error("too_many_login_attempts") from None
        try:
            passkey: Authenticator = super().clean_credential()
            if self.passwordless and not opens_alone(passkey, answer):
                raise get_adapter().validation_error("incorrect_code")
        except ValidationError:
            record_failure(ReasonCode.BAD_CREDENTIALS, self.user)
            raise
        attempt.succeed()
        return passkey


class PasskeySignInForm(SecondFactorPasskeyForm, LoginWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A passkey alone, at sign-in."""


class ConfirmPasskeyForm(SecondFactorPasskeyForm, ReauthenticateWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A passkey before the means of signing in are changed."""
