"""Entry bundles of the access log, for auditors: C2SP ``tlog-tiles``, with a token.

Entries name nobody, but whoever has them sees times, actions and how often. Fetching them is an entry.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.attempts import WINDOW, address_of, begin_attempt
from accounts.auditors import find_token
from accounts.authentication import SCHEME
from accounts.client_keys import note_use
from accounts.errors import TooManyAttempts
from accounts.models import AuditorToken
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.export import tile_bytes
from audit_log.headers import BYTES, TEXT
from audit_log.log import append_durable
from audit_log.views import published_tile


@never_cache
@require_safe
def entry_bundle(request: HttpRequest, tile: str) -> HttpResponse:
    """A bundle of up to 256 entries, full or partial; 401 without a live token, 404 where there is none.

    Never kept by a cache: a token that was revoked must open nothing.
    """
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME.lower() or not text.strip():
        return unauthorised("Entries are for auditors: Authorization: Bearer TOKEN.")
    token = find_token(text.strip())
    if token is None or not token.is_live:
        return refuse(request, text.strip(), token)
    wanted = published_tile(None, tile)
    if wanted is None:
        return HttpResponse("There is no such bundle.\n", status=404, content_type=TEXT)
    body = tile_bytes(wanted)
    note_use(token)
    append_durable(Draft(action=Action.LOG_READ, actor=f"auditor:{token.id}"))
    return HttpResponse(body, content_type=BYTES)


def refuse(request: HttpRequest, text: str, token: AuditorToken | None) -> HttpResponse:
    """401 and an entry; after too many of them 429, without one: the log is not for flooding."""
    try:
        begin_attempt(account=text, address=address_of(request))
    except TooManyAttempts as error:
        answer = HttpResponse(f"{error}\n", status=429, content_type=TEXT)
        answer["Retry-After"] = str(int(WINDOW.total_seconds()))
        return answer
    append_durable(
        Draft(
            action=Action.LOG_READ,
            actor=f"auditor:{token.id}" if token else "anonymous",
            outcome=Outcome.REFUSED,
            reason=ReasonCode.BAD_CREDENTIALS,
        )
    )
    return unauthorised("This token is not valid.")


def unauthorised(words: str) -> HttpResponse:
    """The same answer for wrong, expired and revoked tokens."""
    answer = HttpResponse(f"{words}\n", status=401, content_type=TEXT)
    answer["WWW-Authenticate"] = f'{SCHEME} realm="log"'
    return answer
