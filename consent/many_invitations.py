"""Inviting many people at once: the list is checked line by line first, and a wrong line stops all of it.

A list that was cut off in the middle (a server that was stopped) is sent once more as it is: whoever was
invited already is passed over, and whoever was only filed is asked.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.translation import gettext as _

from accounts.actors import Actor
from consent.errors import ConsentError, ReferenceTaken, UnknownSubject
from consent.forms import InvitationForm
from consent.invitations import send_invitation
from consent.models import (
    ConsentState,
    ConsentStatus,
    Contact,
    DataSubject,
    Invitation,
    Purpose,
)
from consent.records import record_request
from consent.subjects import find_reference, find_to_file, register_subject

MOST = 100
"""Lines at a time: each takes some hundredths of a second, and the page waits for all of them."""
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
    line = Line(number, reference, email, Fate.MAIL if email else Fate.CARD)
    if any(cells[2:]):
        return replace(
            line, fate=Fate.WRONG, problem=_("It has more than a reference and an address.")
        )
    if references[reference] > 1 or addresses[email.lower()] > 1:
        twice = _("Its reference or its address stands in the list more than once.")
        return replace(line, fate=Fate.WRONG, problem=twice)
    # Each line is one filled-in form of the page that invites a single person.
    form = InvitationForm({"reference": reference, "email": email})
    if not form.is_valid():
        named = (
            f"{form[name].label}: {' '.join(map(str, said))}" for name, said in form.errors.items()
        )
        return replace(line, fate=Fate.WRONG, problem=" ".join(named))
    try:
        subject = find_reference(purpose.id, reference).subject
    except UnknownSubject:
        return check_address(purpose, line)
    return replace(line, fate=fate_of_filed(subject, purpose), subject=subject)


def check_address(purpose: Purpose, line: Line) -> Line:
    """The line of somebody new, or why nobody can be filed under this address."""
    try:
        if line.email:
            find_to_file(purpose, line.email)
    except ReferenceTaken as taken:
        return replace(line, fate=Fate.WRONG, problem=str(taken))
    return line


def fate_of_filed(subject: DataSubject, purpose: Purpose) -> Fate:
    """What becomes of somebody who has this reference already: what an earlier try left undone.

    Whoever has answered, also on paper, is not asked again from here.
    """
    state = ConsentState.objects.filter(subject=subject, purpose=purpose).first()
    if state is not None and state.status != ConsentStatus.REQUESTED:
        return Fate.KNOWN
    invited = Invitation.objects.filter(subject=subject, purpose=purpose).exists()
    if not invited and Contact.objects.filter(subject=subject).exists():
        return Fate.MAIL
    return Fate.CARD if state is None else Fate.KNOWN


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
