"""Who may come in after a backup was put back: nobody on a session or a key that was ended since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import ApiClient, AuditorToken, Role, User
from audit_log.actions import Action
from audit_log.models import LogEntryQuerySet


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How many of each may no longer come in."""

    clients: int
    operators: int
    auditors: int


def end_access(later: LogEntryQuerySet) -> Ended:
    """End all sessions, and what may have been ended since the backup.

    Entries do not say which operator was changed or which key revoked. So where a key was revoked, all of
    that purpose are; if any operator or a password or second factor of one was changed, all but
    administrators wait to be let in again. An auditor's token that was revoked is named.
    """
    Session.objects.all().delete()
    revoked = later.filter(action=Action.CLIENT_REVOKE).values("purpose_id")
    clients, operators = revoke(ApiClient.objects.filter(purpose_id__in=revoked)), 0
    renewed = Q(action=Action.AUTHENTICATOR_CHANGE, actor__startswith="operator:")
    if later.filter(renewed | Q(action=Action.OPERATOR_CHANGE)).exists():
        operators = shut_out()
    taken = [
        UUID(json.loads(row.entry().draft.detail)["token"])
        for row in later.filter(action=Action.AUDITOR_REVOKE)
    ]
    auditors = revoke(AuditorToken.objects.filter(id__in=taken))
    return Ended(clients=clients, operators=operators, auditors=auditors)


def end_all_access() -> Ended:
    """End whatever may have been ended since the backup when nobody can tell what was."""
    Session.objects.all().delete()
    return Ended(
        clients=revoke(ApiClient.objects.all()),
        operators=shut_out(),
        auditors=revoke(AuditorToken.objects.all()),
    )


def revoke(keys: QuerySet[ApiClient] | QuerySet[AuditorToken]) -> int:
    """Take keys back that are not; of how many."""
    return keys.filter(revoked_at=None).update(revoked_at=timezone.now())


def shut_out() -> int:
    """Let all but administrators wait until one lets them in again; of how many."""
    waiting = User.objects.filter(role__in=[Role.RESEARCHER, Role.DPO], is_active=True)
    return waiting.update(is_active=False)
