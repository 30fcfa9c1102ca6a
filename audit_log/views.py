"""What anybody may fetch: the latest signed checkpoint and the key to verify it with."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit_log.proofs import latest_checkpoint
from audit_log.signing import verifier_key

TEXT = "text/plain; charset=utf-8"


@never_cache
@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The latest checkpoint as a C2SP signed note; 404 while the log is empty."""
    newest = latest_checkpoint()
    if newest is None:
        return HttpResponse(
            "The log is empty: nothing is signed yet.\n", status=404, content_type=TEXT
        )
    return HttpResponse(newest.note, content_type=TEXT)


@never_cache
@require_safe
def log_key(request: HttpRequest) -> HttpResponse:
    """The log's verifier key. Compare it with a copy from elsewhere: this page could lie to you."""
    return HttpResponse(f"{verifier_key()}\n", content_type=TEXT)
