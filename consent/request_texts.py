"""What a person wrote in a request and what was answered: sealed under keys of the person's account.

Answering requests is one of the closed list of uses of account data; it rests on no consent, so that
somebody who has withdrawn is answered too. Both texts of one request open together: one read, one entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable
from consent.enforcement import AccountPermit, AccountUse, require_account_use
from consent.models import SubjectRequest
from consent.sealed_texts import SealedText, seal_new
from vault.parts import Sealed, unseal_parts
from vault.units import Row, Unit

TEXT, ANSWER = "text", "answer"


@dataclass(frozen=True)
class OpenTexts:
    """Both texts in plain, for one answer, and the entry that says so."""

    text: str
    answer: str
    entry_id: UUID

    def __repr__(self) -> str:
        return "OpenTexts(sealed)"


def request_unit(subject_id: UUID) -> Unit:
    """The erasure unit of one text of a request."""
    return Unit(subject_id=subject_id, purpose_id=None, category="request")


def row_of(request_id: UUID, column: str) -> Row:
    """Where a text stands."""
    return Row(table="subject_request", column=column, row_id=request_id)


def permit_request(subject_id: UUID, request_id: UUID, action: Action) -> AccountPermit:
    """A permit for one thing done with one person's request."""
    return require_account_use(
        subject_id=subject_id,
        purpose_id=None,
        use=AccountUse.ANSWER_REQUEST,
        action=action,
        object_kind="request",
        object_id=request_id,
    )


def seal_text(
    subject_id: UUID, request_id: UUID, column: str, action: Action, text: str
) -> SealedText:
    """Seal one of the two texts under a new key. Not under a lock: it makes that key."""
    permit = permit_request(subject_id, request_id, action)
    return seal_new(permit, request_unit(subject_id), row_of(request_id, column), text.encode())


def parts_of(asked: SubjectRequest) -> dict[str, Sealed]:
    """The sealed texts that there are, by column."""
    filed = {
        TEXT: (asked.text_key_id, asked.text_sealed),
        ANSWER: (asked.answer_key_id, asked.answer_sealed),
    }
    return {
        column: Sealed(
            data_key_id=key_id,
            unit=request_unit(asked.subject_id),
            row=row_of(asked.id, column),
            sealed=bytes(sealed),
        )
        for column, (key_id, sealed) in filed.items()
        if key_id is not None and sealed is not None
    }


def read_texts(actor: Actor, asked: SubjectRequest, reason: ReasonCode) -> OpenTexts | None:
    """Open what was written and answered, logged first; None when nothing was, and then no entry is.

    The caller has found that the actor may: the person themself, or an operator with a stated reason.
    """
    parts = parts_of(asked)
    if not parts:
        return None
    permit = permit_request(asked.subject_id, asked.id, Action.REQUEST_READ)
    own = actor.kind == "subject"
    receipt = append_durable(
        Draft(
            action=Action.REQUEST_READ,
            actor=f"subject:{permit.subject_tag.hex()}" if own else actor.log_name(),
            reason=reason,
            subject_tag=permit.subject_tag,
            object_tag=permit.object_tag,
            permit_id=permit.permit_id,
        )
    )
    opened = unseal_parts(permit, receipt, list(parts.values()))
    plain = {column: each.reveal().decode() for column, each in zip(parts, opened, strict=True)}
    return OpenTexts(plain.get(TEXT, ""), plain.get(ANSWER, ""), receipt.entry_id)
