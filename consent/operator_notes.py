"""Telling operators what waits for one of them: by e-mail, where there is a mail server.

A note names the study and the way to the page, nobody and nothing else. Without a mail server the
operators' first page says it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import ROLE_PERMISSIONS
from consent.holds import day
from consent.mail_sending import REFUSED
from consent.models import OperatorsTold, Purpose, PurposeState, SubjectRequest
from consent.request_clock import days_left

logger = logging.getLogger(__name__)
SOON = 7
"""Days before the answer to a request is due."""
STAGES = (OperatorsTold.NOT_YET, OperatorsTold.NEW, OperatorsTold.SOON, OperatorsTold.OVERDUE)
"""What operators are told of a request, one after the other; what was passed over is not made up for."""


def send_notes(heading: str, text: str, page: str, to: Iterable[str]) -> bool:
    """One note to each of these addresses; whether the mail server took any.

    An address that it refuses is passed over: the others would have the note again and again. Raises
    OSError or SMTPException where the server cannot be spoken to; then all are sent again later.
    """
    body, taken = f"{text}\n\n{settings.SITE_URL}{page}", False
    with get_connection() as server:
        for address in to:
            note = EmailMessage(subject=heading, body=body, to=[address], connection=server)
            try:
                taken = bool(note.send()) or taken
            except REFUSED as error:
                logger.warning("a note to an operator was refused: %s", type(error).__name__)
    return taken


def addresses_of(permission: str) -> list[str]:
    """Of everybody who works here in a role that may do this."""
    roles = [role for role, theirs in ROLE_PERMISSIONS.items() if permission in theirs]
    people = User.objects.filter(role__in=roles, is_active=True)
    return list(people.order_by("email").values_list("email", flat=True))


def tell_of_requests() -> int:
    """Send a note for each request that is new, due soon or overdue, one for each of these. Keeper only."""
    if not settings.EMAIL_URL:
        return 0
    told = 0
    waiting = SubjectRequest.objects.waiting().exclude(operators_told=OperatorsTold.OVERDUE)
    for asked in waiting.select_related("purpose"):
        stage = stage_of(asked)
        if STAGES.index(stage) <= STAGES.index(OperatorsTold(asked.operators_told)):
            continue
        heading, text = words_of(asked, stage)
        page = reverse("operate_request", args=[asked.id])
        if send_notes(heading, text, page, addresses_of("consent.answer_request")):
            # Not over a longer time that was taken meanwhile, which begins anew.
            same = SubjectRequest.objects.filter(pk=asked.pk, due_at=asked.due_at)
            same.update(operators_told=stage)
            told += 1
    return told


def stage_of(asked: SubjectRequest) -> OperatorsTold:
    """What is to be told of a request that waits."""
    if asked.is_overdue:
        return OperatorsTold.OVERDUE
    return OperatorsTold.SOON if days_left(asked.due_at) <= SOON else OperatorsTold.NEW


def words_of(asked: SubjectRequest, stage: OperatorsTold) -> tuple[str, str]:
    """Heading and text of a note about a request."""
    if asked.purpose:
        who = _("Somebody who takes part in “%(purpose)s”") % {"purpose": asked.purpose.name}
    else:
        who = _("Somebody who takes part here")
    known = {"who": who, "day": day(asked.due_at)}
    if stage == OperatorsTold.OVERDUE:
        return _("A person's request is overdue"), _(
            "%(who)s asked the staff for something. The answer was due on %(day)s and is not there. "
            "Please answer now:"
        ) % known
    if stage == OperatorsTold.SOON:
        return _("A person's request is due soon"), _(
            "%(who)s asked the staff for something and has no answer yet. It is due on %(day)s:"
        ) % known
    return _("A person's request"), _(
        "%(who)s asks the staff for something. The answer is due on %(day)s. Please look after it:"
    ) % known


def tell_of_reviews() -> int:
    """Send a note for each purpose that was handed over for review, one each time. Keeper only."""
    if not settings.EMAIL_URL:
        return 0
    told = 0
    for purpose in Purpose.objects.filter(state=PurposeState.IN_REVIEW, review_told_at=None):
        text = _(
            "“%(purpose)s” waits for review: nothing is asked or recorded before. Please decide:"
        )
        page = reverse("operate_purpose", args=[purpose.id])
        to = addresses_of("consent.review_purpose")
        if send_notes(_("A purpose waits for review"), text % {"purpose": purpose.name}, page, to):
            Purpose.objects.filter(pk=purpose.pk).update(review_told_at=timezone.now())
            told += 1
    return told
