"""Closed since a backup was made, and closed again: requests, accounts, passkeys, purposes, doors."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from accounts.sign_ins import Step
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from audit_log.models import LogEntry, LogEntryQuerySet
from consent.account_closing import file_closing, shut
from consent.erasure import forget_contact
from consent.models import (
    DataSubject,
    ErasureRequest,
    Invitation,
    Purpose,
    PurposeState,
    RequestState,
    SignInCode,
    SubjectRequest,
    WebhookEndpoint,
)
from consent.purposes import ENDS_AFTER_DAYS
from vault.tags import Tagger, tagger, tagger_if_alive


def over(now: datetime) -> dict[str, datetime]:
    """The steps of an erasure that was finished when its tags ended, after the backup was made."""
    return {"begun_at": now, "keys_destroyed_at": now, "rows_removed_at": now, "final_at": now}


def retract_again(later: LogEntryQuerySet) -> None:
    """Let requests stay taken back whose words were destroyed with that."""
    rows = later.filter(action=Action.REQUEST_RETRACT).values_list("object_tag", flat=True)
    gone = {bytes(tag) for tag in rows}
    for asked in SubjectRequest.objects.waiting() if gone else []:
        tags = tagger_if_alive(asked.subject_id, None)
        if tags is None or tags.object("request", asked.id) in gone:
            SubjectRequest.objects.filter(pk=asked.pk).update(
                state=RequestState.RETRACTED, ended_at=timezone.now(), text_sealed=None
            )


def close_accounts(later: LogEntryQuerySet) -> int:
    """Close again the accounts that were closed; of how many."""
    rows = later.filter(action=Action.ACCOUNT_CLOSE).values_list("subject_tag", flat=True)
    gone = {bytes(tag) for tag in rows}
    number = 0
    for subject in DataSubject.objects.filter(tags_ended_at=None):
        tags, was_open = tagger_if_alive(subject.id, None), subject.closed_at is None
        if tags is None:
            close_for_good(subject)
        elif was_open and tags.subject() in gone:
            # Its link was shown once, to the person; nobody has this one.
            file_closing(subject, secrets.token_urlsafe(32))
        else:
            continue
        number += int(was_open)
    return number


def close_for_good(subject: DataSubject) -> None:
    """Close an account whose tags are destroyed: nothing can be written about it any more."""
    now = timezone.now()
    with transaction.atomic():
        held = DataSubject.objects.select_for_update().get(pk=subject.pk)
        if held.closed_at is None:
            shut(held, secrets.token_urlsafe(32))
        held.tags_ended_at = held.tags_destroyed_at = now
        held.save(update_fields=["tags_ended_at", "tags_destroyed_at"])
        forget_contact(held.id)
        ErasureRequest.objects.of_account().filter(subject=held, final_at=None).update(**over(now))


def remove_passkeys(later: LogEntryQuerySet) -> int:
    """Remove all passkeys of whoever removed one since; of how many people.

    Entries do not say which. The person signs in by a code or a new link, and adds one anew.
    """
    changes = later.filter(
        action=Action.AUTHENTICATOR_CHANGE, actor__startswith="subject:"
    ).order_by("index")
    gone = {bytes(row.subject_tag) for row in changes if not only_adds(row)}
    if not gone:
        return 0
    number = 0
    for subject in with_passkeys():
        tags = tagger_if_alive(subject.id, None)
        if tags is not None and tags.subject() in gone:
            number += take_passkeys(subject, tags)
    return number


def remove_all_passkeys() -> int:
    """Remove every data subject's passkeys, because nobody can tell which were; of how many people."""
    return sum(take_passkeys(subject, tagger(subject.id, None)) for subject in with_passkeys())


def only_adds(row: LogEntry) -> bool:
    """Whether a change of somebody's means to sign in took none away."""
    return bool(json.loads(row.entry().draft.detail or b"{}").get("step") == Step.ADD)


def with_passkeys() -> QuerySet[DataSubject]:
    """Everybody who has an account that a passkey opens."""
    holders = Authenticator.objects.values("user_id")
    return DataSubject.objects.filter(tags_ended_at=None, user_id__in=holders).order_by("id")


def take_passkeys(subject: DataSubject, tags: Tagger) -> int:
    """Remove a person's passkeys, with the entry; 1 if there were any."""
    with transaction.atomic():
        removed, _kinds = Authenticator.objects.filter(user_id=subject.user_id).delete()
        if not removed:
            return 0
        append(
            Draft(
                action=Action.AUTHENTICATOR_CHANGE,
                actor=SYSTEM_KEEPER.log_name(),
                reason=ReasonCode.BACKUP_RESTORED,
                subject_tag=tags.subject(),
                detail=json.dumps({"step": Step.REMOVE}, separators=(",", ":")).encode(),
            )
        )
    return 1


def close_purposes(later: LogEntryQuerySet) -> int:
    """Close again the purposes that were closed, with the usual number of days until their end."""
    ids = later.filter(action=Action.PURPOSE_CLOSE).values_list("purpose_id", flat=True)
    rows = Purpose.objects.filter(pk__in=list(ids), state=PurposeState.OPEN)
    now = timezone.now()
    return rows.update(
        state=PurposeState.CLOSED, closed_at=now, ends_at=now + timedelta(days=ENDS_AFTER_DAYS)
    )


def shut_open_doors(later: LogEntryQuerySet, *, all_webhooks: bool = False) -> int:
    """Make useless what was on its way or may have been ended since: links, codes, webhooks.

    Entries do not say which webhook was disabled or got a new secret. So where one of a purpose was, all
    of that purpose are disabled, and all of them when nobody can tell; of how many.
    """
    now = timezone.now()
    Invitation.objects.filter(redeemed_at=None, revoked_at=None).update(revoked_at=now)
    SignInCode.objects.all().delete()
    live = WebhookEndpoint.objects.filter(disabled_at=None)
    if not all_webhooks:
        changed = later.filter(action__in=[Action.WEBHOOK_CREATE, Action.WEBHOOK_CHANGE])
        live = live.filter(client__purpose_id__in=changed.values("purpose_id"))
    return live.update(disabled_at=now, secret_sealed="", previous=[])
