"""Inviting many people at once: the list is checked line by line first, and a wrong line stops all of it.

A list that was cut off in the middle (a server that was stopped) is sent once more as it is: whoever was
invited already is passed over, and whoever was only filed is asked.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.actors import Actor
from consent.errors import ConsentError
from consent.invitations import send_invitation
from consent.models import (
    ConsentState,
    Contact,
    DataSubject,
    Invitation,
    Purpose,
    SubjectReference,
)
from consent.records import record_request
from consent.subjects import find_by_email, reference_index, register_subject

MOST = 100
"""Lines at a time: each takes some hundredths of a second, and the page waits for all of them."""
REFERENCE_MAX = 80
HEADER = "reference"


class Fate(StrEnum):
    """What becomes of a line."""

    MAIL = "mail"
    CARD = "card"
    KNOWN = "known"
    WRONG = "wrong"


@dataclass(frozen=True)
class Line:
    """number: in the list, from 1. subject: whom it means, when filed already. problem: why it is wrong."""

    number: int
    reference: str
    email: str
    fate: Fate
    subject: DataSubject | None = None
    problem: str = ""

    def __repr__(self) -> str:
        return f"Line({self.number}, {self.fate})"


def rows_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """The filled lines but the header, with their numbers: cells between commas, semicolons or tabs."""
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells) and cells[0].lower() != HEADER:
            yield reader.line_num, cells


def check_list(purpose: Purpose, text: str) -> list[Line]:
    """Every line and what would become of it; nothing is made. Raises ConsentError for no list at all."""
    try:
        rows = list(rows_of(text))
    except csv.Error:
        raise ListInvalid(
            _("This is no list: a quotation mark is open, or a line is too long.")
        ) from None
    if not rows:
        raise ListInvalid(
            _("The list is empty: one person a line, a reference and perhaps an address.")
        )
    if len(rows) > MOST:
        raise ListInvalid(
            _("At most %(most)s people at a time; this list has %(came)s.")
            % {"most": MOST, "came": len(rows)}
        )
    references = Counter(cells[0] for _number, cells in rows)
    addresses = Counter(cells[1].lower() for _number, cells in rows if len(cells) > 1 and cells[1])
    return [check_line(purpose, number, cells, references, addresses) for number, cells in rows]


class ListInvalid(ConsentError):
    """What was pasted cannot be read as a list of people."""

    code = "list-invalid"


def check_line(
    purpose: Purpose,
    number: int,
    cells: Sequence[str],
    references: Counter[str],
    addresses: Counter[str],
) -> Line:
    """What becomes of one line. references, addresses: how often each is in the list."""
    reference, email = cells[0], cells[1] if len(cells) > 1 else ""
    if problem := wrong(cells, references[reference], addresses[email.lower()] if email else 0):
        return Line(number, reference, email, Fate.WRONG, problem=problem)
    filed = (
        SubjectReference.objects.select_related("subject")
        .filter(purpose=purpose, index=reference_index(purpose.id, reference))
        .first()
    )
    if filed is None:
        if email and (problem := address_problem(purpose, email)):
            return Line(number, reference, email, Fate.WRONG, problem=problem)
        return Line(number, reference, email, Fate.MAIL if email else Fate.CARD)
    return Line(number, reference, email, fate_of_filed(filed.subject, purpose), filed.subject)


def fate_of_filed(subject: DataSubject, purpose: Purpose) -> Fate:
    """What becomes of somebody who has this reference already: what an earlier try left undone."""
    asked = ConsentState.objects.filter(subject=subject, purpose=purpose).exists()
    invited = Invitation.objects.filter(subject=subject, purpose=purpose).exists()
    if not invited and Contact.objects.filter(subject=subject).exists():
        return Fate.MAIL
    return Fate.KNOWN if asked else Fate.CARD


def wrong(cells: Sequence[str], same_reference: int, same_address: int) -> str:
    """What is wrong with a line as it stands; empty when nothing is."""
    reference, email = cells[0], cells[1] if len(cells) > 1 else ""
    if len(cells) > 2 and any(cells[2:]):
        return _("A line has a reference and an address; more came.")
    if not reference:
        return _("The reference is missing.")
    if len(reference) > REFERENCE_MAX:
        return _("A reference has at most %(most)s characters.") % {"most": REFERENCE_MAX}
    if same_reference > 1:
        return _("This reference stands in the list more than once.")
    if same_address > 1:
        return _("This address stands in the list more than once.")
    if email:
        try:
            validate_email(email)
        except ValidationError:
            return _("This is no e-mail address.")
    return ""


def address_problem(purpose: Purpose, email: str) -> str:
    """Why nobody can be filed under this address; empty when somebody can."""
    subject = find_by_email(email)
    if subject is None:
        return ""
    if subject.closed_at is not None:
        return _("Whoever had this address has closed their account.")
    if SubjectReference.objects.filter(subject=subject, purpose=purpose).exists():
        return _("This address is in the study already, under another reference.")
    if ConsentState.objects.filter(
        subject=subject, purpose=purpose, tags_ended_at__isnull=False
    ).exists():
        return _("This person's part in this purpose has ended.")
    return ""


def invite_all(actor: Actor, purpose: Purpose, lines: Sequence[Line]) -> None:
    """File and ask everybody on a list without a wrong line, one after the other.

    Raises ConsentError where something changed since the list was checked; whoever came before that line
    is invited then.
    """
    for line in lines:
        if line.fate is Fate.KNOWN:
            continue
        subject = line.subject or register_subject(
            actor, purpose, reference=line.reference, email=line.email
        )
        if line.fate is Fate.MAIL:
            send_invitation(actor, subject, purpose)
        else:
            record_request(actor, subject, purpose, "link")
