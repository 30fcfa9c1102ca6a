"""Asking before a consent ends by itself: once for each end, by a mark on the start page and a message.

Whoever does nothing lets it end, and what was recorded under it is erased: silence is no yes.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.actors import SYSTEM_KEEPER
from consent.holds import day
from consent.messages import SealedMessage, has_address, language_for, seal_message
from consent.models import ConsentState, ConsentStatus, PurposeState
from consent.notifications import BEFORE_THE_END
from consent.records import notice_in_force
from consent.renewals import AT_ONCE, ask
from consent.row_by_row import do_each

KIND = "ending"


def ask_before_the_end() -> int:
    """Ask everybody whose consent ends soon and who was not asked about this end. Keeper only."""
    now = timezone.now()
    due = ConsentState.objects.filter(
        status=ConsentStatus.GIVEN,
        purpose__state=PurposeState.OPEN,
        remind_at__lte=now,
        reminded_at=None,
        valid_until__gt=now,
    ).select_related("purpose", "subject__user")
    return do_each(list(due.order_by("valid_until")[:AT_ONCE]), lambda state: ask_one(state, now))


def ask_one(state: ConsentState, now: datetime) -> int:
    """Ask one person; 0 when their consent changed meanwhile."""
    language = language_for(state.subject, state.purpose)
    notice = notice_in_force(state.purpose, language)
    message = letter(state, language) if has_address(state.subject) else None
    return ask(state, notice, message, BEFORE_THE_END, reminded_at=now)


def letter(state: ConsentState, language: str) -> SealedMessage:
    """What the person is written, sealed and not yet filed."""
    purpose = state.purpose
    with override(language):
        when = day(state.valid_until) if state.valid_until else ""
        names = {"purpose": purpose.name, "when": when}
        paragraphs = [
            _("Your consent to “%(purpose)s” ends by itself on %(when)s.") % names,
            _(
                "If you do nothing, it ends on that day, and what was recorded of you is erased. If you "
                "want to go on, please read the notice and say yes again:"
            ),
            settings.SITE_URL + reverse("consent_notice", args=[purpose.id]),
            _("You are asked once. You can also withdraw at any time before."),
        ]
        heading = _("Your consent ends soon: %(purpose)s") % names
    return seal_message(
        SYSTEM_KEEPER,
        state.subject,
        purpose,
        kind=KIND,
        language=language,
        heading=heading,
        text="\n\n".join(paragraphs),
    )


def ends_soon(state: ConsentState) -> bool:
    """Whether this consent stands, ends soon, and can be renewed before it does."""
    return (
        state.status == ConsentStatus.GIVEN
        and state.purpose.state == PurposeState.OPEN
        and state.remind_at is not None
        and state.remind_at <= timezone.now()
    )
