"""Saying yes to one more part of a study: nothing else of the consent changes, and nothing is erased."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from consent.errors import ConsentError, InvalidChoice
from consent.giving import check_choices, require_read, write_yes
from consent.models import ConsentEvent, ConsentState, DataSubject, Purpose
from consent.narrowing import live_state
from consent.records import require_subject
from vault.tags import tagger


def can_say_yes_to_more(state: ConsentState) -> bool:
    """Whether one button can add a part: the notice that was agreed to is still the one in force.

    Not where children take part: who says yes for whom is asked beside the notice.
    """
    if state.notice is None or state.purpose.guardian_allowed:
        return False
    try:
        require_read(state, state.notice)
    except ConsentError:
        return False
    return True


def add_category(
    actor: Actor, subject: DataSubject, purpose: Purpose, category: str
) -> ConsentEvent | None:
    """Say yes to one more data category under the notice that the standing consent rests on.

    The end of the consent stays the one it has, and so does a pause. A second click gives None. Raises
    NotTheSubject, and InvalidChoice, InvalidNotice or InvalidPurpose when the notice has to be read first.
    """
    require_subject(actor, subject)
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        state = live_state(subject, purpose)
        now = timezone.now()
        if category in state.categories:
            return None
        if state.notice is None or state.valid_until is None or state.valid_until <= now:
            raise InvalidChoice(_("There is no consent that could be changed."))
        if state.purpose.guardian_allowed:
            raise InvalidChoice(
                _("Please say yes to it beside the notice, where your age is asked.")
            )
        return write_yes(
            state,
            tags,
            state.notice,
            check_choices(purpose, [*state.categories, category]),
            method="web",
            valid_until=state.valid_until,
            at=now,
        )
