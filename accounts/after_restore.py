"""Who may come in after a backup was put back: nobody on a session or a key that was ended since."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import ApiClient, ApiKey, AuditorToken, Role, TrainingCertificate, User
from audit_log.actions import Action
from audit_log.models import LogEntryQuerySet


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How many of each may no longer come in."""

    clients: int
    operators: int
    auditors: int
    certificates: int


def end_access(later: LogEntryQuerySet) -> Ended:
    """End all sessions, and what may have been ended since the backup.

    If any operator or a password or second factor of one was changed, all but administrators wait to be let
    in again; of administrators those who were deactivated. API clients and keys and auditors' tokens that
    were taken back are named; a client that may come from other networks since is ended, because the backup
    has the old list. Where a training certificate was withdrawn, all are.
    """
    Session.objects.all().delete()
    ended = (Action.CLIENT_REVOKE, Action.CLIENT_CHANGE)
    clients = revoke(ApiClient.objects.filter(id__in=named(later, ended, "client")))
    taken = named(later, (Action.CLIENT_KEY_REVOKE,), "key")
    clients += revoke(ApiKey.objects.filter(prefix__in=taken))
    operators = 0
    renewed = Q(action=Action.AUTHENTICATOR_CHANGE, actor__startswith="operator:")
    if later.filter(renewed | Q(action=Action.OPERATOR_CHANGE)).exists():
        operators = deactivate_again(later) + shut_out()
    auditors = revoke(
        AuditorToken.objects.filter(id__in=named(later, (Action.AUDITOR_REVOKE,), "token"))
    )
    certificates = withdraw_all() if later.filter(action=Action.TRAINING_WITHDRAW).exists() else 0
    return Ended(clients=clients, operators=operators, auditors=auditors, certificates=certificates)


def named(later: LogEntryQuerySet, actions: Collection[Action], what: str) -> list[str]:
    """What the entries of these actions name in their details: ids and prefixes."""
    found = later.filter(action__in=actions)
    return [json.loads(row.entry().draft.detail)[what] for row in found]


def end_all_access() -> Ended:
    """End whatever may have been ended since the backup when nobody can tell what was."""
    Session.objects.all().delete()
    return Ended(
        clients=revoke(ApiClient.objects.all()),
        operators=shut_out(),
        auditors=revoke(AuditorToken.objects.all()),
        certificates=withdraw_all(),
    )


def revoke(keys: QuerySet[ApiClient] | QuerySet[ApiKey] | QuerySet[AuditorToken]) -> int:
    """Take keys back that are not; of how many."""
    return keys.filter(revoked_at=None).update(revoked_at=timezone.now())


def withdraw_all() -> int:
    """Let no training certificate count until it is written down anew; of how many."""
    valid = TrainingCertificate.objects.filter(withdrawn_at=None)
    return valid.update(withdrawn_at=timezone.now())


def deactivate_again(later: LogEntryQuerySet) -> int:
    """Deactivate administrators who were since, unless nobody were left to let anybody in; of how many."""
    last: dict[str, str] = {}
    for row in later.filter(action=Action.OPERATOR_CHANGE).order_by("index"):
        told = json.loads(row.entry().draft.detail)
        if told["step"] in {"deactivate", "reactivate"}:
            last[told["operator"]] = told["step"]
    gone = [operator for operator, step in last.items() if step == "deactivate"]
    active = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True)
    if not active.exclude(id__in=gone).exists():
        return 0
    return active.filter(id__in=gone).update(is_active=False)


def shut_out() -> int:
    """Let all but administrators wait until one lets them in again; of how many."""
    waiting = User.objects.filter(role__in=[Role.RESEARCHER, Role.DPO], is_active=True)
    return waiting.update(is_active=False)
