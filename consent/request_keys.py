"""Idempotency keys of requests that ask somebody: a retry after a lost answer asks nobody twice.

For a day the same key with the same words finds what was done; only keyed hashes of both are kept, because
clients make keys of what they have at hand, and the words name a person. Uploads have a table of their own
(``emotion.reservations``), because there the row has to outlive the day.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from consent.errors import IdempotencyInProgress, IdempotencyMismatch, InvalidIdempotencyKey
from consent.models import RequestKey
from vault.index import index

KEPT_FOR = timedelta(days=1)
AT_WORK_AT_MOST = timedelta(minutes=1)
"""After how long a request that never ended is taken for dead, so that its key can be tried again."""
LONGEST_KEY = 128


def is_key(text: str) -> bool:
    """Whether a client may have chosen this as a key."""
    return 1 <= len(text) <= LONGEST_KEY


def once(actor: Actor, key: str | None, words: list[str], act: Callable[[], UUID]) -> UUID:
    """Do something once for a key, and return the id that it gave; without a key just do it.

    Raises InvalidIdempotencyKey, IdempotencyMismatch for other words under the same key,
    IdempotencyInProgress while the first is under way, and what ``act`` raises; then the key is free again.
    """
    if key is None:
        return act()
    if not is_key(key):
        raise InvalidIdempotencyKey(
            _("Send an Idempotency-Key of 1 to %d characters, or none.") % LONGEST_KEY
        )
    row, made = reserve(actor, key, json.dumps(words))
    if made is not None:
        return made
    try:
        made = act()
    except BaseException:
        row.delete()
        raise
    RequestKey.objects.filter(pk=row.pk).update(made=made)
    return made


def reserve(actor: Actor, key: str, words: str) -> tuple[RequestKey, UUID | None]:
    """The key's row, and what was made under it before; None for a key that is this request's own now."""
    owner = f"{actor.kind}:{actor.id}"
    mine = RequestKey(
        key_index=index(actor.purpose_id, "idempotency-key", f"{owner} {key}"),
        words_index=index(actor.purpose_id, "idempotency-words", f"{owner} {words}"),
        created_at=timezone.now(),
    )
    over(mine.created_at).filter(key_index=mine.key_index).delete()
    try:
        with transaction.atomic():
            mine.save(force_insert=True)
    except IntegrityError:
        pass
    else:
        return mine, None
    known = RequestKey.objects.filter(key_index=mine.key_index).first()
    if known is not None and bytes(known.words_index) != mine.words_index:
        raise IdempotencyMismatch(
            _("This Idempotency-Key was used with another body; use a new key for a new request.")
        )
    if known is None or known.made is None:
        raise IdempotencyInProgress(_("A request with this Idempotency-Key is still under way."))
    return known, known.made


def over(now: datetime) -> QuerySet[RequestKey]:
    """The rows whose day is over, and those of requests that died at work."""
    dead = Q(made=None, created_at__lt=now - AT_WORK_AT_MOST)
    return RequestKey.objects.filter(Q(created_at__lt=now - KEPT_FOR) | dead)


def forget_old_keys() -> int:
    """Forget the keys whose day is over; how many. Keeper only."""
    return over(timezone.now()).delete()[0]
