"""What anybody may fetch: the latest signed checkpoint, hash tiles, and the keys to verify with."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit_log.export import tile_bytes
from audit_log.headers import BYTES, FOR_EVER, TEXT
from audit_log.proofs import latest_checkpoint
from audit_log.signing import ended_note, key_history
from audit_log.tiles import Tile, read_path, tiles_of
from audit_log.witnessed import published_checkpoint


@never_cache
@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The published checkpoint as a C2SP signed note, with cosignatures; 404 while the log is empty."""
    published = published_checkpoint()
    if published is None:
        return HttpResponse(
            "The log is empty: nothing is signed yet.\n", status=404, content_type=TEXT
        )
    return HttpResponse(published.cosigned_note(), content_type=TEXT)


@require_safe
def hash_tile(request: HttpRequest, level: int, tile: str) -> HttpResponse:
    """A hash tile of the published log (C2SP tlog-tiles); 404 for one that it does not have.

    Hashes say nothing about anybody; entry bundles are for auditors (``accounts.bundle_views``). A tile
    never changes, so it may be kept for ever by whoever fetches it.
    """
    wanted = published_tile(level, tile)
    if wanted is None:
        return HttpResponse("There is no such tile.\n", status=404, content_type=TEXT)
    answer = HttpResponse(tile_bytes(wanted), content_type=BYTES)
    answer["Cache-Control"] = FOR_EVER
    return answer


def published_tile(level: int | None, path: str) -> Tile | None:
    """The hash tile, or without a level the entry bundle, of the published log at a path; or None."""
    newest, wanted = latest_checkpoint(), read_path(level, path)
    if newest is None or wanted is None:
        return None
    return wanted if wanted in tiles_of(newest.size, level, wanted.number) else None


@never_cache
@require_safe
def log_key(request: HttpRequest) -> HttpResponse:
    """The log's verifier keys, today's in the first line, then every one with the sizes it signs.

    Compare it with a copy from elsewhere: this page could lie to you.
    """
    return HttpResponse(str(key_history()), content_type=TEXT)


@require_safe
def ended_log(request: HttpRequest, number: int) -> HttpResponse:
    """The last checkpoint of an origin that this log went on after, oldest first from 1; or 404."""
    note = ended_note(number) if number <= len(key_history().ended_origins()) else None
    if note is None:
        return HttpResponse("No such log was ended.\n", status=404, content_type=TEXT)
    return HttpResponse(note, content_type=TEXT)
