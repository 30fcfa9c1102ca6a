"""What the staff do with a person's request: take it, ask for more time, read it, answer it.

Whoever takes a request answers it; somebody else may take it over. The person is told of an answer and
of an extension by a message, where they gave an address; both stand on their own page in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import User
from audit_log.actions import Action, ReasonCode
from consent.errors import InvalidRequest
from consent.messages import key_of
from consent.models import (
    ExtensionReason,
    OperatorsTold,
    RefusalGround,
    RequestOutcome,
    RequestState,
    SubjectRequest,
)
from consent.request_clock import MONTHS, MONTHS_MORE, due_after
from consent.request_letters import letter_of_answer, letter_of_extension
from consent.request_texts import ANSWER, OpenTexts, read_texts, seal_text
from consent.requests import lock_waiting, write_step
from vault.keyring import keys_kept_if_filed
from vault.tags import tagger

ANSWERERS = "consent.answer_request"


def require_answerer(operator: User) -> None:
    """Raise InvalidRequest unless this operator's role answers people's requests."""
    if not operator.has_perm(ANSWERERS):
        raise InvalidRequest(_("Your role does not answer people's requests."))


def lock_own(operator: User, request_id: UUID) -> SubjectRequest:
    """Lock a waiting request that this operator has taken. Raises InvalidRequest."""
    held = lock_waiting(request_id)
    if held.owner_id != operator.pk:
        raise InvalidRequest(_("Take the request first; whoever takes it answers it."))
    return held


def take(actor: Actor, operator: User, request_id: UUID) -> SubjectRequest:
    """Look after a request, or take it over. A second call changes nothing. Raises InvalidRequest."""
    require_answerer(operator)
    tags = tagger(SubjectRequest.objects.get(pk=request_id).subject_id, None)
    with transaction.atomic():
        held = lock_waiting(request_id)
        if held.owner_id != operator.pk:
            held.owner, held.taken_at = operator, timezone.now()
            held.state = RequestState.TAKEN
            held.save(update_fields=["owner", "taken_at", "state"])
            write_step(held, Action.REQUEST_TAKE, actor.log_name(), tags)
    return held


def extend(
    actor: Actor, operator: User, request_id: UUID, reason: ExtensionReason
) -> SubjectRequest:
    """Take two months more, once, within the first month, and tell the person why (Art. 12(3)).

    Raises InvalidRequest.
    """
    require_answerer(operator)
    found = SubjectRequest.objects.select_related("subject__user", "purpose").get(pk=request_id)
    tags = tagger(found.subject_id, None)
    due_at = due_after(found.received_at, MONTHS + MONTHS_MORE)
    told = letter_of_extension(actor, found, reason, due_at)
    with keys_kept_if_filed(key_of(told)), transaction.atomic():
        held = lock_own(operator, request_id)
        require_extendable(held)
        held.due_at, held.extended_at = due_at, timezone.now()
        held.extension_reason = reason
        held.operators_told = OperatorsTold.NEW  # the new day is reminded of anew
        held.save(update_fields=["due_at", "extended_at", "extension_reason", "operators_told"])
        write_step(held, Action.REQUEST_EXTEND, actor.log_name(), tags, reason=ReasonCode(reason))
        if told:
            told.file()
    return held


def require_extendable(held: SubjectRequest) -> None:
    """Raise InvalidRequest when there is no more time to be had."""
    if held.extended_at is not None:
        raise InvalidRequest(_("It was extended already; that is possible once."))
    if held.is_overdue:
        raise InvalidRequest(_("Its first month is over; it can no longer be extended."))


@dataclass(frozen=True)
class Answer:
    """What an operator answers; a refusal needs one of the closed list of grounds."""

    outcome: RequestOutcome
    text: str
    ground: RefusalGround | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InvalidRequest(_("An answer needs words."))
        if (self.outcome == RequestOutcome.REFUSED) != (self.ground is not None):
            raise InvalidRequest(_("A refusal names its ground; nothing else has one."))

    def __repr__(self) -> str:
        return f"Answer({self.outcome}, sealed)"


def answer(actor: Actor, operator: User, request_id: UUID, given: Answer) -> SubjectRequest:
    """Answer a request that this operator has taken; the text is sealed first. Raises InvalidRequest."""
    require_answerer(operator)
    found = SubjectRequest.objects.select_related("subject__user", "purpose").get(pk=request_id)
    if not found.is_waiting:  # asked again under the lock; here it spares a key
        raise InvalidRequest(_("This request was answered or taken back already."))
    tags = tagger(found.subject_id, None)
    sealed = seal_text(
        found.subject_id, found.id, ANSWER, Action.REQUEST_ANSWER, given.text.strip()
    )
    with keys_kept_if_filed(sealed.key_id):
        told = letter_of_answer(actor, found)
        with keys_kept_if_filed(key_of(told)), transaction.atomic():
            held = lock_own(operator, request_id)
            held.state, held.ended_at = RequestState.ANSWERED, timezone.now()
            held.outcome, held.ground = given.outcome, given.ground or ""
            held.answer_key_id, held.answer_sealed = sealed.key_id, sealed.sealed
            held.save()
            write_step(
                held,
                Action.REQUEST_ANSWER,
                actor.log_name(),
                tags,
                reason=ReasonCode(given.ground) if given.ground else None,
                refused=given.outcome == RequestOutcome.REFUSED,
            )
            if told:
                told.file()
    return held


def read(
    actor: Actor, operator: User, asked: SubjectRequest, reason: ReasonCode
) -> OpenTexts | None:
    """What the person wrote and was answered, for a stated reason. Raises InvalidRequest."""
    require_answerer(operator)
    if asked.state == RequestState.RETRACTED:
        raise InvalidRequest(_("It was taken back; nobody here reads it any more."))
    return read_texts(actor, asked, reason)
