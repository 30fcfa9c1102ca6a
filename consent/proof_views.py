"""Who looked, and what a person takes along to check that by themselves: the verifier, and proofs."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.permissions import require_permission
from audit_log.models import Checkpoint
from audit_log.paging import page_of
from audit_log.receipts import receipt_document, verify_command
from audit_log.signing import key_history
from consent.history import (
    entries_about,
    entries_to_prove,
    find_own_entry,
    has_ended_links,
    in_words,
    proof_files,
    tags_of,
)
from consent.views import download, own_subject


@require_permission("audit_log.view_own_entries")
@require_GET
def access(request: HttpRequest) -> HttpResponse:
    """Who looked, and why: every entry about me, page by page."""
    subject = own_subject(request)
    tags = tags_of(subject)
    only_looks = bool(request.GET.get("looks"))
    page = page_of(request, entries_about(tags, looks=only_looks))
    context = {
        "accesses": in_words(page.rows, tags),
        "only_looks": only_looks,
        "page": page,
        "ended_links": has_ended_links(subject),
        "proof_files": range(1, proof_files(tags) + 1),
        "checkpoint": Checkpoint.objects.order_by("-size").first(),
        "keys": [record.key for record in key_history().records],
        "verifier_url": reverse("verifier"),
        "command": verify_command("who-looked.json"),
    }
    return render(request, "consent/access_history.html", context)


@require_GET
def verifier(request: HttpRequest) -> HttpResponse:
    """The one-file verifier, for anybody."""
    path = settings.BASE_DIR / "tools" / "verify_access_log.py"
    response = HttpResponse(path.read_bytes(), content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="verify_access_log.py"'
    return response


@require_permission("audit_log.view_own_entries")
@require_GET
def access_proof(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """One entry with its inclusion proof, to be checked with the one-file verifier."""
    found = find_own_entry(own_subject(request), entry_id)
    if found is None:
        raise Http404
    return download(receipt_document([found.entry_id]), f"access-{found.index}.json")


@require_permission("audit_log.view_own_entries")
@require_GET
def access_proofs(request: HttpRequest) -> HttpResponse:
    """A file of entries about me with their proofs, for the one-file verifier; ``?file=`` says which."""
    try:
        file = int(request.GET.get("file", "1"))
    except ValueError as error:
        raise Http404 from error
    tags = tags_of(own_subject(request))
    if not 1 <= file <= max(1, proof_files(tags)):
        raise Http404
    name = "who-looked.json" if file == 1 else f"who-looked-{file}.json"
    return download(receipt_document(entries_to_prove(tags, file)), name)
