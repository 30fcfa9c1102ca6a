"""Auditors' tokens: making one, checking it, taking it back.

A token is ``cna_<prefix>_<secret>``, kept and shown as the keys of API clients are. It opens entry
bundles of the access log and nothing else.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.client_keys import fits, hash_secret, split_key
from accounts.errors import InvalidToken, UnknownToken
from accounts.models import AuditorToken
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append

MARK = "cna"


def create_token(actor: Actor, *, name: str, expires_at: datetime) -> tuple[AuditorToken, str]:
    """Make a token and return it with its text, which cannot be shown again.

    Raises InvalidToken for an empty name or an end in the past.
    """
    if not name.strip():
        raise InvalidToken(_("A token needs a name; got none."))
    if expires_at <= timezone.now():
        raise InvalidToken(_("The token would be over before it begins."))
    secret = secrets.token_urlsafe(32)
    token = AuditorToken(
        name=name.strip(),
        prefix=secrets.token_hex(5),
        secret_hash=hash_secret(secret),
        expires_at=expires_at,
        created_by_id=actor.id if actor.kind == "operator" else None,
    )
    with transaction.atomic():
        token.save(force_insert=True)
        append(about(Action.AUDITOR_CREATE, actor, token))
    return token, f"{MARK}_{token.prefix}_{secret}"


def revoke_token(actor: Actor, token_id: UUID) -> AuditorToken:
    """Take a token back, at once. Doing it again changes nothing; raises UnknownToken."""
    with transaction.atomic():
        token = AuditorToken.objects.select_for_update().filter(id=token_id).first()
        if token is None:
            raise UnknownToken(_("There is no such token."))
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            append(about(Action.AUDITOR_REVOKE, actor, token))
    return token


def about(action: Action, actor: Actor, token: AuditorToken) -> Draft:
    """An entry that names a token by its random id, so that a restore can take it back again."""
    detail = json.dumps({"token": str(token.id)}, separators=(",", ":")).encode()
    return Draft(action=action, actor=actor.log_name(), detail=detail)


def find_token(text: str) -> AuditorToken | None:
    """The token with this text, live or not; None when there is none."""
    prefix, secret = split_key(MARK, text)
    token = AuditorToken.objects.filter(prefix=prefix).first() if secret else None
    return token if token and fits(secret, token.secret_hash) else None
