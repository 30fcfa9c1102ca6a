"""Telling operators that a person disputes a recording: by e-mail where there is a mail server.

The note names the study and the way to the page, nobody and nothing else. Without a mail server the
operators' first page says it.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from consent.operator_notes import send_notes
from emotion.models import Dispute


def addresses(dispute: Dispute) -> list[str]:
    """Administrators, data protection officers, and the researchers of the study."""
    purpose_id = dispute.recording.purpose_id
    told = Q(role__in=[Role.ADMINISTRATOR, Role.DPO]) | Q(purposes=purpose_id)
    people = User.objects.filter(told, is_active=True).exclude(role=Role.SUBJECT)
    return list(people.order_by("email").values_list("email", flat=True).distinct())


def tell_operators() -> int:
    """Send a note for every open dispute of which nobody was told yet. Keeper only."""
    if not settings.EMAIL_URL:
        return 0
    told = 0
    for dispute in Dispute.objects.open().filter(told_at=None).select_related("recording__purpose"):
        text = _(
            "Somebody who takes part in “%(purpose)s” says that a recording filed under their name does "
            "not show them. It is sealed off: nobody can open or measure it, and its uploader can add "
            "nothing more for this person. Please find out how it came there and answer:"
        )
        known = {"purpose": dispute.recording.purpose.name}
        page = reverse("operate_dispute", args=[dispute.id])
        if send_notes(_("A recording is disputed"), text % known, page, addresses(dispute)):
            Dispute.objects.filter(pk=dispute.pk).update(told_at=timezone.now())
            told += 1
    return told
