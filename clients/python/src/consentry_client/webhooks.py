"""Verifies webhooks: Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks).

    event = verify(body, request.headers, secret)

The raw body, not parsed JSON: what is signed are its bytes. Events can come more than once and out of
order; ``event.id`` stays the same when one is sent again.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consentry_client.errors import ConsentryError

MARK = "whsec_"
VERSION = "v1"
TOLERANCE = timedelta(minutes=5)


class WebhookRefused(ConsentryError):
    """This request does not come from the installation, or not now: answer 400 and do nothing."""


@dataclass(frozen=True)
class Event:
    """What is told. ``data`` names the person by the opaque id of your purpose."""

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any]


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Iterable[str],
    *,
    tolerance: timedelta = TOLERANCE,
    now: Callable[[], float] = time.time,
) -> Event:
    """The event in a webhook's request; raises WebhookRefused unless one of the secrets signed it now.

    Give the old and the new secret while they are changed. Raises ValueError for a secret that is none.
    """
    return read_event(check(body, headers, secrets, tolerance=tolerance, now=now), body)


def check(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Iterable[str],
    *,
    tolerance: timedelta = TOLERANCE,
    now: Callable[[], float] = time.time,
) -> str:
    """As ``verify``, of any sender's Standard Webhooks: the id of what was sent, the body unread."""
    keys = [read_secret(each) for each in ([secrets] if isinstance(secrets, str) else secrets)]
    found = {name.lower(): text for name, text in headers.items()}
    id, stamp, given = (
        found.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not id or not given:
        raise WebhookRefused("the request has no webhook-id or no webhook-signature")
    require_now(stamp, now(), tolerance)
    content = f"{id}.{stamp}.".encode() + body
    right = [hmac.digest(key, content, "sha256") for key in keys]
    # Every pair is compared, whatever was found before, so that the time it takes tells nothing.
    fits = [hmac.compare_digest(one, other) for one in right for other in signatures(given)]
    if not any(fits):
        raise WebhookRefused("no signature is by one of the secrets")
    return id


def read_secret(text: str) -> bytes:
    """The bytes of a secret as an administrator was shown it; raises ValueError for anything else."""
    try:
        key = base64.b64decode(text.strip().removeprefix(MARK), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a webhook's secret is {MARK} and base64; something else came")
    return key


def require_now(stamp: str, now: float, tolerance: timedelta) -> None:
    """Raise WebhookRefused for a time that is none, or too far from ours in either direction."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise WebhookRefused("webhook-timestamp is no number of seconds")
    if abs(now - int(stamp)) > tolerance.total_seconds():
        raise WebhookRefused("webhook-timestamp is too far from this machine's clock")


def signatures(header: str) -> list[bytes]:
    """Those of the version that is known here, separated by spaces; others are left aside."""
    found = []
    for each in header.split(" "):
        version, _comma, text = each.partition(",")
        if version == VERSION:
            try:
                found.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def read_event(id: str, body: bytes) -> Event:
    """The event; raises WebhookRefused when something that was rightly signed is no event."""
    try:
        told = json.loads(body)
        data = told["data"]
        if not isinstance(data, dict):
            raise TypeError
        return Event(id, str(told["type"]), datetime.fromisoformat(told["timestamp"]), data)
    except (ValueError, KeyError, TypeError):
        raise WebhookRefused("it is signed, but no event of Consentry") from None
