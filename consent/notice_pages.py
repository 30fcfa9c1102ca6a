"""The page of a privacy notice, written down once so that it can be shown again to the letter.

A notice is the study's own words (title, plain-language layer, full text) in one language. Around them
the page says what follows from the purpose: the facts at a glance and the choices, in the language of
the page. Both are frozen when the notice is published. The SHA-256 is of the UTF-8 bytes of the page as
plain text (``as_text``); ``docs/formats.md`` describes them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from consent.models import ControllerKind, DataCategory, Notice, Purpose, Use, category_label

Pair = tuple[str, str]


@dataclass(frozen=True)
class Choice:
    """One box of the form: a data category in words."""

    value: str
    label: str
    description: str


@dataclass(frozen=True)
class NoticePage:
    """What stood on the screen.

    Fields:
        language: of the facts and choices; ``notice.language`` is that of the study's own words.
        glance: (term, text) in their order.
    """

    notice: Notice
    language: str
    glance: list[Pair]
    choices: list[Choice]
    sha256: str


def tidy(text: str) -> str:
    """The text with one kind of line end, no space at the ends of lines and at most one blank line.

    HTML keeps no more than that, so that what is shown and what is hashed are the same.
    """
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def kept(number: int | None) -> str:
    """How long something is kept; with the consent, whenever that ends, it ends too."""
    found = ngettext(
        "kept, sealed, for %(days)s day, at most until your consent ends",
        "kept, sealed, for %(days)s days, at most until your consent ends",
        number or 0,
    )
    return found % {"days": number}


def place(purpose: Purpose) -> str:
    """Where data lie, whose law holds, and whether they leave."""
    found = [
        _(
            "Programs on the study's own machines measure. "
            "No picture goes to another company to be measured."
        ),
        _("Stored: %(place)s. Law of: %(law)s.")
        % {"place": purpose.storage_location, "law": purpose.jurisdiction},
    ]
    if purpose.transfers:
        found.append(_("Sent to another country: %(where)s") % {"where": purpose.transfers})
    else:
        found.append(_("Nothing is sent to another country."))
    return " ".join(found)


def parties(purpose: Purpose) -> str:
    """Every organisation that takes part, with its part, address and contact."""
    return "; ".join(
        f"{party.name} ({ControllerKind(party.kind).label}), {party.address}, {party.contact}"
        for party in purpose.controllers.all()
    )


def age_words(purpose: Purpose) -> str:
    """Who may say yes, alone or with a guardian."""
    if not purpose.guardian_allowed:
        return _("only people of %(age)s or older may say yes") % {"age": purpose.minimum_age}
    ages = {"age": purpose.minimum_age, "young": purpose.youngest}
    return (
        _(
            "people of %(age)s or older say yes alone; younger ones, from %(young)s on, only if a parent "
            "or guardian says yes and they do too"
        )
        % ages
    )


def glance_of(purpose: Purpose) -> list[Pair]:
    """What everybody should know before deciding, from the purpose, in the active language."""
    uses = ", ".join(str(Use(use).label) for use in purpose.uses)
    validity = ngettext(
        "ends by itself after %(days)s day; you can end it at any time",
        "ends by itself after %(days)s days; you can end it at any time",
        purpose.consent_validity_days,
    )
    found = [
        (_("What for"), f"{purpose.description} {_('Results are for:')} {uses}."),
        (_("Why your face"), purpose.necessity),
        (_("Where"), place(purpose)),
        (
            purpose.kind.label,
            _("only your head in them, all else covered for good; %(kept)s")
            % {"kept": kept(purpose.media_retention_days)}
            if purpose.keep_media
            else _("deleted as soon as they have been measured"),
        ),
        (_("Results"), kept(purpose.result_retention_days)),
        (_("Your consent"), validity % {"days": purpose.consent_validity_days}),
        (
            _("Why it is allowed"),
            _(
                "Only by your explicit consent (GDPR Art. 6(1)(a) and 9(2)(a)). "
                "A face is sensitive data: nothing is measured that you did not tick."
            ),
        ),
        (
            _("Who may look"),
            _(
                "You, the study's staff, and programs of the study with a key of their own, each with a "
                "stated reason. A program may take copies; it must erase them when you withdraw. Every "
                "look is listed for you."
            ),
        ),
        (
            _("Figures about the group"),
            _(
                "The staff may ask how many people's faces showed what. A program then counts yours, too, "
                "and adds chance to each number, so that nobody can tell from it whether you were counted."
            ),
        ),
        (_("Who receives something"), "; ".join(purpose.recipient_list)),
        (
            _("Age"),
            age_words(purpose),
        ),
        (
            _("Your rights"),
            _(
                "See your results and every look at them, withdraw with one button, ask for a copy, "
                "correction or erasure, and complain to: %(authority)s."
            )
            % {"authority": purpose.authority},
        ),
        (
            _("Questions"),
            parties(purpose)
            + ". "
            + _("Data protection officer: %(contact)s") % {"contact": purpose.officer_contact},
        ),
    ]
    if purpose.guardian_allowed:
        found.append((_("For the child"), purpose.child_words))
    if purpose.paper_allowed:
        found.append(
            (
                _("On paper"),
                _(
                    "You may also sign this notice on paper. Whoever enters it for you never sees what is "
                    "recorded of you, and you can look at it and withdraw here all the same."
                ),
            )
        )
    return [(str(term), tidy(text)) for term, text in found]


def choices_of(purpose: Purpose) -> list[Choice]:
    """The boxes of the form, in the purpose's order and in the active language; none is ticked."""
    helps = {
        DataCategory.MEDIA: _("Needed to take part. Sealed on arrival, deleted once measured.")
        if not purpose.keep_media
        else _(
            "Needed to take part. Sealed on arrival. Only your head is kept, and you see who looks, and "
            "why."
        ),
        DataCategory.EXPRESSION: _("What the face shows, in seven classes. Not what you feel."),
        DataCategory.BLENDSHAPES: _("How far muscles move, for instance the corners of the mouth."),
        DataCategory.HEAD_POSE: _("Which way your head points, and roughly how far away it is."),
        DataCategory.GAZE: _("Which way your eyes point within your head, roughly."),
        DataCategory.SMILE_MARKER: _(
            "Whether cheeks and eyes rise with the corners of the mouth. It proves no feeling."
        ),
        DataCategory.BODY_MOTION: _("How much your head, shoulders and arms move."),
    }
    return [
        Choice(value, category_label(value, purpose.takes), helps[DataCategory(value)])
        for value in purpose.categories
    ]


def as_text(notice: Notice, glance: list[Pair], choices: list[Choice]) -> str:
    """The page as plain text, from top to bottom; what the SHA-256 is of."""
    parts = [
        notice.title,
        notice.summary,
        "\n".join(f"{term}: {text}" for term, text in glance),
        notice.text,
        "\n".join(f"[ ] {choice.label}: {choice.description}" for choice in choices),
    ]
    return "\n\n".join(parts) + "\n"


def sha256_of(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def compose(notice: Notice, purpose: Purpose) -> None:
    """Fill in ``pages`` and ``sha256`` of a notice that is about to be published."""
    pages: dict[str, Any] = {}
    for code, _name in settings.LANGUAGES:
        with override(code):
            glance, choices = glance_of(purpose), choices_of(purpose)
        pages[code] = {
            "glance": [list(pair) for pair in glance],
            "choices": [[choice.value, choice.label, choice.description] for choice in choices],
            "sha256": sha256_of(as_text(notice, glance, choices)),
        }
    notice.pages = pages
    notice.sha256 = pages[notice.language]["sha256"]


def page_in(notice: Notice, language: str | None) -> NoticePage:
    """The page as it is shown in a language; in the notice's own where it was not written for that."""
    code = language if language in notice.pages else notice.language
    stored = notice.pages[code]
    return NoticePage(
        notice=notice,
        language=str(code),
        glance=[(term, text) for term, text in stored["glance"]],
        choices=[Choice(*choice) for choice in stored["choices"]],
        sha256=stored["sha256"],
    )


def text_in(page: NoticePage) -> str:
    """The page as plain text; its SHA-256 is the page's."""
    return as_text(page.notice, page.glance, page.choices)


def says_what_the_purpose_says(notice: Notice, purpose: Purpose) -> bool:
    """Whether the facts of the page are still those of the purpose, which may change as a draft."""
    fresh = Notice(
        title=notice.title, summary=notice.summary, text=notice.text, language=notice.language
    )
    compose(fresh, purpose)
    return bool(fresh.pages == notice.pages)
