"""The words of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): headers in, headers out.

Core, creation, creation-with-upload, termination, checksum and expiration. Not taken: uploads whose length
is told later, and concatenation. No refusal repeats what was sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from accounts.actors import Actor
from emotion.continuing import go_on
from emotion.errors import TusVersion, UploadInvalid, WrongContentType
from emotion.intake import drain
from emotion.resumable import Standing

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
BYTES = "application/offset+octet-stream"
DIGITS = 15
WRONG_VERSION, MISMATCH = 412, 460

Headers = Mapping[str, str]
Answer = TypeVar("Answer", bound=HttpResponseBase)


def require_version(headers: Headers) -> None:
    """Raise TusVersion unless the request speaks this version."""
    if headers.get("Tus-Resumable") != VERSION:
        raise TusVersion(f"Send Tus-Resumable: {VERSION}; something else came, or nothing.")


def require_bytes(headers: Headers) -> None:
    """Raise WrongContentType unless the body is said to be bytes of an upload."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != BYTES:
        raise WrongContentType(f"Send Content-Type: {BYTES}; something else came, or nothing.")


def whole(headers: Headers, name: str, least: int = 0) -> int:
    """A header that is a whole number; raises UploadInvalid for anything else."""
    given = headers.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) <= DIGITS and int(given) >= least):
        raise UploadInvalid(
            f"{name} must be a whole number of at least {least}; something else came."
        )
    return int(given)


def length_of(headers: Headers) -> int:
    """How long the upload will be."""
    for name in ("Upload-Defer-Length", "Upload-Concat"):
        if name in headers:
            raise UploadInvalid(f"{name} is not supported here; send Upload-Length.")
    return whole(headers, "Upload-Length", 1)


def body_length(headers: Headers) -> int:
    """How many bytes the request brings."""
    if "Transfer-Encoding" in headers:
        raise UploadInvalid("Send Content-Length; a body in chunks is not taken.")
    return whole(headers, "Content-Length") if headers.get("Content-Length") else 0


def metadata(headers: Headers) -> dict[str, str]:
    """``Upload-Metadata`` taken apart: names, and values in base64 of UTF-8."""
    found: dict[str, str] = {}
    given = headers.get("Upload-Metadata", "").strip()
    for pair in given.split(",") if given else []:
        name, _space, value = pair.strip().partition(" ")
        if not name or name in found:
            raise UploadInvalid(
                "Upload-Metadata must be pairs of a name and a value, each name once."
            )
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError:  # whatever is no ASCII, no base64 or no UTF-8
            raise UploadInvalid(
                "The values of Upload-Metadata must be base64 of UTF-8; one is not."
            ) from None
    return found


class Checksum:
    """The ``Upload-Checksum`` of a request: ``update`` with its bytes, then ask whether it ``matches``."""

    def __init__(self, algorithm: str, expected: bytes) -> None:
        self.digest = ALGORITHMS[algorithm]()
        self.expected = expected

    def update(self, chunk: bytes, /) -> None:
        """The next bytes."""
        self.digest.update(chunk)

    def matches(self) -> bool:
        """Whether all bytes that came are those that were announced."""
        return hmac.compare_digest(self.digest.digest(), self.expected)


def brings_bytes(headers: Headers) -> bool:
    """Whether the request that begins an upload has its first bytes in the body."""
    given = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return given == BYTES and headers.get("Content-Length", "0") != "0"


def brings_all(headers: Headers, length: int) -> bool:
    """Whether it has all of them."""
    return brings_bytes(headers) and body_length(headers) == length


def checksum_of(headers: Headers) -> Checksum | None:
    """What the request's bytes must come to, if it says so; raises UploadInvalid."""
    if "Upload-Checksum" not in headers:
        return None
    algorithm, _space, value = headers["Upload-Checksum"].strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise UploadInvalid(f"Upload-Checksum must be one of {', '.join(ALGORITHMS)}.")
    try:
        return Checksum(algorithm, base64.b64decode(value.strip(), validate=True))
    except ValueError:
        raise UploadInvalid("The value of Upload-Checksum must be base64; it is not.") from None


def abilities(most: int) -> dict[str, str]:
    """What this server can do, as headers; ``most`` bytes to an upload."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(most),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def state(found: Standing) -> dict[str, str]:
    """How far an upload has come, as headers."""
    told = {"Upload-Offset": str(found.offset)}
    if found.expires_at is not None:
        told["Upload-Expires"] = http_date(found.expires_at.timestamp())
    return told


def spoken(answer: Answer) -> Answer:
    """An answer, or an error, as the protocol has it."""
    answer.headers["Tus-Resumable"] = VERSION
    if answer.status_code == WRONG_VERSION:
        answer.headers["Tus-Version"] = VERSION
    if answer.status_code == MISMATCH:
        answer.reason_phrase = "Checksum Mismatch"
    return answer


def receive(request: HttpRequest, actor: Actor, upload_id: UUID, *, offset: int) -> Standing:
    """Take the body of a request as bytes of an upload; what is left of a refused one is read away."""
    try:
        require_bytes(request.headers)
        return go_on(
            actor,
            upload_id,
            offset=offset,
            expected=body_length(request.headers),
            read=request.read,
            checksum=checksum_of(request.headers),
        )
    finally:
        with suppress(OSError):
            drain(request)
