"""Everything about one person in one purpose, to take away: access and portability (GDPR Art. 15 and 20).

The archive is made while it is sent, one recording at a time, and stands nowhere: there is nothing to
seal and nothing that has to expire. Every result and photograph in it is a read of its own, with its own
entry, committed before the bytes are. What the gate refuses is left out, and the archive says why.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.receipts import receipt_document
from consent.errors import ConsentRefused
from consent.history import Tags, entries_to_prove, proof_files, tags_of
from consent.models import ConsentEvent, DataSubject, ErasureRequest, EventKind, Purpose
from consent.own_record import own_record
from consent.receipts import consent_receipt, erasure_receipt
from consent.records import is_own
from consent.register import of_purpose
from consent.requests import own_documents
from consent.scans import own_scans
from emotion.bundle_words import LOGIC, as_json, history, read_me
from emotion.errors import BundleInProgress, EmotionError, NotFound
from emotion.inference.series import MEASURED_IN, SUMMARY
from emotion.kept_films import pieces_of
from emotion.models import Analysis, Recording
from emotion.results import OpenResult, read_media, read_result
from emotion.sealed_series import as_csv as series_csv
from emotion.streaming import Drain, Sending
from vault.errors import KeyDestroyed

AT_ONCE = 600  # seconds after which a download that never ended no longer stands in the way
SUFFIXES = {"image/png": "png", "video/mp4": "mp4"}
"""Of what is kept: it was made here."""
# What refuses one recording and not the whole: its consent, its own end, a key that is gone.
LEFT_OUT = (ConsentRefused, EmotionError, KeyDestroyed)


File = tuple[str, bytes | Iterator[bytes]]
"""Name and content; a film comes in pieces, so that it is not in memory as a whole."""


def bundle(actor: Actor, subject: DataSubject, purpose: Purpose) -> Sending:
    """The archive as it is made, in the language of the moment.

    Raises NotFound for anybody but the person themself, and BundleInProgress for a second one at once. An
    error in the middle (log or keystore out of reach) ends the stream, so that the archive is broken and
    nobody takes it for whole.
    """
    if not is_own(actor, subject):
        raise NotFound(_("There is no such study."))
    if not cache.add(place(subject), True, AT_ONCE):
        raise BundleInProgress(_("A download of your data is being made already; wait a moment."))
    parts = stream(actor, subject, purpose, get_language() or settings.LANGUAGE_CODE)
    return Sending(parts, partial(cache.delete, place(subject)))


def place(subject: DataSubject) -> str:
    """What is taken in the cache while one archive is being made."""
    return f"bundle:{subject.id}"


def stream(
    actor: Actor, subject: DataSubject, purpose: Purpose, language: str
) -> Generator[bytes, None, None]:
    """Write file after file into the archive and hand on what is ready."""
    drain = Drain()
    with override(language), zipfile.ZipFile(drain, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(actor, subject, purpose):
            if isinstance(content, bytes):
                archive.writestr(name, content)
                yield drain.take()
                continue
            with archive.open(name, "w") as file:
                for piece in content:
                    file.write(piece)
                    yield drain.take()
    yield drain.take()


def files(actor: Actor, subject: DataSubject, purpose: Purpose) -> Iterator[File]:
    """Every file of the archive, made one after the other."""
    yield "read-me.txt", read_me(purpose).encode()
    yield "me.json", as_json(own_record(actor, subject))
    yield "purpose.json", as_json(of_purpose(purpose) | {"logic": LOGIC})
    yield "consent/events.json", as_json([of_event(each) for each in events_of(subject, purpose)])
    for event in events_of(subject, purpose).exclude(
        kind__in=[EventKind.REQUESTED, EventKind.NOTICE_SHOWN]
    ):
        yield f"consent/receipt-{event.sequence}.json", as_json(consent_receipt(event))
    yield from own_scans(actor, subject, purpose)
    mine = Recording.objects.visible_to(actor).filter(purpose=purpose)
    for key in list(mine.order_by("created_at", "id").values_list("id", flat=True)):
        yield from recording_files(actor, Recording.objects.get(pk=key))
    yield "requests.json", as_json(list(own_documents(actor, subject, purpose)))
    for erasure in ErasureRequest.objects.filter(subject=subject, purpose=purpose):
        yield f"erasures/{erasure.id}.json", as_json(erasure_receipt(erasure))
    tags = tags_here(subject, purpose)
    yield "who-looked.json", history(tags)
    for number in range(1, proof_files(tags) + 1):
        proven = receipt_document(entries_to_prove(tags, number))
        yield f"who-looked-proofs-{number}.json", as_json(proven)
    yield (
        "verify_access_log.py",
        (settings.BASE_DIR / "tools" / "verify_access_log.py").read_bytes(),
    )


def events_of(subject: DataSubject, purpose: Purpose) -> Any:
    """The history of the consent, in its order."""
    found = ConsentEvent.objects.filter(subject=subject, purpose=purpose)
    return found.select_related("purpose", "notice").order_by("sequence")


def of_event(event: ConsentEvent) -> dict[str, Any]:
    """One event of the history."""
    return {
        "event": event.kind,
        "at": event.at.isoformat(),
        "method": event.method,
        "categories": event.categories,
        "notice_sha256": event.notice_sha256 or None,
        "valid_until": event.valid_until.isoformat() if event.valid_until else None,
    }


def recording_files(actor: Actor, recording: Recording) -> Iterator[File]:
    """One recording: its facts, each analysis, and the photograph or film while it is kept."""
    folder = f"recordings/{recording.created_at:%Y-%m-%d}-{str(recording.id)[-8:]}"
    left_out: dict[str, str] = {}
    for analysis in recording.analyses.order_by("queued_at"):
        try:
            opened = read_result(actor, analysis.id, series=MEASURED_IN)
            for file in opened_files(f"{folder}/{str(analysis.id)[-8:]}", opened):
                opened.permit.recheck()  # sending the file before it was a wait
                yield file
        except LEFT_OUT as error:
            left_out[f"analysis {analysis.id}"] = str(error)
    kind = "film" if recording.is_film else "photograph"
    try:
        with read_media(actor, recording.id) as media:
            suffix = SUFFIXES.get(recording.media_type, "bin")
            pieces = pieces_of(media)
            yield f"{folder}/{kind}.{suffix}", pieces if recording.is_film else b"".join(pieces)
    except LEFT_OUT as error:
        left_out[kind] = str(error)
    yield f"{folder}/recording.json", as_json(of_recording(recording, left_out))


def opened_files(folder: str, opened: OpenResult) -> Iterator[tuple[str, bytes]]:
    """The files of one opened result: its parts, and of a film its series."""
    yield from result_files(folder, opened.parts)
    for category, table in opened.series.items():
        yield f"{folder}/series/{category}.csv", series_csv(table)


def of_recording(recording: Recording, left_out: dict[str, str]) -> dict[str, Any]:
    """A recording's facts, and what the gate or its own end left out."""
    return {
        "id": recording.id,
        "recorded_at": recording.created_at.isoformat(),
        "uploaded_by": "you" if recording.uploaded_by == "subject" else "the study's system",
        "media_type": recording.media_type,
        "width": recording.width,
        "height": recording.height,
        "bytes": recording.size,
        "retain_until": recording.retain_until.isoformat(),
        "erased_at": recording.erased_at.isoformat() if recording.erased_at else None,
        "disputed_at": recording.disputed_at.isoformat() if recording.disputed_at else None,
        "analyses": [of_analysis(each) for each in recording.analyses.order_by("queued_at")],
        "left_out": left_out,
    }


def of_analysis(analysis: Analysis) -> dict[str, Any]:
    """An analysis without what it measured."""
    return {
        "id": analysis.id,
        "state": analysis.state,
        "reason": analysis.reason or None,
        "finished_at": analysis.finished_at.isoformat() if analysis.finished_at else None,
    }


def result_files(folder: str, parts: dict[str, dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """What was measured: all of it as JSON, and each category's values as CSV."""
    yield f"{folder}/result.json", as_json(parts)
    for category, part in parts.items():
        values = part.get("values") or part.get("probabilities")
        if category != SUMMARY and isinstance(values, dict):
            yield f"{folder}/{category}.csv", as_csv(values)


def as_csv(values: dict[str, Any]) -> bytes:
    """Name and value; and the unit, where each value has its own."""
    text = io.StringIO()
    rows = csv.writer(text)
    described = {name: value for name, value in values.items() if isinstance(value, dict)}
    rows.writerow(["name", "value", "unit"] if described else ["name", "value"])
    rows.writerows(
        (name, value["value"], value["unit"]) if name in described else (name, value)
        for name, value in values.items()
    )
    return text.getvalue().encode()


def tags_here(subject: DataSubject, purpose: Purpose) -> Tags:
    """The person's tags in this purpose and in their account, under which their contact data are opened."""
    return {tag: of for tag, of in tags_of(subject).items() if of in (None, purpose)}


def find_purpose(subject: DataSubject, purpose_id: UUID) -> Purpose:
    """A purpose that has asked this person. Raises NotFound."""
    found = (
        Purpose.objects.filter(pk=purpose_id, consent_states__subject=subject)
        .prefetch_related("controllers", "notices", "assessments")
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such study."))
    return found
