"""News for programs: what became of a consent or of an analysis, told to webhooks that want it.

News is convenience: the state that a client can ask for is the truth, so nobody without a webhook collects
any, and what was told is forgotten after a while. Only ``MANDATORY`` cannot be left out: a program that may
have copies must hear of a withdrawal and of an erasure (``consent.recipients``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER, Actor
from accounts.clients import revoke_client
from accounts.models import ApiClient, Scope
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.models import (
    MANDATORY,
    OF_ANALYSES,
    ConsentEvent,
    EventKind,
    Telling,
    TellingKind,
    WebhookEndpoint,
    of_live_clients,
)
from consent.recipients import About, file_tellings

KINDS = {
    EventKind.GIVEN: TellingKind.GIVEN,
    EventKind.RENEWED: TellingKind.CHANGED,
    EventKind.REAFFIRMED: TellingKind.CHANGED,
    EventKind.REFUSED: TellingKind.REFUSED,
    EventKind.WITHDRAWN: TellingKind.WITHDRAWN,
    EventKind.NARROWED: TellingKind.NARROWED,
    EventKind.RESTRICTED: TellingKind.PAUSED,
    EventKind.RESUMED: TellingKind.RESUMED,
    EventKind.EXPIRED: TellingKind.EXPIRED,
}
BEFORE_THE_END = "before-it-ends"
"""The method of the event by which somebody is asked before their consent ends."""
KEPT_FOR = timedelta(days=30)
BATCH = 1000


def kinds_open_to(scopes: Iterable[str]) -> frozenset[TellingKind]:
    """Of what a key with these scopes may be told: nothing that it could not ask for itself."""
    held = set(scopes)
    of_consents = frozenset(TellingKind) - OF_ANALYSES
    found = MANDATORY
    if held & {Scope.SUBJECTS_READ, Scope.CONSENT_REQUEST}:
        found |= of_consents
    if Scope.RECORDINGS_READ in held:
        found |= OF_ANALYSES
    return found


def told_of(purpose_id: UUID, kind: TellingKind) -> list[ApiClient]:
    """The clients of a purpose whose webhook wants this kind; one query.

    A client that has ended may have copies, so it still hears of what is mandatory, and of nothing else.
    """
    live = WebhookEndpoint.objects.filter(disabled_at=None, client__purpose_id=purpose_id)
    if kind not in MANDATORY:
        live = live.filter(of_live_clients())
    rows = live.select_related("client").order_by("client_id")
    return [
        row.client
        for row in rows
        if kind in MANDATORY or (kind in row.kinds and kind in kinds_open_to(row.client.scopes))
    ]


def kind_of(event: ConsentEvent) -> TellingKind | None:
    """What an event of a consent is to clients; None for what is none of their business."""
    if event.kind == EventKind.REQUESTED and event.method == BEFORE_THE_END:
        return TellingKind.EXPIRING
    return KINDS.get(EventKind(event.kind))


def tell_of_change(event: ConsentEvent) -> None:
    """Let the webhooks that want it know of a change, in its transaction."""
    kind = kind_of(event)
    if kind is not None:
        clients = told_of(event.purpose_id, kind)
        file_tellings(
            clients, kind, About(subject_id=event.subject_id, purpose_id=event.purpose_id)
        )


def tell_of_analysis(kind: TellingKind, about: About) -> None:
    """Let the webhooks that want it know how an analysis ended, in the transaction of its end."""
    file_tellings(told_of(about.purpose_id, kind), kind, about)


def take_client_back(actor: Actor, client_id: UUID) -> ApiClient:
    """Take a client back with its keys, and drop the news that waits for it. Raises UnknownClient.

    Withdrawals and erasures still go to its webhook until that is disabled: it may have copies.
    """
    with transaction.atomic():
        news = Telling.objects.news().under_way().filter(client_id=client_id)
        news.update(next_attempt_at=None)
        return revoke_client(actor, client_id)


def forget_old_news() -> int:
    """Forget news of 30 days ago, whatever became of it; how much. Keeper only."""
    old = Telling.objects.news().filter(created_at__lt=timezone.now() - KEPT_FOR)
    with transaction.atomic():
        ids = list(old.order_by("id").values_list("id", flat=True)[:BATCH])
        forgotten = Telling.objects.filter(pk__in=ids).delete()[0]
        if forgotten:
            append(
                Draft(
                    action=Action.WEBHOOK_FORGET,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=ReasonCode.SCHEDULE,
                )
            )
    return forgotten
