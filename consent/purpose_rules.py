"""What a purpose must say, and the screening of what it asks for."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidPurpose, ProhibitedPurpose
from consent.models import (
    LEAST_AGE,
    ONLY_IN_FILMS,
    ControllerKind,
    DataCategory,
    LawfulBasis,
    MediaKind,
    PurposeRefusal,
)
from consent.screening import refusals

WORDS = {
    "name": "a name",
    "description": "what it is for",
    "necessity": "why it takes faces",
    "people": "whose faces are recorded",
    "officer_contact": "how to reach the data protection officer",
    "authority": "to which authority people can complain",
    "recipients": "who receives anything",
    "storage_location": "where data are stored",
    "jurisdiction": "whose law holds",
}
SAMPLE_RATE_MAX = 60
"""Moments a second: as many pictures as webcams and telephones record."""
DAYS = ("media_retention_days", "result_retention_days", "consent_validity_days")


def screen(actor: Actor, values: dict[str, Any]) -> None:
    """Raise ProhibitedPurpose when the screening refuses; the refusal is in log and register first."""
    uses = list(values["uses"])
    found = refusals(values["sector"], uses, values.get("exception", ""))
    if not found:
        return
    with transaction.atomic():
        PurposeRefusal.objects.create(
            at=timezone.now(),
            by=actor.log_name(),
            name=str(values.get("name", ""))[:120],
            sector=str(values["sector"])[:60],
            uses=[str(use)[:60] for use in uses],
            exception=str(values.get("exception", ""))[:20],
            articles=found,
        )
        append(
            Draft(
                action=Action.PURPOSE_REFUSE,
                actor=actor.log_name(),
                outcome=Outcome.REFUSED,
                reason=ReasonCode.PROHIBITED_PURPOSE,
            )
        )
    raise ProhibitedPurpose("; ".join(found))


def check_fields(values: dict[str, Any]) -> None:
    """Raise InvalidPurpose unless everything is said, and makes sense together."""
    missing = [words for name, words in WORDS.items() if not str(values.get(name, "")).strip()]
    if missing:
        raise InvalidPurpose(f"A purpose must say {', '.join(missing)}.")
    basis = values.get("lawful_basis", LawfulBasis.EXPLICIT_CONSENT)
    if basis != LawfulBasis.EXPLICIT_CONSENT:
        raise InvalidPurpose(
            f"Faces are recorded by explicit consent only (GDPR Art. 9(2)(a)); got {basis!r}."
        )
    check_categories(list(values.get("categories") or []))
    for name in DAYS:
        if values.get(name) is not None and values[name] < 1:
            raise InvalidPurpose(f"{name} must be at least one day; got {values[name]}.")
    check_media(values)
    check_ages(values)


def check_media(values: dict[str, Any]) -> None:
    """Raise InvalidPurpose for a kind of media, or a sampling rate, that nothing here can do."""
    takes = values.get("takes", MediaKind.PHOTOGRAPHS)
    if takes not in MediaKind.values:
        raise InvalidPurpose(f"takes must be one of {MediaKind.values}; got {takes!r}.")
    unseen = sorted(set(values.get("categories") or []) & ONLY_IN_FILMS)
    if unseen and not MediaKind(takes).takes_films:
        raise InvalidPurpose(
            f"Only films show {', '.join(unseen)}, and this purpose takes none. Nobody is asked to consent "
            "to something that nothing measures."
        )
    rate = values.get("sample_rate", 10)
    if not 0 <= rate <= SAMPLE_RATE_MAX:
        raise InvalidPurpose(
            f"sample_rate must be 1 to {SAMPLE_RATE_MAX} moments a second, or 0 for every picture; "
            f"got {rate}."
        )


def check_ages(values: dict[str, Any]) -> None:
    """Raise InvalidPurpose where children would consent alone, or would not be told in words for them."""
    age = values.get("minimum_age", LEAST_AGE)
    if age < LEAST_AGE:
        raise InvalidPurpose(
            f"Nobody under {LEAST_AGE} consents alone (PIPL Art. 31); got {age}. Younger people take part "
            "only with a guardian, where the purpose allows it."
        )
    if values.get("guardian_allowed") and not str(values.get("child_words", "")).strip():
        raise InvalidPurpose("Where children take part, say in a child's words what happens.")


def check_categories(categories: list[str]) -> None:
    """Raise InvalidPurpose for what is unknown, and without media."""
    unknown = sorted(set(categories) - set(DataCategory.values))
    if unknown:
        raise InvalidPurpose(f"Unknown data categories {unknown}; known: {DataCategory.values}.")
    if DataCategory.MEDIA not in categories:
        raise InvalidPurpose("A purpose that records nobody's face needs no consent platform.")


def check_controllers(controllers: list[dict[str, str]]) -> None:
    """Raise InvalidPurpose unless somebody answers for the data and each party can be reached."""
    answerable = {ControllerKind.CONTROLLER, ControllerKind.JOINT}
    if not any(party.get("kind") in answerable for party in controllers):
        raise InvalidPurpose(
            "Name a controller: somebody must answer for the data (GDPR Art. 4(7))."
        )
    for party in controllers:
        if party.get("kind") not in ControllerKind.values:
            raise InvalidPurpose(
                f"Unknown part {party.get('kind')!r}; known: {ControllerKind.values}."
            )
        for name in ("name", "address", "contact"):
            if not str(party.get(name, "")).strip():
                raise InvalidPurpose(f"Each organisation needs its {name}.")
