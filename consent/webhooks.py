"""Webhooks of API clients: making one, rotating its secret, disabling it, sending something again.

A secret is shown once, in the form of Standard Webhooks (``whsec_`` and base64), and kept sealed.
"""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import ApiClient
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidWebhook
from consent.models import Telling, WebhookEndpoint
from consent.webhook_addresses import check_url
from vault.credentials import open_credential, seal_credential

MARK = "whsec_"
BOTH_VALID_FOR = timedelta(hours=24)
"""How long after a rotation everything is signed with the old secret too."""


def label(webhook: WebhookEndpoint) -> str:
    """The place of a webhook's secrets, to which they are sealed."""
    return f"webhook/{webhook.id}"


def new_secret(webhook: WebhookEndpoint) -> tuple[str, str]:
    """A fresh secret of 256 bits: (as its receiver writes it down, sealed)."""
    secret = secrets.token_bytes(32)
    shown = MARK + base64.b64encode(secret).decode("ascii")
    return shown, seal_credential(label(webhook), secret)


def secrets_of(webhook: WebhookEndpoint) -> list[bytes]:
    """The secrets that are valid now, the newest first."""
    sealed = [webhook.secret_sealed]
    if webhook.previous_until is not None and timezone.now() < webhook.previous_until:
        sealed.append(webhook.previous_sealed)
    return [open_credential(label(webhook), each) for each in sealed]


def entry(action: Action, actor: Actor, client: ApiClient) -> Draft:
    """The entry of what somebody does with a webhook."""
    return Draft(action=action, actor=actor.log_name(), purpose_id=client.purpose_id)


def create_webhook(actor: Actor, client: ApiClient, url: str) -> tuple[WebhookEndpoint, str]:
    """Make a client's webhook and return it with its secret, which cannot be shown again.

    Raises InvalidWebhook for an address that is not allowed and when the client has one already.
    """
    check_url(url)
    webhook = WebhookEndpoint(client=client, url=url, created_at=timezone.now())
    shown, webhook.secret_sealed = new_secret(webhook)
    with transaction.atomic():
        ApiClient.objects.select_for_update().get(pk=client.pk)
        if live_webhook(client.id) is not None:
            raise InvalidWebhook(_("This client has a webhook already. Disable it first."))
        webhook.save(force_insert=True)
        append(entry(Action.WEBHOOK_CREATE, actor, client))
    return webhook, shown


def live_webhook(client_id: UUID) -> WebhookEndpoint | None:
    """The webhook to which a client's events go."""
    return (
        WebhookEndpoint.objects.filter(client_id=client_id, disabled_at=None)
        .select_related("client")
        .first()
    )


def disable_webhook(actor: Actor, webhook: WebhookEndpoint) -> None:
    """Send nothing more there; its secrets go. What is still to be told waits for the client to ask."""
    with transaction.atomic():
        live = WebhookEndpoint.objects.filter(pk=webhook.pk, disabled_at=None)
        if live.update(disabled_at=timezone.now(), secret_sealed="", previous_sealed=""):
            append(entry(Action.WEBHOOK_CHANGE, actor, webhook.client))


def rotate_secret(actor: Actor, webhook: WebhookEndpoint) -> str:
    """A new secret, shown once; the old one is valid beside it for a day."""
    shown, sealed = new_secret(webhook)
    with transaction.atomic():
        held = WebhookEndpoint.objects.select_for_update().get(pk=webhook.pk)
        if held.disabled_at is not None:
            raise InvalidWebhook(_("This webhook is disabled."))
        held.previous_sealed, held.secret_sealed = held.secret_sealed, sealed
        held.previous_until = timezone.now() + BOTH_VALID_FOR
        held.save(update_fields=["previous_sealed", "secret_sealed", "previous_until"])
        append(entry(Action.WEBHOOK_CHANGE, actor, webhook.client))
    return shown


def send_again(actor: Actor, telling: Telling) -> None:
    """Send something once more, from the beginning of the schedule and under the same id.

    When it was delivered first stays written. Raises InvalidWebhook when it is confirmed, when nobody can
    be told whom it is about any more, and when there is no webhook.
    """
    with transaction.atomic():
        webhook = live_webhook(telling.client_id)
        held = Telling.objects.select_for_update().get(pk=telling.pk)
        if webhook is None:
            raise InvalidWebhook(_("There is no webhook. What waits is sent when there is one."))
        if held.acknowledged_at is not None:
            raise InvalidWebhook(_("This was confirmed already."))
        if held.reference_id is None:
            raise InvalidWebhook(_("Nothing says any more whom this is about."))
        held.next_attempt_at, held.attempts, held.given_up_at = timezone.now(), 0, None
        held.save(update_fields=["next_attempt_at", "attempts", "given_up_at"])
        WebhookEndpoint.objects.filter(pk=webhook.pk).update(quiet_until=None)
        append(entry(Action.WEBHOOK_CHANGE, actor, telling.client))
