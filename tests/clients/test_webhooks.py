"""Webhooks are verified as Standard Webhooks says, by its own vectors and by what the server signs."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.webhook_sending import signed
from consentry_client.webhooks import Event, WebhookRefused, check, verify

# The vectors of the specification's reference libraries, and of its first author's documentation.
VECTORS = [
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    ),
]
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
NOW = 1_795_770_764
BODY = json.dumps(
    {
        "type": "erasure.required",
        "timestamp": "2026-11-27T09:12:44.102000+00:00",
        "data": {"subject": "s", "purpose": "p", "erasure": "e"},
    }
).encode()


def now() -> float:
    return float(NOW)


def headers(secret: str = SECRET, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = hmac.digest(key, f"msg_1.{at}.".encode() + body, "sha256")
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": "v1," + base64.b64encode(right).decode(),
    }


@pytest.mark.parametrize(("secret", "id", "at", "body", "signature"), VECTORS)
def test_the_vectors_of_the_specification(
    secret: str, id: str, at: int, body: bytes, signature: str
) -> None:
    given = {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": signature}
    assert check(body, given, secret, now=lambda: at + 1.0) == id
    with pytest.raises(WebhookRefused):
        check(body + b" ", given, secret, now=lambda: at + 1.0)


def test_what_the_server_signs_is_read() -> None:
    id, at = uuid4(), datetime.fromtimestamp(NOW, UTC)
    sent = signed(id, at, BODY, [b"k" * 32])
    event = verify(BODY, sent, SECRET, now=now)
    assert event == Event(
        str(id),
        "erasure.required",
        datetime(2026, 11, 27, 9, 12, 44, 102000, UTC),
        {"subject": "s", "purpose": "p", "erasure": "e"},
    )


def test_one_of_several_signatures_or_secrets_is_enough() -> None:
    both = headers(OTHER)["Webhook-Signature"] + " " + headers()["Webhook-Signature"]
    rotated = headers() | {"Webhook-Signature": f"v1a,AAAA v1,!! {both} v2,AAAA"}
    assert verify(BODY, rotated, SECRET, now=now).id == "msg_1"
    assert verify(BODY, headers(OTHER), [SECRET, OTHER], now=now).id == "msg_1"


@pytest.mark.parametrize("seconds", [-301, 301, -(10**9), 10**9])
def test_an_old_or_early_timestamp_is_refused(seconds: int) -> None:
    with pytest.raises(WebhookRefused, match="clock"):
        verify(BODY, headers(at=NOW + seconds), SECRET, now=now)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_let_pass(seconds: int) -> None:
    assert verify(BODY, headers(at=NOW + seconds), SECRET, now=now)


@pytest.mark.parametrize(
    "changes",
    [
        {"Webhook-Id": "msg_2"},
        {"Webhook-Id": ""},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": "v1"},
        {"Webhook-Signature": headers(OTHER)["Webhook-Signature"]},
        {"Webhook-Signature": headers()["Webhook-Signature"].replace("v1,", "v2,")},
        {"Webhook-Timestamp": ""},
        {"Webhook-Timestamp": "now"},
        {"Webhook-Timestamp": "²"},
        {"Webhook-Timestamp": "9" * 400},
        {"Webhook-Timestamp": str(NOW + 1)},
    ],
)
def test_anything_else_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        verify(BODY, headers() | changes, SECRET, now=now)


@given(place=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(place: int, bit: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= 1 << bit
    with pytest.raises(WebhookRefused):
        verify(bytes(changed), headers(), SECRET, now=now)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":1,"timestamp":2,"data":3}', b"\xff"])
def test_what_is_signed_but_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused, match="no event"):
        verify(body, headers(body=body), SECRET, now=now)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "secret?"])
def test_a_secret_that_is_none_is_a_mistake_of_ours(secret: str) -> None:
    given: Any = headers()
    with pytest.raises(ValueError, match="whsec_"):
        verify(BODY, given, secret, now=now)
