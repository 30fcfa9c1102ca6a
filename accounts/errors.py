"""What can be wrong in this room. Each class has a stable code; config.errors gives it a status."""

from __future__ import annotations

from django.utils.functional import Promise


class AccountsError(Exception):
    """Base of everything that accounts refuse or cannot do."""

    code = "accounts-error"

    def __init__(self, message: str | Promise) -> None:
        super().__init__(message)


class InvalidClient(AccountsError):
    """An API client is incomplete, or asks for a scope that does not exist."""

    code = "invalid-client"


class UnknownClient(AccountsError):
    """No such API client."""

    code = "not-found"


class ClientEnded(AccountsError):
    """A client, its key or a scope of it ended while something that it had begun was under way."""

    code = "invalid-key"


class UnknownKey(AccountsError):
    """No such live key of this API client."""

    code = "not-found"


class TooManyKeys(AccountsError):
    """An API client has at most two live keys."""

    code = "too-many-keys"


class KeyInUse(AccountsError):
    """A client cannot take back the key that it signs with."""

    code = "key-in-use"


class InvalidToken(AccountsError):
    """An auditor's token is incomplete or would be over before it begins."""

    code = "invalid-token"


class UnknownToken(AccountsError):
    """No such auditor's token."""

    code = "not-found"


class InvalidOperator(AccountsError):
    """An operator's address, role or password is not acceptable."""

    code = "invalid-operator"


class AddressTaken(AccountsError):
    """Another operator has this address."""

    code = "address-taken"


class UnknownOperator(AccountsError):
    """No such operator."""

    code = "not-found"


class LastAdministrator(AccountsError):
    """Without an administrator nobody could let anybody in again."""

    code = "last-administrator"


class InvalidCertificate(AccountsError):
    """A training certificate without a title, with an impossible end, or for oneself."""

    code = "invalid-certificate"


class UnknownCertificate(AccountsError):
    """No such training certificate."""

    code = "not-found"


class TooManyAttempts(AccountsError):
    """Too many failures for one account or from one network address; later it may try again.

    ``first``: whether nobody else was refused for this yet, so that it is to be written down.
    """

    code = "too-many-attempts"
    retry_after = 900

    def __init__(self, message: str | Promise, *, first: bool) -> None:
        super().__init__(message)
        self.first = first
