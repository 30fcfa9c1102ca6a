"""A client of the tus protocol for tests: one request at a time, as wrong as a test wants it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from uuid import UUID

from django.test import Client
from django.urls import reverse

SPEAKS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def encoded(**fields: str) -> str:
    """Upload-Metadata."""
    pairs = [
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items()
    ]
    return ",".join(pairs)


def checksum(body: bytes, algorithm: str = "sha1") -> str:
    """Upload-Checksum of a body."""
    digest = hashlib.new(algorithm, body).digest()
    return f"{algorithm} {base64.b64encode(digest).decode()}"


class Tus:
    """An API client with its key."""

    def __init__(self, key: str) -> None:
        self.browser = Client(headers=SPEAKS | {"Authorization": f"Bearer {key}"})

    def create(
        self, purpose_id: UUID, length: int | str, subject: str = "P-001", **given: Any
    ) -> Any:
        """POST; ``headers`` besides, ``body`` with it, other names as metadata."""
        headers = {"Upload-Length": str(length)} | given.pop("headers", {})
        body = given.pop("body", b"")
        fields = {"subject": subject, "purpose": str(purpose_id)} | given
        headers = {"Upload-Metadata": encoded(**fields)} | headers
        return self.browser.post(
            reverse("api_uploads"), body, content_type=BYTES if body else "text/plain",
            headers=headers,
        )  # fmt: skip

    def begin(self, purpose_id: UUID, length: int, **given: Any) -> str:
        """The address of a new upload."""
        answer = self.create(purpose_id, length, **given)
        assert answer.status_code == 201, answer.content
        return str(answer.headers["Location"])

    def patch(
        self,
        address: str,
        offset: int | str,
        body: bytes,
        *,
        extra: dict[str, Any] | None = None,
        **headers: str,
    ) -> Any:
        """The next bytes; ``extra`` for the WSGI environment."""
        given = {"Upload-Offset": str(offset), "Content-Type": BYTES}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        kind = given["Content-Type"]
        return self.browser.patch(address, body, kind, headers=given, **(extra or {}))

    def head(self, address: str) -> Any:
        return self.browser.head(address)

    def delete(self, address: str) -> Any:
        return self.browser.delete(address)

    def offset(self, address: str) -> int:
        """How far an upload is."""
        answer = self.head(address)
        assert answer.status_code == 200
        return int(answer.headers["Upload-Offset"])
