"""What can go wrong. No error holds the key, and none repeats what was sent."""

from __future__ import annotations

from dataclasses import dataclass


class ConsentryError(Exception):
    """Everything that this package raises on purpose."""


class ConnectionFailed(ConsentryError):
    """No answer came. ``nothing_sent``: not even the connection stood, so the server did nothing."""

    def __init__(self, message: str, *, nothing_sent: bool = False) -> None:
        super().__init__(message)
        self.nothing_sent = nothing_sent


class UnexpectedAnswer(ConsentryError):
    """What answered does not speak this API, or another version of it."""


class InsecureAddress(ConsentryError):
    """The server's address is none, or would send the key in plain."""


class NoKey(ConsentryError):
    """What was given as the key cannot be one."""


class GaveUpWaiting(ConsentryError):
    """What was waited for did not happen in time; it may still."""


class FileChanged(ConsentryError):
    """The file is another one than when its upload began."""


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: its JSON pointer or its parameter of the address, and a sentence."""

    pointer: str
    detail: str
    parameter: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or self.parameter}: {self.detail}"


class ApiError(ConsentryError):
    """The server refused: RFC 9457 problem details. ``code`` is stable, ``detail`` is for people.

    ``log_entry`` is the entry of the access log that the refusal made, if it made one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
        log_entry: str | None = None,
    ) -> None:
        fields = "".join(f" {each}" for each in errors)
        super().__init__(f"{status} {code}: {detail}{fields}")
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.retry_after, self.log_entry = errors, retry_after, log_entry


class NotAuthenticated(ApiError):
    """401: no key, or not a live one."""


class Refused(ApiError):
    """403: the gate or the key's scopes say no; ``code`` says which."""


class NotFound(ApiError):
    """404: it does not exist, or it is not yours."""


class Conflict(ApiError):
    """409, 423: not in this state, not yet, or somebody else is at it."""


class Gone(ApiError):
    """410: it was erased."""


class Invalid(ApiError):
    """400, 406, 412, 413, 415, 422, 460: what was sent is not as it should be."""


class Throttled(ApiError):
    """429: too often."""


class Unavailable(ApiError):
    """500 and more: the installation cannot answer just now."""


BY_STATUS: dict[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: Refused,
    404: NotFound,
    409: Conflict,
    410: Gone,
    423: Conflict,
    429: Throttled,
    **dict.fromkeys((400, 406, 412, 413, 415, 422, 460), Invalid),
}
