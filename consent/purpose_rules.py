"""What a purpose must say, and the screening of what it asks for."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import IncompletePurpose, ProhibitedPurpose
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
    "name": gettext_lazy("a name"),
    "description": gettext_lazy("what it is for"),
    "necessity": gettext_lazy("why it takes faces"),
    "people": gettext_lazy("whose faces are recorded"),
    "officer_contact": gettext_lazy("how to reach the data protection officer"),
    "authority": gettext_lazy("to which authority people can complain"),
    "recipients": gettext_lazy("who receives anything"),
    "storage_location": gettext_lazy("where data are stored"),
    "jurisdiction": gettext_lazy("whose law holds"),
}
REACHED_BY = {
    "name": gettext_lazy("name"),
    "address": gettext_lazy("address"),
    "contact": gettext_lazy("contact"),
}
Problems = dict[str, str]
"""What is wrong, in a sentence, by the field in which it can be mended."""
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


def require_complete(values: dict[str, Any], controllers: list[dict[str, str]]) -> None:
    """Raise IncompletePurpose with every problem by its field, unless all is said and fits together."""
    problems = problems_in(values) | problems_of_controllers(controllers)
    if problems:
        raise IncompletePurpose(problems)


def problems_in(values: dict[str, Any]) -> Problems:
    """What is missing, or makes no sense together."""
    found = {
        name: _("A purpose must say %(what)s.") % {"what": words}
        for name, words in WORDS.items()
        if not str(values.get(name, "")).strip()
    }
    basis = values.get("lawful_basis", LawfulBasis.EXPLICIT_CONSENT)
    if basis != LawfulBasis.EXPLICIT_CONSENT:
        found["lawful_basis"] = _(
            "Faces are recorded by explicit consent only (GDPR Art. 9(2)(a)); got “%(basis)s”."
        ) % {"basis": basis}
    for name in DAYS:
        if values.get(name) is not None and values[name] < 1:
            found[name] = _("At least one day; got %(days)s.") % {"days": values[name]}
    return (
        found
        | problems_of_categories(list(values.get("categories") or []))
        | problems_of_media(values)
        | problems_of_ages(values)
    )


def problems_of_media(values: dict[str, Any]) -> Problems:
    """A kind of media, or a sampling rate, that nothing here can do."""
    takes, rate = values.get("takes", MediaKind.PHOTOGRAPHS), values.get("sample_rate", 10)
    found: Problems = {}
    if takes not in MediaKind.values:
        found["takes"] = _("One of these was expected: %(known)s; got “%(takes)s”.") % {
            "known": ", ".join(MediaKind.values),
            "takes": takes,
        }
    elif not MediaKind(takes).takes_films and set(values.get("categories") or []) & ONLY_IN_FILMS:
        found["takes"] = _(
            "“Movements of the body” needs films: choose films under “What people send”. Nobody is asked "
            "to consent to something that nothing measures."
        )
    if not 0 <= rate <= SAMPLE_RATE_MAX:
        found["sample_rate"] = _(
            "1 to %(most)s moments a second, or 0 for every picture; got %(rate)s."
        ) % {"most": SAMPLE_RATE_MAX, "rate": rate}
    return found


def problems_of_ages(values: dict[str, Any]) -> Problems:
    """Children who would consent alone, or would not be told in words for them."""
    found: Problems = {}
    age = values.get("minimum_age", LEAST_AGE)
    if age < LEAST_AGE:
        found["minimum_age"] = _(
            "Nobody under %(least)s consents alone (PIPL Art. 31); got %(age)s. Younger people take part "
            "only with a guardian, where the purpose allows it."
        ) % {"least": LEAST_AGE, "age": age}
    if values.get("guardian_allowed") and not str(values.get("child_words", "")).strip():
        found["child_words"] = _("Where children take part, say in a child's words what happens.")
    return found


def problems_of_categories(categories: list[str]) -> Problems:
    """What is unknown, and pictures of the face that are left out."""
    unknown = sorted(set(categories) - set(DataCategory.values))
    if unknown:
        return {
            "categories": _("Unknown data categories: %(unknown)s; known: %(known)s.")
            % {"unknown": ", ".join(unknown), "known": ", ".join(DataCategory.values)}
        }
    if DataCategory.MEDIA not in categories:
        return {
            "categories": _("Tick “Pictures of the face”: nothing else can be measured without it.")
        }
    return {}


def problems_of_controllers(controllers: list[dict[str, str]]) -> Problems:
    """Nobody who answers for the data, or a party that nobody can reach."""
    answerable = {ControllerKind.CONTROLLER, ControllerKind.JOINT}
    found = []
    if not any(party.get("kind") in answerable for party in controllers):
        found.append(_("Name a controller: somebody must answer for the data (GDPR Art. 4(7))."))
    for party in controllers:
        if party.get("kind") not in ControllerKind.values:
            found.append(
                _("Unknown part “%(kind)s”; known: %(known)s.")
                % {"kind": party.get("kind"), "known": ", ".join(ControllerKind.values)}
            )
        found += [
            _("Each organisation needs its %(what)s.") % {"what": words}
            for name, words in REACHED_BY.items()
            if not str(party.get(name, "")).strip()
        ]
    return {"controllers": " ".join(dict.fromkeys(found))} if found else {}
