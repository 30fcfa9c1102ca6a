"""People's requests: a person asks those who hold their data for something, and has a month's clock.

Where the program itself does at once what is asked (downloading, pausing, withdrawing, closing the
account), the pages say so first. A request to the staff stays possible beside it: a right is not used up
by a button.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidRequest, NotTheSubject
from consent.holds import holds_over, lock_holds
from consent.models import (
    DataSubject,
    Purpose,
    RequestKind,
    RequestState,
    SubjectRequest,
)
from consent.records import is_own, subject_log_name
from consent.request_clock import MONTHS, due_after
from consent.request_texts import TEXT, OpenTexts, read_texts, seal_text
from vault.keyring import destroy_data_keys, keys_kept_if_filed
from vault.tags import Tagger, tagger

WAITING_AT_MOST = 20
"""How many requests of one person may wait at once: somebody has to read them all within a month."""


def require_own(actor: Actor, subject: DataSubject) -> None:
    """Raise NotTheSubject unless the actor is this very person."""
    if not is_own(actor, subject):
        raise NotTheSubject(_("Only the person themself can ask for this."))


def write_step(
    asked: SubjectRequest,
    action: Action,
    actor_name: str,
    tags: Tagger,
    *,
    reason: ReasonCode | None = None,
    refused: bool = False,
) -> None:
    """Write the entry of one step, in the flow's transaction.

    It belongs to the account and to no purpose: the tags of a purpose may have ended before the answer.
    The detail is not sealed: of which kind a request is, and when it is due, names nobody.
    """
    detail = {"kind": asked.kind, "due": asked.due_at.isoformat()}
    append(
        Draft(
            action=action,
            actor=actor_name,
            outcome=Outcome.REFUSED if refused else Outcome.OK,
            reason=reason,
            subject_tag=tags.subject(),
            object_tag=tags.object("request", asked.id),
            detail=json.dumps(detail, separators=(",", ":")).encode(),
        )
    )


def make_request(
    actor: Actor,
    subject: DataSubject,
    *,
    kind: RequestKind,
    purpose: Purpose | None,
    text: str = "",
) -> SubjectRequest:
    """Ask for something; what was written is sealed before the row and its entry are filed.

    Raises NotTheSubject, and InvalidRequest for a purpose that never asked this person, or when too many
    of theirs wait already.
    """
    require_own(actor, subject)
    if purpose is not None and not purpose.consent_states.filter(subject=subject).exists():
        raise InvalidRequest(_("This study has never asked you anything."))
    now, request_id = timezone.now(), uuid7()
    tags = tagger(subject.id, None)
    written = text.strip()
    sealed = (
        seal_text(subject.id, request_id, TEXT, Action.REQUEST_MAKE, written) if written else None
    )
    asked = SubjectRequest(
        id=request_id,
        subject=subject,
        purpose=purpose,
        kind=kind,
        received_at=now,
        due_at=due_after(now, MONTHS),
        text_key_id=sealed.key_id if sealed else None,
        text_sealed=sealed.sealed if sealed else None,
    )
    with keys_kept_if_filed(asked.text_key_id), transaction.atomic():
        require_room(subject.id)
        asked.save(force_insert=True)
        write_step(asked, Action.REQUEST_MAKE, subject_log_name(tags), tags)
    return asked


def require_room(subject_id: UUID) -> None:
    """Lock the person; raise InvalidRequest when the account is closed or too much waits already."""
    held = DataSubject.objects.select_for_update(no_key=True).get(pk=subject_id)
    if held.closed_at is not None:
        raise InvalidRequest(_("This account is closed."))
    if SubjectRequest.objects.waiting().filter(subject_id=subject_id).count() >= WAITING_AT_MOST:
        raise InvalidRequest(
            _("%(number)d of your requests wait for an answer already; take one back first.")
            % {"number": WAITING_AT_MOST}
        )


def find_own(subject: DataSubject, request_id: UUID) -> SubjectRequest | None:
    """One of the person's own requests."""
    own = SubjectRequest.objects.filter(subject=subject, erased_at=None)
    return own.select_related("purpose", "owner").filter(pk=request_id).first()


def read_own(actor: Actor, asked: SubjectRequest) -> OpenTexts | None:
    """What the person wrote and was answered. Raises NotTheSubject."""
    require_own(actor, asked.subject)
    return read_texts(actor, asked, ReasonCode.OWN_ACCESS)


def own_documents(actor: Actor, subject: DataSubject, purpose: Purpose) -> Iterator[dict[str, Any]]:
    """The person's requests about one study or about everything, to take away; each opened is logged.

    Raises NotTheSubject.
    """
    rows = SubjectRequest.objects.filter(subject=subject, erased_at=None)
    for asked in rows.filter(Q(purpose=purpose) | Q(purpose=None)).order_by("received_at"):
        opened = read_own(actor, asked)
        yield {
            "id": asked.id,
            "kind": asked.kind,
            "about": "this study" if asked.purpose_id else "everything",
            "state": asked.state,
            "received_at": asked.received_at.isoformat(),
            "due_at": asked.due_at.isoformat(),
            "extension_reason": asked.extension_reason or None,
            "ended_at": asked.ended_at.isoformat() if asked.ended_at else None,
            "outcome": asked.outcome or None,
            "ground": asked.ground or None,
            "text": opened.text if opened else None,
            "answer": (opened.answer or None) if opened else None,
        }


def retract(actor: Actor, asked: SubjectRequest) -> None:
    """Take a request back that was not answered yet; what was written is of no more use, so it goes.

    Under a legal hold it stays sealed, and nobody here opens it; the keeper erases it when the hold is
    over (``consent.request_ends``), and goes on where this was killed. Raises
    NotTheSubject or InvalidRequest.
    """
    require_own(actor, asked.subject)
    tags = tagger(asked.subject_id, None)
    with transaction.atomic():
        lock_holds(asked.subject_id, None)
        keep = holds_over(asked.subject_id, None).standing().exists()
        held = lock_waiting(asked.id)
        if not keep:
            held.text_sealed = None
        end_unanswered(held)
        write_step(held, Action.REQUEST_RETRACT, subject_log_name(tags), tags)
    if held.text_key_id is not None and not keep:
        destroy_data_keys([held.text_key_id])


def lock_waiting(request_id: UUID) -> SubjectRequest:
    """Lock a request that waits; inside a transaction only. Raises InvalidRequest when it does not.

    The person's row is locked before it, as closing an account does.
    """
    people = DataSubject.objects.select_for_update(no_key=True, of=("self",))
    list(people.filter(requests=request_id).values_list("pk"))
    held = SubjectRequest.objects.select_for_update().filter(pk=request_id).first()
    if held is None or not held.is_waiting:
        raise InvalidRequest(_("This request was answered or taken back already."))
    return held


def end_unanswered(held: SubjectRequest) -> None:
    """Mark a locked request as taken back."""
    held.state, held.ended_at = RequestState.RETRACTED, timezone.now()
    held.save(update_fields=["state", "ended_at", "text_sealed"])


def retract_all(subject_id: UUID, tags: Tagger) -> None:
    """Take back what waits because the account closes: there will be nobody to tell an answer.

    Inside the transaction that closes it.
    """
    waiting = SubjectRequest.objects.select_for_update().waiting().filter(subject_id=subject_id)
    for held in waiting.order_by("pk"):
        end_unanswered(held)
        write_step(
            held,
            Action.REQUEST_RETRACT,
            subject_log_name(tags),
            tags,
            reason=ReasonCode.ACCOUNT_CLOSED,
        )
