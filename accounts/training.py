"""Operators' training: who has been taught what the numbers mean, until when, and who vouches for it.

Without a certificate that is valid today an operator opens no person's result or picture: the gate asks
(``consent.enforcement``). Nobody vouches for themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import InvalidCertificate, UnknownCertificate
from accounts.models import TrainingCertificate, User
from accounts.operators import lock_operator, operators
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append

LONGEST = timedelta(days=2 * 366)
"""A certificate is valid for two years at most: models and their errors change."""


def certificates_of(operator_id: UUID) -> QuerySet[TrainingCertificate]:
    """All certificates of an operator, the newest first."""
    return TrainingCertificate.objects.filter(operator_id=operator_id).order_by("-recorded_at")


def valid_certificates(now: datetime | Combinable) -> QuerySet[TrainingCertificate]:
    """The certificates that count now; with one of their own the gate lets an operator look."""
    return TrainingCertificate.objects.filter(withdrawn_at=None, valid_until__gt=now)


def valid_of(operator_id: UUID | OuterRef | None) -> QuerySet[TrainingCertificate]:
    """An operator's certificates that count now."""
    return valid_certificates(timezone.now()).filter(operator_id=operator_id)


def with_training() -> QuerySet[User]:
    """Operators who work here, each with ``trained_until``, the latest valid end or None."""
    latest = valid_of(OuterRef("pk")).order_by("-valid_until")
    return (
        operators()
        .filter(is_active=True)
        .annotate(trained_until=Subquery(latest.values("valid_until")[:1]))
    )


def record_certificate(
    actor: Actor, operator_id: UUID, *, title: str, valid_until: datetime
) -> TrainingCertificate:
    """Write down that an operator was trained, and until when that counts.

    Raises UnknownOperator, and InvalidCertificate for one's own, one without a title, one that is over
    already or one that would be valid for longer than ``LONGEST``.
    """
    now = timezone.now()
    if operator_id == actor.id:
        raise InvalidCertificate(_("Nobody vouches for their own training: a colleague has to."))
    if not title.strip():
        raise InvalidCertificate(_("Say what the training was; nothing came."))
    if not now < valid_until <= now + LONGEST:
        raise InvalidCertificate(
            _("Expected an end after today and within two years; another date came.")
        )
    with transaction.atomic():
        certificate = TrainingCertificate.objects.create(
            operator=lock_operator(operator_id),
            title=title.strip(),
            valid_until=valid_until,
            recorded_by_id=actor.id if actor.kind == "operator" else None,
        )
        append(Draft(action=Action.TRAINING_RECORD, actor=actor.log_name()))
    return certificate


def withdraw_certificate(actor: Actor, certificate_id: UUID) -> TrainingCertificate:
    """Let a certificate count no longer, at once. Doing it again changes nothing.

    Raises UnknownCertificate.
    """
    with transaction.atomic():
        rows = TrainingCertificate.objects.select_for_update()
        certificate = rows.filter(id=certificate_id).first()
        if certificate is None:
            raise UnknownCertificate(_("There is no such certificate."))
        if certificate.withdrawn_at is None:
            certificate.withdrawn_at = timezone.now()
            certificate.save(update_fields=["withdrawn_at"])
            append(Draft(action=Action.TRAINING_WITHDRAW, actor=actor.log_name()))
    return certificate
