"""Scans of papers that people signed: checked on their way in, opened only against gate and log.

What a scan is, its bytes say. It leaves as a file to keep, never inside a page, and nothing in it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable
from consent.documents import MAX_BYTES, as_attached
from consent.enforcement import asker_of, require_consent
from consent.errors import ConsentRefused, InvalidPaper, PaperGone
from consent.models import ConsentState, DataSubject, ErasureRequest, PaperConsent, Purpose
from consent.records import acting_name
from consent.rules import Operation
from vault.errors import KeyDestroyed
from vault.store import unseal
from vault.tags import tagger
from vault.units import Row, Unit

KINDS = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
}
SUFFIXES = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


@dataclass(frozen=True)
class Scan:
    """A scan in plain, for one request: its media type and its bytes."""

    media_type: str
    content: bytes = field(repr=False)


def read_scan(file: UploadedFile[bytes]) -> Scan:
    """Check an uploaded scan by its bytes, not by what the browser says; raises InvalidPaper."""
    if (file.size or 0) > MAX_BYTES:
        raise InvalidPaper(
            _("A scan has at most %(most)s bytes; this one has %(got)s.")
            % {"most": MAX_BYTES, "got": file.size}
        )
    content = file.read()
    for start, media_type in KINDS.items():
        if content.startswith(start):
            return Scan(media_type, content)
    raise InvalidPaper(_("A scan is a PDF, a JPEG or a PNG; this is none of them."))


def paper_unit(subject_id: UUID, purpose_id: UUID) -> Unit:
    """The erasure unit of a person's scan in one purpose."""
    return Unit(subject_id=subject_id, purpose_id=purpose_id, category="paper")


def paper_row(paper_id: UUID) -> Row:
    """The one place of a sealed scan."""
    return Row(table="paper_consent", column="sealed", row_id=paper_id)


def paper_standing(paper_id: UUID) -> datetime | ReasonCode | None:
    """How a scan stands, for the gate: kept as long as the consent, closed once its erasure is filed."""
    paper = PaperConsent.objects.using("default").select_related("event").get(pk=paper_id)
    here = {"subject_id": paper.subject_id, "purpose_id": paper.event.purpose_id}
    if paper.sealed is None:
        return None
    erasures = ErasureRequest.objects.using("default").whole().filter(**here)
    if erasures.filter(requested_at__gte=paper.event.at).exists():
        return ReasonCode.BEING_ERASED
    return ConsentState.objects.using("default").get(**here).valid_until


def open_scan(actor: Actor, paper: PaperConsent, reason: ReasonCode) -> Scan:
    """Open a scan; the read is in the log first, and a refusal too. Raises PaperGone when it was erased.

    ``paper`` comes with its event. Raises ConsentRefused, and LogUnavailable without an entry.
    """
    if paper.sealed is None:
        raise PaperGone(_("The scan was erased."))
    subject_id, purpose_id = paper.subject_id, paper.event.purpose_id
    tags = tagger(subject_id, purpose_id)
    draft = Draft(
        action=Action.PAPER_READ,
        actor=acting_name(actor, tags),
        reason=reason,
        purpose_id=purpose_id,
        subject_tag=tags.subject(),
        object_tag=tags.object("paper", paper.id),
    )
    try:
        permit = require_consent(
            subject_id=subject_id,
            purpose_id=purpose_id,
            operation=Operation.READ_PAPER,
            asker=asker_of(actor),
            action=Action.PAPER_READ,
            object_kind="paper",
            object_id=paper.id,
            standing=partial(paper_standing, paper.id),
        )
    except ConsentRefused as refusal:
        append_durable(replace(draft, outcome=Outcome.REFUSED, reason=refusal.reason))
        raise
    receipt = append_durable(
        replace(draft, consent_tag=permit.consent_tag, permit_id=permit.permit_id)
    )
    unit = paper_unit(subject_id, purpose_id)
    plain = unseal(
        permit, receipt, paper.data_key_id, unit, paper_row(paper.id), bytes(paper.sealed)
    )
    return Scan(paper.media_type, plain.reveal())


def own_scans(actor: Actor, subject: DataSubject, purpose: Purpose) -> Iterator[tuple[str, bytes]]:
    """What a person signed, for their archive: (name, content), or why it stays closed."""
    papers = PaperConsent.objects.select_related("event").filter(
        subject=subject, event__purpose=purpose
    )
    for paper in papers.order_by("event__sequence"):
        name = f"consent/signed-{paper.event.sequence}"
        try:
            scan = open_scan(actor, paper, ReasonCode.OWN_ACCESS)
        except (ConsentRefused, PaperGone, KeyDestroyed) as error:
            yield f"{name}.txt", f"{error}\n".encode()
        else:
            yield f"{name}.{SUFFIXES[scan.media_type]}", scan.content


def as_file(scan: Scan) -> HttpResponse:
    """The scan as a file to keep; its name says nothing about anybody."""
    response = as_attached(
        scan.content, scan.media_type, f"signed-consent.{SUFFIXES[scan.media_type]}"
    )
    response["Cache-Control"] = "no-store"
    return response
