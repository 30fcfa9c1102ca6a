"""``consentry invite``: ask one person, or those of a list that is checked first."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

from consentry_client.clients import Client
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.csv_lists import LONGEST, read_rows
from consentry_client.command_line.lines import LACKS_SCOPE, Outcomes, why
from consentry_client.command_line.outcomes import OK, SOME_FAILED, Stop
from consentry_client.errors import Conflict, Invalid, NotFound, Refused, Throttled

TAKEN = "reference-taken"
TOO_SOON = "asked-too-soon"
"""This one person was written to a moment ago; it says nothing about the others."""


@dataclass(frozen=True)
class Invited:
    """Somebody to ask."""

    subject: str
    email: str = field(default="", repr=False)


def invite(given: argparse.Namespace) -> int:
    """Ask each person once; whoever was asked before is named and left alone."""
    people = read_list(given.list) if given.list else [ask_person()]
    outcomes = Outcomes(frozenset({"refused"}))
    if given.dry_run:
        for each in people:
            how = "by e-mail" if each.email else "an operator hands the invitation over"
            outcomes.add("would ask", each.subject, how)
        outcomes.end()
        return OK
    with open_client(given.purpose) as (client, _purpose):
        for each in people:
            outcomes.add(*ask_one(client, each))
    return outcomes.end()


def ask_one(client: Client, person: Invited) -> tuple[str, str, str]:
    """Ask one person: what became of it."""
    try:
        client.request_consent(person.subject, email=person.email)
    except Conflict as error:
        there = error.code == TAKEN and is_filed(client, person.subject)
        return "there" if there else "refused", person.subject, why(error)
    except Invalid as error:
        return "refused", person.subject, why(error)
    except Refused as error:
        if error.code == LACKS_SCOPE:
            raise Stop("This key may not ask: it lacks consent:request.", SOME_FAILED) from None
        return "refused", person.subject, why(error)
    except Throttled as error:
        if error.code != TOO_SOON:
            raise  # what the next one would be answered, too
        return "refused", person.subject, why(error)
    return "asked", person.subject, ""


def is_filed(client: Client, subject: str) -> bool:
    """Whether the purpose knows somebody by this reference: it can also be the address that is taken."""
    try:
        client.find_subject(subject)
    except (NotFound, Refused):  # refused: this key may not look, so nobody can say that it is them
        return False
    return True


def ask_person() -> Invited:
    """Reference and address from the keyboard, so that neither stands in a list of processes."""
    if not sys.stdin.isatty():
        raise Stop("Give a CSV file with the columns subject and email.")
    subject = input("Your reference for this person: ").strip()
    if not 1 <= len(subject) <= LONGEST:
        raise Stop(f"A reference has 1 to {LONGEST} characters.")
    return Invited(
        subject, input("E-mail (empty: an operator hands the invitation over): ").strip()
    )


def read_list(path: Path) -> list[Invited]:
    """The people of a CSV file; raises Stop for a wrong line, before anybody is asked."""
    people: dict[str, Invited] = {}
    for place, (subject, email) in read_rows(path, "subject", "email", first_alone=True):
        if not 1 <= len(subject) <= LONGEST:
            raise Stop(f"{place}: needs a subject of 1 to {LONGEST} characters.")
        if email and "@" not in email[1:-1]:
            raise Stop(f"{place}: that is no e-mail address.")
        if subject in people:
            raise Stop(f"{place}: this subject stands in the list twice.")
        people[subject] = Invited(subject, email)
    if not people:
        raise Stop(f"{path} names nobody. Its first line must be: subject,email")
    return list(people.values())
