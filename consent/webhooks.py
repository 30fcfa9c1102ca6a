"""Webhooks of API clients: making one, rotating its secret, disabling it, sending something again.

A secret is shown once, in the form of Standard Webhooks (``whsec_`` and base64), and kept sealed.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import ApiClient
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidWebhook, ReplayedTooSoon
from consent.models import MANDATORY, OldSecret, Telling, TellingKind, WebhookEndpoint
from consent.notifications import kinds_open_to
from consent.webhook_addresses import check_url
from vault.credentials import open_credential, seal_credential

MARK = "whsec_"
OLD_VALID_FOR = timedelta(hours=24)
"""How long after a rotation everything is signed with the old secret too."""
OLD_AT_MOST = 5
"""So many old ones at a time: each is a signature more in a header."""
REPLAYED_EVERY = timedelta(minutes=1)
"""How often at most one thing is sent again on somebody's word."""


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
    sealed = [webhook.secret_sealed, *(each.sealed for each in webhook.old_secrets())]
    return [open_credential(label(webhook), each) for each in sealed]


def entry(action: Action, actor: Actor, client: ApiClient) -> Draft:
    """The entry of what somebody does with a webhook."""
    return Draft(action=action, actor=actor.log_name(), purpose_id=client.purpose_id)


def chosen_kinds(client: ApiClient, wanted: Iterable[str] | None) -> list[str]:
    """Of what a client is told: what it wants of what is open to it, or all of that, in their order.

    Nobody can leave out ``MANDATORY``. Raises InvalidWebhook for a kind that its scopes do not cover.
    """
    open_kinds = kinds_open_to(client.scopes)
    kinds = open_kinds if wanted is None else {TellingKind(each) for each in wanted} | MANDATORY
    if not kinds <= open_kinds:
        raise InvalidWebhook(_("The scopes of this key do not cover all of these types."))
    return [kind.value for kind in TellingKind if kind in kinds]


def create_webhook(
    actor: Actor, client: ApiClient, url: str, kinds: Iterable[str] | None = None
) -> tuple[WebhookEndpoint, str]:
    """Make a client's webhook and return it with its secret, which cannot be shown again.

    ``kinds``: of what it is told; None for everything that is open to it. Raises InvalidWebhook for an
    address or kinds that are not allowed and when the client has one already.
    """
    webhook, shown = new_webhook(client, url, kinds)
    with transaction.atomic():
        if lock_live_webhook(client) is not None:
            raise InvalidWebhook(_("This client has a webhook already. Disable it first."))
        file_webhook(actor, webhook)
    return webhook, shown


def new_webhook(
    client: ApiClient, url: str, kinds: Iterable[str] | None
) -> tuple[WebhookEndpoint, str]:
    """A row with its sealed secret, not filed yet, and the secret; not under a lock, because it seals.

    Raises InvalidWebhook.
    """
    check_url(url)
    webhook = WebhookEndpoint(
        client=client, url=url, kinds=chosen_kinds(client, kinds), created_at=timezone.now()
    )
    shown, webhook.secret_sealed = new_secret(webhook)
    return webhook, shown


def lock_live_webhook(client: ApiClient) -> WebhookEndpoint | None:
    """The client's webhook, if it has one; until the commit nobody else gives it another."""
    ApiClient.objects.select_for_update().get(pk=client.pk)
    return live_webhook(client.id)


def file_webhook(actor: Actor, webhook: WebhookEndpoint) -> None:
    """Put a new webhook in its place with its entry, in the transaction that has locked the client.

    It is called at once, but a new address is no new turn: else changing it all the time would be one.
    """
    before = WebhookEndpoint.objects.filter(client=webhook.client)
    webhook.served_at = before.aggregate(last=Max("served_at"))["last"]
    webhook.save(force_insert=True)
    append(entry(Action.WEBHOOK_CREATE, actor, webhook.client))


@dataclass(frozen=True)
class Put:
    """What came of ``put_webhook``; ``secret`` is None where the address stayed as it was."""

    webhook: WebhookEndpoint
    secret: str | None
    is_first: bool

    def __repr__(self) -> str:
        return "Put(secret)"


def put_webhook(
    actor: Actor, client: ApiClient, url: str, kinds: Iterable[str] | None = None
) -> Put:
    """Let a client be told there and of this, whatever was before.

    A new address gets a new secret, because whoever is behind the old one knows the old secret; what
    waits goes to the new one. Raises InvalidWebhook, and then everything is as it was.
    """
    webhook, shown = new_webhook(client, url, kinds)
    with transaction.atomic():
        live = lock_live_webhook(client)
        if live is not None and live.url == url:
            change_kinds(actor, live, kinds)
            return Put(live, None, is_first=False)
        if live is not None:
            end(actor, live)
        file_webhook(actor, webhook)
    return Put(webhook, shown, is_first=live is None)


def change_kinds(actor: Actor, webhook: WebhookEndpoint, kinds: Iterable[str] | None) -> None:
    """Tell a client of other kinds from now on. Raises InvalidWebhook."""
    chosen = chosen_kinds(webhook.client, kinds)
    with transaction.atomic():
        held = held_live(webhook)
        if held.kinds != chosen:
            held.kinds = webhook.kinds = chosen
            held.save(update_fields=["kinds"])
            append(entry(Action.WEBHOOK_CHANGE, actor, webhook.client))


def live_webhook(client_id: UUID) -> WebhookEndpoint | None:
    """The webhook to which a client's events go."""
    return (
        WebhookEndpoint.objects.filter(client_id=client_id, disabled_at=None)
        .select_related("client")
        .first()
    )


def held_live(webhook: WebhookEndpoint) -> WebhookEndpoint:
    """The webhook, locked; inside a transaction only. Raises InvalidWebhook when it is disabled."""
    held = WebhookEndpoint.objects.select_for_update().get(pk=webhook.pk)
    if held.disabled_at is not None:
        raise InvalidWebhook(_("This webhook is disabled."))
    return held


def end(actor: Actor, webhook: WebhookEndpoint) -> None:
    """Disable a webhook with its entry, in the caller's transaction; its secrets go."""
    live = WebhookEndpoint.objects.filter(pk=webhook.pk, disabled_at=None)
    if live.update(disabled_at=timezone.now(), secret_sealed="", previous=[]):
        append(entry(Action.WEBHOOK_CHANGE, actor, webhook.client))


def disable_webhook(actor: Actor, webhook: WebhookEndpoint) -> None:
    """Send nothing more there. An erasure waits for the client to ask; what is only news is dropped."""
    with transaction.atomic():
        if live_webhook(webhook.client_id) == webhook:  # what waits for a newer one is not dropped
            news = Telling.objects.news().under_way().filter(client_id=webhook.client_id)
            news.update(next_attempt_at=None)
        end(actor, webhook)


def rotate_secret(actor: Actor, webhook: WebhookEndpoint) -> str:
    """A new secret, shown once; the old ones are valid beside it for a day.

    Several, so that a rotation whose answer was lost can be repeated without a break.
    """
    shown, sealed = new_secret(webhook)
    with transaction.atomic():
        held = held_live(webhook)
        until = timezone.now() + OLD_VALID_FOR
        old = [OldSecret(held.secret_sealed, until), *held.old_secrets()]
        held.keep_old(old[:OLD_AT_MOST])
        held.secret_sealed = sealed
        held.save(update_fields=["previous", "secret_sealed"])
        append(entry(Action.WEBHOOK_CHANGE, actor, webhook.client))
    return shown


def send_again(actor: Actor, telling: Telling) -> None:
    """Send something once more, from the beginning of the schedule and under the same id.

    When it was delivered first stays written, and a webhook that is left in peace for a while is so still.
    Raises InvalidWebhook when it is confirmed, when nobody can be told whom it is about any more, and when
    there is no webhook; ReplayedTooSoon.
    """
    now = timezone.now()
    with transaction.atomic():
        webhook = live_webhook(telling.client_id)
        held = Telling.objects.select_for_update().get(pk=telling.pk)
        if webhook is None:
            raise InvalidWebhook(_("There is no webhook. What waits is sent when there is one."))
        if held.acknowledged_at is not None:
            raise InvalidWebhook(_("This was confirmed already."))
        if held.reference_id is None:
            raise InvalidWebhook(_("Nothing says any more whom this is about."))
        if held.replayed_at is not None and now < held.replayed_at + REPLAYED_EVERY:
            raise ReplayedTooSoon(
                _("This was sent again less than a minute ago."),
                held.replayed_at + REPLAYED_EVERY - now,
            )
        held.next_attempt_at, held.attempts, held.given_up_at = now, 0, None
        held.replayed_at = now
        held.save(update_fields=["next_attempt_at", "attempts", "given_up_at", "replayed_at"])
        append(entry(Action.WEBHOOK_CHANGE, actor, telling.client))
