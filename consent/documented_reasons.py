"""The one exception of AI Act Art. 5(1)(f): a documented medical or safety reason, and two people.

A purpose in workplace or education that claims it needs the document before it is submitted, somebody
who agrees in words while it is in review, and a second person, the data protection officer, who opens
it. Neither wrote the purpose. Recruitment has no exception here.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Role, User
from audit_log.actions import Action
from audit_log.log import append
from consent.documents import Upload, add_document
from consent.errors import InvalidPurpose
from consent.models import ExceptionApproval, Purpose, PurposeState
from consent.purposes import EDITABLE, entry, is_author, locked, void_approvals

MAY_APPROVE = frozenset({Role.DPO, Role.ADMINISTRATOR})


def file_reason(actor: Actor, author: User, purpose: Purpose, upload: Upload) -> Purpose:
    """File the document that shows the reason; it replaces the one before."""
    with transaction.atomic():
        held = locked(purpose.id)
        if held.state not in EDITABLE or not held.exception:
            raise InvalidPurpose("A reason is documented in a draft that claims the exception.")
        held.exception_document = add_document(author, held, upload)
        held.save(update_fields=["exception_document"])
        held.authors.add(author)
        void_approvals(held)
        append(entry(actor, Action.PURPOSE_CHANGE, held.id))
    return held


def approve_reason(actor: Actor, approver: User, purpose: Purpose, statement: str) -> None:
    """Agree, having read the document; a second time by the same person changes nothing."""
    if not statement.strip():
        raise InvalidPurpose("Say in your own words why the document shows the reason.")
    with transaction.atomic():
        held = locked(purpose.id)
        if held.state != PurposeState.IN_REVIEW or held.exception_document_id is None:
            raise InvalidPurpose("There is no documented reason in review that could be agreed to.")
        if approver.role not in MAY_APPROVE or is_author(approver, held):
            raise InvalidPurpose(
                "A data protection officer or an administrator agrees, and none who wrote the purpose."
            )
        _approval, created = ExceptionApproval.objects.get_or_create(
            purpose=held,
            by=approver,
            defaults={"statement": statement.strip(), "at": timezone.now()},
        )
        if created:
            append(entry(actor, Action.PURPOSE_APPROVE_EXCEPTION, held.id))
