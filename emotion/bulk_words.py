"""What an act on many recordings will do, in sentences that leave nothing out."""

from __future__ import annotations

from collections import Counter

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from emotion.bulk import Act, Item


def happens(act: Act, items: list[Item], pack: str) -> list[str]:
    """What will happen to the rows that an act takes. ``pack``: which one reads expressions now."""
    if act is Act.STOP:
        return stopped(items)
    if act is Act.ERASE:
        return erased(items)
    return analysed(act, items, pack)


def people_of(items: list[Item]) -> int:
    """How many people they are about."""
    return len({each.recording.subject_id for each in items})


def analysed(act: Act, items: list[Item], pack: str) -> list[str]:
    """Another analysis of each."""
    number = len(items)
    words = ngettext(
        "%(number)s photograph is measured once more with the models in use now (expressions: %(pack)s).",
        "%(number)s photographs are measured once more with the models in use now (expressions: %(pack)s).",
        number,
    )
    stays = (
        _("The failed analyses stay in the list, with their reason.")
        if act is Act.RETRY
        else _("The older results stay, and can be compared with the new ones.")
    )
    return [words % {"number": number, "pack": pack}, stays, seen(items)]


def stopped(items: list[Item]) -> list[str]:
    """Analyses end for good, and what they were to be made of goes."""
    number = len(items)
    kept = sum(each.keeps_media for each in items)
    found = [
        ngettext(
            "%(number)s analysis is stopped for good: there will be no result of it.",
            "%(number)s analyses are stopped for good: there will be no result of them.",
            number,
        )
        % {"number": number}
    ]
    if number - kept:
        words = ngettext(
            "%(number)s photograph or film, as it came, is erased with it. That cannot be undone.",
            "%(number)s photographs or films, as they came, are erased with them. That cannot be undone.",
            number - kept,
        )
        found.append(words % {"number": number - kept})
    if kept:
        words = ngettext(
            "%(number)s photograph was measured before and is kept; it and its older result stay.",
            "%(number)s photographs were measured before and are kept; they and their older results stay.",
            kept,
        )
        found.append(words % {"number": kept})
    return [*found, _("The study's own systems are told."), seen(items)]


def erased(items: list[Item]) -> list[str]:
    """Keys, files and results go."""
    number, held = len(items), sum(each.held for each in items)
    found = [
        ngettext(
            "%(number)s recording is erased: its keys are destroyed, its file and all its results removed. "
            "That cannot be undone.",
            "%(number)s recordings are erased: their keys are destroyed, their files and all their results "
            "removed. That cannot be undone.",
            number,
        )
        % {"number": number}
    ]
    if held:
        words = ngettext(
            "%(number)s of them is under a legal hold: nobody opens it from now on, and it is destroyed "
            "when the hold ends.",
            "%(number)s of them are under a legal hold: nobody opens them from now on, and they are "
            "destroyed when the hold ends.",
            held,
        )
        found.append(words % {"number": held})
    return [
        *found,
        _("What people consented to stays as it is; they can be recorded again."),
        _("The study's own systems are told to erase what they have of it."),
        seen(items),
    ]


def seen(items: list[Item]) -> str:
    """Whom it concerns, and what they see of it."""
    number = people_of(items)
    return ngettext(
        "It concerns %(number)s person, who sees in their access log that your role did it.",
        "It concerns %(number)s people, who each see in their access log that your role did it.",
        number,
    ) % {"number": number}


def left_out(items: list[Item]) -> list[tuple[str, int]]:
    """Why rows are left out, and how many each, the most frequent first."""
    return Counter(each.left_out for each in items if each.left_out).most_common()
