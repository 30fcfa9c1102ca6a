"""The register of processing (GDPR Art. 30(1)), and beside it what the screening refused.

It is drawn afresh from the purposes each time and holds nothing about any data subject.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Prefetch, Q
from django.utils import timezone

from consent.models import (
    ConsentStatus,
    ImpactAssessment,
    Notice,
    Purpose,
    PurposeRefusal,
)

SCHEMA = 1
# Art. 30(1)(g). Each sentence is a thing that this program does; docs/threat-model.md says by what.
SECURITY_MEASURES = [
    "Media and results are sealed with AES-256-GCM under a data key for each recording and category; "
    "wrapped keys lie in a second database.",
    "Nothing is processed or opened without a live consent, asked before each use of a key, and "
    "nothing is read before the read is in the access log.",
    "Data keys are destroyed at withdrawal and at the end of retention; the keys that wrapped them "
    "are rotated and destroyed.",
    "The access log only grows, is a Merkle tree with signed checkpoints, and names people by keyed "
    "tags; each person sees and can check the entries about them.",
    "Operators sign in with a second factor and see what their role allows; results open for a "
    "stated reason only. Names and addresses are sealed.",
    "Media are decoded in a separate process with limits; photographs are erased after the analysis "
    "unless the purpose keeps them.",
]
SENSITIVE = (
    "special category: biometric data of a face (GDPR Art. 9(1)); sensitive personal information "
    "(PIPL Art. 28), consented to separately"
)

CHILDREN = (
    "from %(age)s years with a guardian's consent and the child's own assent (GDPR Art. 8; PIPL Art. 31); "
    "data of people under 14 are sensitive as such (PIPL Art. 28)"
)


def register() -> dict[str, Any]:
    """The whole register as plain values, ready for JSON; the same number of queries always."""
    rows = (
        Purpose.objects.order_by("created_at", "id")
        .select_related("created_by", "opened_by")
        .prefetch_related(
            "controllers",
            Prefetch(
                "assessments",
                ImpactAssessment.objects.select_related("approved_by", "document").order_by(
                    "-version"
                ),
            ),
            Prefetch("notices", Notice.objects.order_by("-version", "language")),
        )
        .annotate(
            live=Count("consent_states", filter=Q(consent_states__status=ConsentStatus.GIVEN))
        )
    )
    return {
        "schema": SCHEMA,
        "register": "GDPR Art. 30(1)",
        "drawn_at": timezone.now().isoformat(timespec="seconds"),
        "says": "This is a requirements list kept by software, not legal advice.",
        "security_measures": SECURITY_MEASURES,
        "purposes": [of_purpose(purpose) for purpose in rows],
        "refused": [of_refusal(row) for row in PurposeRefusal.objects.order_by("-at", "-id")],
    }


def of_purpose(purpose: Purpose) -> dict[str, Any]:
    """One purpose; from a query that fetched what it needs."""
    return {
        "id": str(purpose.id),
        "name": purpose.name,
        "state": purpose.state,
        "description": purpose.description,
        "necessity": purpose.necessity,
        "lawful_basis": purpose.lawful_basis,
        "controllers": [
            {
                "id": str(party.id),
                "type": party.kind,
                "name": party.name,
                "address": party.address,
                "contact": party.contact,
            }
            for party in purpose.controllers.all()
        ],
        "data_protection_officer": purpose.officer_contact,
        "supervisory_authority": purpose.authority,
        "data_subjects": purpose.people,
        "minimum_age": purpose.minimum_age,
        "children": CHILDREN % {"age": purpose.youngest} if purpose.guardian_allowed else None,
        "consent_on_paper": purpose.paper_allowed,
        "data_categories": [
            {"category": category, "sensitivity": SENSITIVE} for category in purpose.categories
        ],
        "sector": purpose.sector,
        "uses": purpose.uses,
        "exception": purpose.exception or None,
        "recipients": purpose.recipient_list,
        "transfers": purpose.transfers or None,
        "storage_location": purpose.storage_location,
        "jurisdiction": purpose.jurisdiction,
        "retention": {
            "media_days": purpose.media_retention_days,
            "media_kept_after_analysis": purpose.keep_media,
            "result_days": purpose.result_retention_days,
            "consent_days": purpose.consent_validity_days,
        },
        "impact_assessment": of_assessment(purpose),
        "notices": [
            {"version": n.version, "language": n.language, "sha256": n.sha256}
            for n in purpose.notices.all()
        ],
        "consents_live": getattr(purpose, "live", 0),
        "opened_at": purpose.opened_at.isoformat() if purpose.opened_at else None,
        "closed_at": purpose.closed_at.isoformat() if purpose.closed_at else None,
        "looked_again": purpose.looked_again or None,
    }


def of_assessment(purpose: Purpose) -> dict[str, Any] | None:
    """The newest impact assessment, or None."""
    newest = next(iter(purpose.assessments.all()), None)
    if newest is None:
        return None
    return {
        "version": newest.version,
        "approved": newest.is_approved,
        "approved_at": newest.approved_at.isoformat()
        if newest.approved_at and newest.is_approved
        else None,
        "residual_risk": newest.residual_risk,
        "document_sha256": newest.document.sha256 if newest.document else None,
    }


def of_refusal(row: PurposeRefusal) -> dict[str, Any]:
    """One refused purpose."""
    return {
        "at": row.at.isoformat(),
        "by": row.by,
        "name": row.name,
        "sector": row.sector,
        "uses": row.uses,
        "exception": row.exception or None,
        "articles": row.articles,
    }
