"""The API of log entries: what a client itself did, with the proof that the access log holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.accepting import ByTheView, chosen
from accounts.actors import Actor, actor_of
from accounts.permissions import HasLiveKey
from accounts.problems import NO_KEY, Problem, codes
from audit_log.entries import Entry, parse
from audit_log.errors import EntryNotIntegrated
from audit_log.models import LogEntry, PendingEntry
from audit_log.proofs import inclusion_proof
from audit_log.receipts import receipt_document
from consent.errors import NotIntegrated, NotThere

NOT_YOURS = OpenApiResponse(Problem, "It does not exist, or you are not who acted.")
TEXT = "text/plain"
SOON = timedelta(seconds=1)
"""Until a running sequencer has put an entry into the tree; it does so five times a second."""


class EntryOutput(serializers.Serializer[Any]):
    """One entry of the access log that says what you did."""

    id = serializers.UUIDField()
    time = serializers.DateTimeField()
    action = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["ok", "refused", "failed"])
    reason = serializers.CharField(allow_null=True)
    integrated = serializers.BooleanField(
        help_text="Whether a signed checkpoint covers it, so that there is a proof."
    )
    receipt = serializers.DictField(
        help_text="Format `consentry-receipt/1`: the entry's canonical bytes in base64 with an "
        "inclusion proof, or with a signed promise until there is one. The one-file verifier "
        "reads it."
    )


def find_own_entry(actor: Actor, entry_id: UUID) -> Entry:
    """An entry in which this very client acted. Raises NotThere for any other."""
    name = actor.log_name()
    # In this order: an entry moves from the first table to the second.
    waiting = PendingEntry.objects.filter(entry_id=entry_id).first()
    row = waiting or LogEntry.objects.filter(entry_id=entry_id, actor=name).first()
    entry = parse(row.body) if row else None
    if entry is None or entry.draft.actor != name:
        raise NotThere("There is no such entry of yours.")
    return entry


class LogEntryDetail(APIView):
    """What you did, as the access log has it."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="log_entries_retrieve",
        description="An entry in which your key acted: a read, an upload, a refusal. Results "
        "carry its id as `log_entry`. Entries of anybody else answer 404. No scope is needed, and "
        "it makes no entry.",
        responses={200: EntryOutput, 404: NOT_YOURS, **NO_KEY, 503: Problem},
    )
    def get(self, request: Request, logged_id: UUID) -> Response:
        """The entry with its proof, or with a promise."""
        entry = find_own_entry(actor_of(request), logged_id)
        receipt, draft = receipt_document([entry.id]), entry.draft
        return Response(
            {
                "id": entry.id,
                "time": entry.time,
                "action": draft.action.value,
                "outcome": draft.outcome.value,
                "reason": draft.reason.value if draft.reason else None,
                "integrated": "proof" in receipt["entries"][0],
                "receipt": receipt,
            }
        )


class LogEntryProof(APIView):
    """The proof alone, for tools that nobody here wrote."""

    permission_classes = (HasLiveKey,)
    content_negotiation_class = ByTheView

    @extend_schema(
        operation_id="log_entries_proof",
        description="The inclusion proof of an entry of yours as C2SP `tlog-proof`. 409 "
        "`not-integrated` with `Retry-After` until a checkpoint covers it.",
        responses={
            (200, TEXT): OpenApiTypes.STR,
            404: NOT_YOURS,
            409: OpenApiResponse(Problem, "No checkpoint covers it yet."),
            **NO_KEY,
        },
        extensions=codes("not-integrated"),
    )
    def get(self, request: Request, logged_id: UUID) -> HttpResponse:
        """The text that a verifier of C2SP proofs reads."""
        chosen(request, (TEXT,))
        entry = find_own_entry(actor_of(request), logged_id)
        try:
            text = inclusion_proof(entry.id).text()
        except EntryNotIntegrated:
            raise NotIntegrated("No checkpoint covers this entry yet.", SOON) from None
        return HttpResponse(text, content_type=f"{TEXT}; charset=utf-8")
