"""The API of receipts: what was erased of a person, and which consents a client may say that there were.

A client gets what ISO/IEC TS 27560 knows of a consent (which event, when, to what, under which page of the
notice) without whom it is about: neither the person's tag in the access log nor the entry that bears it,
because with them every entry about the person could be told from others, for ever.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import actor_of
from accounts.etags import StateView
from accounts.lists import PAGING, NoFilters, asked_for, page_of
from accounts.models import Scope
from accounts.pages import page
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem
from consent.api import own_purpose
from consent.models import (
    ConsentEvent,
    ErasureCause,
    ErasureRequest,
    EventKind,
    is_held,
)
from consent.people import find_person, people_of
from consent.receipts import UNRECEIPTED, receipt_id

TOLD_CAUSE = {
    ErasureCause.ACCOUNT: ErasureCause.WITHDRAWAL,
    ErasureCause.UNUSED: ErasureCause.RETENTION,
}
"""What a study is not told: that somebody closed their account, or was long not seen, also elsewhere."""
RECEIPTED = [kind.value for kind in EventKind if kind not in UNRECEIPTED]


class ErasureReceiptOutput(serializers.Serializer[Any]):
    """One erasure of what was kept of a person here. It says what was recorded, not that no copy exists."""

    id = serializers.UUIDField()
    cause = serializers.ChoiceField(
        choices=[each.value for each in ErasureCause if each not in TOLD_CAUSE]
    )
    recording = serializers.UUIDField(allow_null=True, help_text="Only this recording; null: all.")
    category = serializers.CharField(
        allow_null=True, help_text="Only what was measured under this category; null: everything."
    )
    requested_at = serializers.DateTimeField(
        help_text="From then on nothing of it could be opened."
    )
    held = serializers.BooleanField(
        help_text="Whether a legal hold postpones the destruction now. It opens nothing."
    )
    keys_destroyed_at = serializers.DateTimeField(allow_null=True)
    keys_destroyed = serializers.IntegerField(help_text="How many data keys were destroyed.")
    rows_removed_at = serializers.DateTimeField(allow_null=True)
    final_at = serializers.DateTimeField(
        allow_null=True, help_text="When no copy under our control could be opened any more."
    )


class NoticeShownOutput(serializers.Serializer[Any]):
    """The page that the person read."""

    version = serializers.IntegerField()
    language = serializers.CharField()
    sha256 = serializers.CharField()


class ConsentReceiptOutput(serializers.Serializer[Any]):
    """One event of a consent, without whom it is about."""

    id = serializers.UUIDField(help_text="The same as on the receipt that the person has.")
    kind = serializers.ChoiceField(choices=RECEIPTED)
    at = serializers.DateTimeField()
    method = serializers.CharField(help_text="How it came about: web, paper, assent or keeper.")
    categories = serializers.ListField(child=serializers.CharField())
    valid_until = serializers.DateTimeField(allow_null=True)
    notice = NoticeShownOutput(allow_null=True)


def about(request: Request, reference_id: UUID) -> dict[str, UUID]:
    """Whose receipts a list holds, somebody in the client's purpose. Raises UnknownSubject."""
    person = find_person(people_of(own_purpose(actor_of(request))), reference_id)
    asked_for(request, NoFilters)
    return {"subject_id": person.subject_id, "purpose_id": person.purpose_id}


def erasure_json(_request: Request, erasure: ErasureRequest) -> dict[str, Any]:
    """An erasure as the API shows it."""
    cause = ErasureCause(erasure.cause)
    return {
        "id": erasure.id,
        "cause": TOLD_CAUSE.get(cause, cause),
        "recording": erasure.recording_id,
        "category": erasure.category or None,
        "requested_at": erasure.requested_at,
        "held": erasure.begun_at is None and bool(getattr(erasure, "is_held", False)),
        "keys_destroyed_at": erasure.keys_destroyed_at,
        "keys_destroyed": len(erasure.key_ids),
        "rows_removed_at": erasure.rows_removed_at,
        "final_at": erasure.final_at,
    }


def event_json(_request: Request, event: ConsentEvent) -> dict[str, Any]:
    """An event of a consent as the API shows it."""
    notice = event.notice
    read = {"version": notice.version, "language": event.language} if notice else {}
    return {
        "id": receipt_id(event),
        "kind": event.kind,
        "at": event.at,
        "method": event.method,
        "categories": event.categories,
        "valid_until": event.valid_until,
        "notice": read | {"sha256": event.notice_sha256} if read and event.language else None,
    }


class ErasureReceipts(StateView):
    """What was erased of a person here."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.SUBJECTS_READ}

    @extend_schema(
        operation_id="subjects_receipts",
        description="The erasures of what was kept of this person in your purpose, newest first, "
        "how far each is and how many keys were destroyed. Receipts with proofs are the person's "
        "own. No entry.",
        parameters=PAGING,
        responses={200: page_of(ErasureReceiptOutput), 304: None, 422: Problem, **PROBLEMS},
    )
    def get(self, request: Request, reference_id: UUID) -> Response:
        """One page of them."""
        rows = ErasureRequest.objects.filter(**about(request, reference_id))
        return page(request, rows.annotate(is_held=is_held()), erasure_json)


class ConsentReceipts(StateView):
    """Which consents there were of a person."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.SUBJECTS_READ}

    @extend_schema(
        operation_id="subjects_consents",
        description="What happened to this person's consent, newest first, to keep as evidence "
        "that you had it at a time: receipt ids, times, categories, and the hash of the page that "
        "was read. No entry.",
        parameters=PAGING,
        responses={200: page_of(ConsentReceiptOutput), 304: None, 422: Problem, **PROBLEMS},
    )
    def get(self, request: Request, reference_id: UUID) -> Response:
        """One page of them."""
        rows = ConsentEvent.objects.filter(**about(request, reference_id), kind__in=RECEIPTED)
        return page(request, rows.select_related("notice"), event_json)
