"""What a person takes along to check the log by themselves: the verifier, and proofs."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from accounts.permissions import require_permission
from audit_log.receipts import receipt_document
from consent.history import entries_to_prove, find_own_entry, proof_files, tags_of
from consent.views import download, own_subject


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
