"""Where sessions lie: in Django's table, under a hash of their key, until a set time after the sign-in.

Whoever reads the table, or a copy of it, finds no key that a browser could send. ``SESSION_COOKIE_AGE`` is
counted from the sign-in, whatever is done meanwhile; before it from the last change.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.utils import timezone

SIGNED_IN_AT = "accounts.signed_in_at"
KEPT_BYTES = 30
"""Of the hash: 240 bits are the 40 characters that Django's column holds."""


def row_key(session_key: str | None) -> str:
    """The key of a session's row. A bare hash will do for the 165 random bits of a session's key."""
    digest = sha256((session_key or "").encode()).digest()
    return urlsafe_b64encode(digest[:KEPT_BYTES]).decode()


class SessionStore(db.SessionStore):
    """Django's, with another key in the table than in the cookie. Used by requests one after the other."""

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        now = timezone.now()
        row = self.model.objects.filter(session_key=row_key(self.session_key), expire_date__gt=now)
        found: AbstractBaseSession | None = row.first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        """Whether there is a session with this key."""
        return super().exists(row_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """The row to be saved; the first with a person in it says when they signed in."""
        if SESSION_KEY in data:
            data.setdefault(SIGNED_IN_AT, timezone.now().timestamp())
        row: AbstractBaseSession = super().create_model_instance(data)
        row.session_key = row_key(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """Remove the session with this key, or this one."""
        if key := session_key or self.session_key:
            super().delete(row_key(key))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        """When it ends: of a person's session set when they signed in."""
        if SIGNED_IN_AT not in self:
            return super().get_expiry_date(**kwargs)
        age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        return datetime.fromtimestamp(self[SIGNED_IN_AT], UTC) + age


def forget_ended() -> int:
    """Remove the rows of sessions that have ended, which open nothing any more; how many."""
    number, _kinds = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return number
