"""Sending what recipients are told: signed as Standard Webhooks has it, at least once, for three days.

One row at a time: claimed by a conditional update, sent, noted. A kill between sending and noting lets the
same id be sent again a minute later, and the receiver knows it by its id.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import ssl
from datetime import datetime, timedelta
from uuid import UUID

import httpx
from django.db.models import F
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action
from consent.errors import InvalidWebhook
from consent.models import Telling, WebhookEndpoint
from consent.recipients import event_of, note
from consent.webhook_addresses import Resolve, Target, resolve, target
from consent.webhooks import live_webhook, secrets_of

EACH, WHOLE = 5.0, 10.0  # seconds: for each step of a request, and for all of it
LEASE = timedelta(minutes=1)
QUIET = timedelta(seconds=30)
"""How long at most a recipient that did not answer well is left in peace with everything else."""
BACK_OFF = [
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 20)),
]
"""The waits between attempts: three days in all."""
NO_ANSWER = 0


def tell_next(resolve: Resolve = resolve) -> bool:
    """Tell one recipient one thing; whether there was something to tell. Keeper only."""
    row = Telling.objects.to_send().select_related("erasure", "client").first()
    if row is None:
        return False
    if claim(row):
        webhook = live_webhook(row.client_id)
        if webhook is not None:
            deliver(row, webhook, resolve)
    return True


def claim(row: Telling) -> bool:
    """Take a row, unless another keeper has; for a minute it is nobody else's."""
    unchanged = Telling.objects.filter(
        pk=row.pk,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        given_up_at=None,
    )
    later = timezone.now() + LEASE
    return unchanged.update(attempts=F("attempts") + 1, next_attempt_at=later) == 1


def deliver(row: Telling, webhook: WebhookEndpoint, resolve: Resolve) -> None:
    """One attempt, and what came of it. It was the client's turn, whatever comes of it."""
    WebhookEndpoint.objects.filter(pk=webhook.pk).update(served_at=timezone.now())
    status = attempt(row, webhook, resolve)
    Telling.objects.filter(pk=row.pk).update(last_status=status)
    if 200 <= status < 300:
        note(row, "delivered_at", SYSTEM_KEEPER, Action.ERASURE_TOLD)
        WebhookEndpoint.objects.filter(pk=webhook.pk).update(quiet_until=None)
    else:
        put_off(row, webhook)


def put_off(row: Telling, webhook: WebhookEndpoint) -> None:
    """Try again later; after the last wait give up, which the operators are shown."""
    now, mine = timezone.now(), Telling.objects.filter(pk=row.pk, next_attempt_at__isnull=False)
    wait = QUIET
    if row.attempts < len(BACK_OFF):
        wait = BACK_OFF[row.attempts]
        mine.update(next_attempt_at=now + wait)
    else:
        mine.update(given_up_at=now)
    quiet = now + min(wait, QUIET)
    WebhookEndpoint.objects.filter(pk=webhook.pk).update(quiet_until=quiet)


def attempt(row: Telling, webhook: WebhookEndpoint, resolve: Resolve) -> int:
    """Send it; the HTTP status, or NO_ANSWER. A redirect is an answer like any other that is not 2xx."""
    body = json.dumps(event_of(row), separators=(",", ":")).encode()
    headers = signed(row.id, timezone.now(), body, secrets_of(webhook))
    try:
        to = target(webhook.url, row.attempts, resolve)
        return asyncio.run(post(to, body, headers))
    except (InvalidWebhook, OSError, ValueError, httpx.HTTPError):
        return NO_ANSWER


def signed(id: UUID, at: datetime, body: bytes, secrets: list[bytes]) -> dict[str, str]:
    """The headers of Standard Webhooks; one signature for each secret that is valid."""
    seconds = int(at.timestamp())
    content = f"{id}.{seconds}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(secret, content, "sha256")).decode("ascii")
        for secret in secrets
    ]
    return {
        "webhook-id": str(id),
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }


async def post(to: Target, body: bytes, headers: dict[str, str]) -> int:
    """POST to the checked address; the certificate must be that of the host. Reads no body.

    Raises httpx.HTTPError and OSError (also TimeoutError, when all of it takes too long).
    """
    async with (
        asyncio.timeout(WHOLE),
        httpx.AsyncClient(
            verify=ssl.create_default_context(),
            timeout=EACH,
            follow_redirects=False,
            trust_env=False,  # a proxy of the environment would resolve the name anew
        ) as client,
        client.stream(
            "POST",
            to.url,
            content=body,
            headers=headers
            | {"host": to.header, "content-type": "application/json", "user-agent": "Consentry"},
            extensions={"sni_hostname": to.host},
        ) as answer,
    ):
        return answer.status_code
