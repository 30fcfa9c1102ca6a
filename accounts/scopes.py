"""What an API client's key covers, asked at the top of every API view."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied

from accounts.actors import Actor
from accounts.models import Scope


def require_scope(actor: Actor, scope: Scope) -> None:
    """Raise PermissionDenied (403, code ``scope-missing``) unless the client's key has the scope."""
    if actor.kind != "client" or scope not in actor.scopes:
        message = _("This needs a key with the scope %(scope)s.") % {"scope": scope.value}
        raise PermissionDenied(message, code="scope-missing")
