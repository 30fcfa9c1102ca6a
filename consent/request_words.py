"""What each kind of request means, and what the program does at once without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consent.models import ConsentState, ConsentStatus, RequestKind

MEANINGS: dict[str, str | Promise] = {
    RequestKind.ACCESS: gettext_lazy(
        "You want to know what is kept about you, why, for how long, and who receives it."
    ),
    RequestKind.RECTIFICATION: gettext_lazy(
        "Something about you is wrong: your name, your address, or whose face a recording shows."
    ),
    RequestKind.RESTRICTION: gettext_lazy(
        "Your data stay, but nobody uses them, for instance while something is being cleared up."
    ),
    RequestKind.OBJECTION: gettext_lazy("You do not want your data to be used any more."),
    RequestKind.PORTABILITY: gettext_lazy(
        "You want to take your data with you, to use them elsewhere."
    ),
    RequestKind.ERASURE: gettext_lazy("You want your data to be erased."),
    RequestKind.COMPLAINT: gettext_lazy("Something was not as it should be."),
}
LEADS: dict[str, str | Promise] = {
    RequestKind.ACCESS: gettext_lazy("You can see and download everything at once:"),
    RequestKind.RECTIFICATION: gettext_lazy("Some of it you can put right at once:"),
    RequestKind.RESTRICTION: gettext_lazy("You can pause a study at once:"),
    RequestKind.OBJECTION: gettext_lazy(
        "Everything here rests on your consent. When you withdraw it, everything stops at once:"
    ),
    RequestKind.PORTABILITY: gettext_lazy("You can download everything at once, as JSON and CSV:"),
    RequestKind.ERASURE: gettext_lazy("You can have it erased at once:"),
}
STANDING = {ConsentStatus.GIVEN, ConsentStatus.EXPIRED}


@dataclass(frozen=True)
class Shortcut:
    """A page that does at once what would be asked for."""

    label: str
    url: str


def shortcuts(kind: str, states: list[ConsentState]) -> list[Shortcut]:
    """What this person can do at once instead; ``states`` with their purposes."""
    return [Shortcut(label, url) for label, url in pages_for(kind, states)]


def pages_for(kind: str, states: list[ConsentState]) -> Iterator[tuple[str, str]]:
    """The label and the address of each of them."""
    if kind in {RequestKind.ACCESS, RequestKind.PORTABILITY}:
        yield from of_each(states, _("Download everything about you in “%(study)s”"), "own_bundle")
    if kind == RequestKind.ACCESS:
        yield _("Who looked, and why"), reverse("access_history")
    if kind == RequestKind.RECTIFICATION:
        yield _("Say on a recording's page that it does not show you"), reverse("subject_home")
        yield _("To which address letters and codes go"), reverse("own_address")
    if kind == RequestKind.RESTRICTION:
        given = [state for state in states if state.status == ConsentStatus.GIVEN]
        yield from of_each(given, _("Pause “%(study)s”, or stop a part of it"), "consent_change")
    if kind in {RequestKind.OBJECTION, RequestKind.ERASURE}:
        standing = [
            state for state in states if state.status in STANDING and state.tags_ended_at is None
        ]
        words = _("Withdraw from “%(study)s”: everything in it is erased")
        yield from of_each(standing, words, "consent_withdraw")
    if kind == RequestKind.ERASURE:
        yield _("Close your account: everything everywhere is erased"), reverse("close_account")


def of_each(states: list[ConsentState], words: str, name: str) -> Iterator[tuple[str, str]]:
    """One page for each study."""
    for state in states:
        yield words % {"study": state.purpose.name}, reverse(name, args=[state.purpose_id])
