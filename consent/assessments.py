"""Impact assessments (GDPR Art. 35): written in versions, approved by somebody who did not write them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Role, User
from audit_log.actions import Action
from audit_log.log import append
from consent.documents import Upload, add_document
from consent.errors import InvalidAssessment
from consent.models import (
    ImpactAssessment,
    Purpose,
    PurposeState,
    ResidualRisk,
)
from consent.purposes import entry, locked

SECTIONS = ("necessity", "risks", "measures", "consultation")
TEXTS = (*SECTIONS, "prior_consultation")


def write_assessment(
    actor: Actor,
    author: User,
    purpose: Purpose,
    texts: Mapping[str, str],
    *,
    residual_risk: str,
    document: Upload | None = None,
) -> ImpactAssessment:
    """The next version: the four ``SECTIONS`` of Art. 35(7), or a document that has them, or both.

    ``texts`` holds the sections and, where a high risk is left, ``prior_consultation`` (Art. 36).

    Nobody has approved a new version, so the approval of the one before ends. Raises InvalidAssessment
    or InvalidDocument; then nothing was made.
    """
    empty = [name for name in SECTIONS if not texts.get(name, "").strip()]
    if empty and document is None:
        raise InvalidAssessment(
            f"Fill in every section, or upload a document that has them; empty: {', '.join(empty)}."
        )
    if residual_risk not in ResidualRisk.values:
        raise InvalidAssessment(
            f"The residual risk is one of {ResidualRisk.values}; got {residual_risk!r}."
        )
    with transaction.atomic():
        held = locked(purpose.id)
        if held.state == PurposeState.CLOSED:
            raise InvalidAssessment("This purpose is closed; its assessment stays as it is.")
        version = (held.assessments.aggregate(Max("version"))["version__max"] or 0) + 1
        made = ImpactAssessment.objects.create(
            purpose=held,
            version=version,
            residual_risk=residual_risk,
            document=add_document(author, held, document) if document else None,
            written_by=author,
            written_at=timezone.now(),
            **{name: texts.get(name, "").strip() for name in TEXTS},
        )
        append(entry(actor, Action.ASSESSMENT_WRITE, held.id))
    return made


def approve_assessment(actor: Actor, officer: User, assessment_id: UUID) -> ImpactAssessment:
    """A data protection officer who did not write it approves the newest version."""
    with transaction.atomic():
        found = ImpactAssessment.objects.select_related("purpose").get(pk=assessment_id)
        held = locked(found.purpose_id)
        found.refresh_from_db()
        newest = held.assessments.aggregate(Max("version"))["version__max"]
        if found.version != newest:
            raise InvalidAssessment(
                f"Version {newest} has replaced version {found.version}: read that one."
            )
        wrote = held.assessments.filter(written_by=officer).exists()
        if officer.role != Role.DPO or wrote:
            raise InvalidAssessment(
                "An impact assessment is approved by a data protection officer, not by its author."
            )
        if found.residual_risk == ResidualRisk.HIGH and not found.prior_consultation:
            raise InvalidAssessment(
                "The residual risk is high: ask the supervisory authority first (GDPR Art. 36) "
                "and write down its answer in a new version."
            )
        if not found.is_approved:
            found.approved_by, found.approved_at = officer, timezone.now()
            found.void_since = None
            found.save(update_fields=["approved_by", "approved_at", "void_since"])
            append(entry(actor, Action.ASSESSMENT_APPROVE, held.id))
    return found
