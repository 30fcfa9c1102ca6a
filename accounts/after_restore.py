"""Who may come in after a backup was put back: nobody on a session or a key that was ended since."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiClient, Role, User
from audit_log.actions import Action
from audit_log.models import LogEntryQuerySet


def end_access(later: LogEntryQuerySet) -> tuple[int, int]:
    """End all sessions, and what may have been ended since the backup: (API clients, operators).

    Entries do not say which operator was changed or which key revoked. So where a key was revoked, all of
    that purpose are; if any operator or a password or second factor of one was changed, all but
    administrators wait to be let in again.
    """
    Session.objects.all().delete()
    revoked = later.filter(action=Action.CLIENT_REVOKE).values("purpose_id")
    living = ApiClient.objects.filter(revoked_at=None, purpose_id__in=revoked)
    clients, operators = living.update(revoked_at=timezone.now()), 0
    renewed = Q(action=Action.AUTHENTICATOR_CHANGE, actor__startswith="operator:")
    if later.filter(renewed | Q(action=Action.OPERATOR_CHANGE)).exists():
        waiting = User.objects.filter(role__in=[Role.RESEARCHER, Role.DPO], is_active=True)
        operators = waiting.update(is_active=False)
    return clients, operators
