"""Telling people of a breach, one after the other, and erasing old records: both by the keeper.

Whoever has an address gets a message; everybody finds the same words on their own start page. Each person
is one small transaction, so that it can be killed anywhere and nobody is told twice.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.actors import SYSTEM_KEEPER, Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.breach_texts import breach_unit, read_told
from consent.errors import NotTheSubject
from consent.messages import has_address, key_of, language_for, seal_message
from consent.models import Breach, BreachPerson, BreachQuerySet, DataSubject, LegalHold
from consent.records import is_own, subject_log_name
from consent.row_by_row import do_each
from vault.keyring import data_key_ids, destroy_data_keys, keys_kept_if_filed
from vault.tags import destroy_tag_key, tagger

KEPT_FOR = timedelta(days=1095)
"""How long a closed record is kept: the authority may ask for it (Art. 33(5))."""
BATCH = 100


def tell_people() -> int:
    """Tell those who are still to be told; returns how many were. Keeper only."""
    rows = BreachPerson.objects.filter(
        told_at=None, breach__told_at__isnull=False, subject__closed_at=None
    )
    words: dict[UUID, str] = {}

    def tell(row: BreachPerson) -> int:
        if row.breach_id not in words:
            words[row.breach_id] = read_told(SYSTEM_KEEPER.log_name(), row.breach)
        return tell_one(row, words[row.breach_id])

    due = rows.select_related("breach", "subject__user").order_by("pk")
    return do_each(list(due[:BATCH]), tell)


def tell_one(row: BreachPerson, words: str) -> int:
    """One message, one entry and one mark together; 0 when somebody else was faster."""
    subject = row.subject
    tags = tagger(subject.id, None)
    message = None
    if has_address(subject):
        language = language_for(subject)
        with override(language):
            message = seal_message(
                SYSTEM_KEEPER,
                subject,
                None,
                kind="breach",
                language=language,
                heading=_("A data breach concerned you"),
                text="\n\n".join(
                    [
                        words,
                        _("The same words stand on your own page:"),
                        settings.SITE_URL + reverse("own_breach", args=[row.breach_id]),
                    ]
                ),
            )
    with keys_kept_if_filed(key_of(message)), transaction.atomic():
        mine = BreachPerson.objects.filter(pk=row.pk, told_at=None)
        first = mine.update(told_at=timezone.now(), by_message=message is not None)
        if first:
            append(
                Draft(
                    action=Action.BREACH_PERSON_TOLD,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=ReasonCode.NOTIFY,
                    subject_tag=tags.subject(),
                    object_tag=tags.object("breach", row.breach_id),
                )
            )
            if message:
                message.file()
    if message and not first:
        destroy_data_keys([message.row.data_key_id])
    return first


def told_to(subject: DataSubject) -> BreachQuerySet:
    """The breaches of which this person was told, newest first."""
    mine = Breach.objects.kept().filter(people__subject=subject, people__told_at__isnull=False)
    return mine.order_by("-told_at")


def read_own(actor: Actor, subject: DataSubject, breach: Breach) -> str:
    """What a person is told of a breach, found among those of ``told_to``. Raises NotTheSubject."""
    if not is_own(actor, subject):
        raise NotTheSubject(_("Only the person themself can read this."))
    return read_told(subject_log_name(tagger(subject.id, None)), breach)


def erase_old_breaches() -> int:
    """Erase the records that were closed ``KEPT_FOR`` ago. Keeper only.

    The entry first, then the keys, then the row that leads to them: it can be killed anywhere and goes
    on. While any legal hold stands none begins: a record may be evidence in the matter.
    """
    over = Q(closed_at__lte=timezone.now() - KEPT_FOR)
    if LegalHold.objects.standing().exists():
        over = Q(pk=None)
    due = Breach.objects.filter(Q(erased_at__isnull=False) | over)
    return do_each(list(due[:BATCH]), erase_breach)


def erase_breach(breach: Breach) -> None:
    """The same for one record."""
    if breach.erased_at is None:
        begin_erasure(breach)
    destroy_data_keys(data_key_ids(subject_id=breach.id, category=breach_unit(breach.id).category))
    destroy_tag_key(breach.id, None)
    breach.delete()


def begin_erasure(breach: Breach) -> None:
    """Write down that the end of a record begins; once."""
    tags = tagger(breach.id, None)
    with transaction.atomic():
        mine = Breach.objects.kept().filter(pk=breach.pk)
        if mine.update(erased_at=timezone.now()):
            append(
                Draft(
                    action=Action.BREACH_ERASE,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=ReasonCode.RETENTION_END,
                    purpose_id=breach.purpose_id,
                    object_tag=tags.object("breach", breach.id),
                )
            )
