"""Everything that a purpose says, in words and in sections, for the pages that show the whole of it."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from consent.forms import CATEGORY_LABELS
from consent.models import ControllerKind, Purpose, Use

Text = str | Promise
Facts = list[tuple[Text, list[Text]]]
"""(term, what it says: one text or several)."""


def in_days(number: int | None) -> str:
    """A number of days, or that there is none."""
    if not number:
        return _("not set")
    return ngettext("%(number)s day", "%(number)s days", number) % {"number": number}


def categories_of(purpose: Purpose) -> list[Text]:
    """What is collected and measured."""
    return [CATEGORY_LABELS.get(value, value) for value in purpose.categories]


def uses_of(purpose: Purpose) -> list[Text]:
    """What the results are for."""
    known = dict(Use.choices)
    return [known.get(value, value) for value in purpose.uses]


def parties_of(purpose: Purpose) -> list[Text]:
    """Each organisation with its part, address and contact."""
    return [
        f"{ControllerKind(party.kind).label}: {party.name}, {party.address}, {party.contact}"
        for party in purpose.controllers.all()
    ]


def taken_in(purpose: Purpose) -> list[Text]:
    """Whether photographs or films come, and how densely films are read."""
    if not purpose.kind.takes_films:
        return [purpose.kind.label]
    if not purpose.sample_rate:
        return [purpose.kind.label, _("every picture of a film is read")]
    words = ngettext(
        "%(rate)s moment a second of a film is read",
        "%(rate)s moments a second of a film are read",
        purpose.sample_rate,
    )
    return [purpose.kind.label, words % {"rate": purpose.sample_rate}]


def media_kept(purpose: Purpose) -> str:
    """How long photographs and films stay."""
    if purpose.keep_media:
        words = _("only the person's head, for %(days)s")
        return words % {"days": in_days(purpose.media_retention_days)}
    return _("erased right after the analysis, at the latest after %(days)s") % {
        "days": in_days(purpose.media_retention_days)
    }


def children_of(purpose: Purpose) -> list[Text]:
    """Whether children take part, and what they are told."""
    if not purpose.guardian_allowed:
        return [_("do not take part")]
    ages = {"young": purpose.youngest, "old": purpose.minimum_age}
    words = _("from %(young)s to under %(old)s with a guardian's consent and their own yes") % ages
    return [words, f"“{purpose.child_words}”"]


def sections_of(purpose: Purpose) -> list[tuple[Text, Facts]]:
    """(title, facts) of each section, as in the form; the form asks, this answers."""
    screening: Facts = [
        (_("Where it belongs"), [purpose.get_sector_display()]),
        (_("Results are for"), uses_of(purpose)),
    ]
    if purpose.exception:
        document = purpose.exception_document
        shown = document.name if document else _("no document yet")
        screening.append((_("Documented reason"), [f"{purpose.get_exception_display()}: {shown}"]))
    return [
        (
            _("What"),
            [
                (_("What it is for"), [purpose.description]),
                (_("Why it takes faces"), [purpose.necessity]),
                (_("Lawful basis"), [purpose.get_lawful_basis_display()]),
            ],
        ),
        (
            _("Who"),
            [
                (_("Organisations"), parties_of(purpose)),
                (_("Whose faces"), [purpose.people]),
                (
                    _("Minimum age"),
                    [
                        ngettext("%(age)s year", "%(age)s years", purpose.minimum_age)
                        % {"age": purpose.minimum_age}
                    ],
                ),
                (_("Children"), children_of(purpose)),
                (
                    _("Consent on paper"),
                    [_("allowed") if purpose.paper_allowed else _("not allowed")],
                ),
                (_("Data protection officer"), [purpose.officer_contact]),
                (_("Supervisory authority"), [purpose.authority]),
                (_("Recipients"), list(purpose.recipient_list)),
            ],
        ),
        (
            _("Data and keeping"),
            [
                (_("Collected and measured"), categories_of(purpose)),
                (_("Taken in"), taken_in(purpose)),
                (_("Photographs and films"), [media_kept(purpose)]),
                (_("Results"), [in_days(purpose.result_retention_days)]),
                (_("A consent lasts"), [in_days(purpose.consent_validity_days)]),
                (_("Stored"), [purpose.storage_location]),
                (_("Law"), [purpose.jurisdiction]),
                (_("Sent to other countries"), [purpose.transfers or _("to none")]),
            ],
        ),
        (_("Screening"), screening),
    ]


def assessment_words(assessment: Any) -> tuple[str, str]:
    """(state for a badge, words) of an impact assessment, or of there being none."""
    if assessment is None:
        return "refused", _("Not written yet")
    if assessment.is_approved:
        return "ok", _("Approved")
    if assessment.void_since:
        return "waiting", _("Approval void: the purpose has changed since")
    return "waiting", _("Waits for approval")
