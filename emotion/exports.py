"""Exports: many results in one archive, for the API client that asked, while the request lives.

What is kept of an export is what was asked for, never what was measured. The archive is made while it is
sent: each result in it passes the gate then, and is a read of its own with its own entry, committed before
its bytes leave. So there is nothing to seal and nothing to erase: who has withdrawn since the export was
asked for is simply not in it.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.actors import Actor
from accounts.live_clients import require_live
from accounts.models import Scope
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.models import SubjectReference
from emotion.bundles import LEFT_OUT
from emotion.errors import ExportInProgress, ExportTooLarge, NotFound
from emotion.inference.series import document
from emotion.models import Analysis, AnalysisState, Export, ExportFormat
from emotion.result_rows import rows_of, table_as_csv, table_as_parquet
from emotion.results import OpenResult, read_result
from emotion.sealed_series import as_csv, written
from emotion.streaming import Drain, Sending

MOST = 10_000
"""Analyses in one archive at most: its list of contents is kept in memory until the end."""
AT_ONCE = 600
"""Seconds after which a download whose process died no longer stands in the way of the next."""
PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be exported.

    Fields:
        subjects: opaque ids; None for everybody. created_after, created_before: when it was recorded.
        categories: what was measured besides the summary.
    """

    reason: ReasonCode
    format: ExportFormat
    categories: list[str]
    subjects: list[UUID] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def client_of(actor: Actor) -> tuple[UUID, UUID]:
    """The ids of an API client and of its purpose. Raises NotFound for whoever is none."""
    if actor.kind != "client" or actor.id is None or actor.purpose_id is None:
        raise NotFound("Exports are for API clients.")
    return actor.id, actor.purpose_id


def are_people_of(actor: Actor, subjects: list[UUID]) -> bool:
    """Whether all of these opaque ids belong to people of the client's purpose."""
    _client_id, purpose_id = client_of(actor)
    known = SubjectReference.objects.filter(purpose_id=purpose_id, pk__in=subjects)
    return known.count() == len(set(subjects))


def request_export(actor: Actor, wanted: Wanted) -> Export:
    """File what is wanted, with its entry. Raises ExportTooLarge."""
    client_id, purpose_id = client_of(actor)
    now = timezone.now()
    made = Export(
        client_id=client_id,
        purpose_id=purpose_id,
        reason=wanted.reason,
        format=wanted.format,
        categories=sorted(wanted.categories),
        subjects=None if wanted.subjects is None else sorted(map(str, wanted.subjects)),
        created_after=wanted.created_after,
        created_before=wanted.created_before,
        created_at=now,
        expires_at=now + timedelta(hours=settings.EXPORT_HOURS),
    )
    made.analyses = analyses_of(made).count()
    if made.analyses > MOST:
        raise ExportTooLarge(
            f"An export holds at most {MOST} analyses, and {made.analyses} fit; ask for fewer people or a "
            "shorter time."
        )
    with transaction.atomic():
        made.save(force_insert=True)
        append(
            Draft(
                action=Action.EXPORT_REQUEST,
                actor=actor.log_name(),
                reason=wanted.reason,
                purpose_id=made.purpose_id,
            )
        )
    return made


def own_exports(actor: Actor) -> QuerySet[Export]:
    """What this client has asked for and is not over."""
    client_id, purpose_id = client_of(actor)
    return Export.objects.filter(
        client_id=client_id, purpose_id=purpose_id, expires_at__gt=timezone.now()
    )


def find_export(actor: Actor, export_id: UUID) -> Export:
    """An export that is this client's own. Raises NotFound, also when it is over."""
    found = own_exports(actor).filter(pk=export_id).first()
    if found is None:
        raise NotFound("There is no such export, or it is over.")
    return found


def analyses_of(export: Export) -> QuerySet[Analysis]:
    """The analyses that it is about: those that were done when it was asked for, oldest first."""
    rows = Analysis.objects.filter(
        recording__purpose_id=export.purpose_id,
        state=AnalysisState.DONE,
        finished_at__lte=export.created_at,
    )
    if export.subjects is not None:
        asked = SubjectReference.objects.filter(
            purpose_id=export.purpose_id, pk__in=export.subjects
        )
        rows = rows.filter(recording__subject__in=asked.values("subject"))
    if export.created_after is not None:
        rows = rows.filter(recording__created_at__gt=export.created_after)
    if export.created_before is not None:
        rows = rows.filter(recording__created_at__lt=export.created_before)
    return rows.order_by("id")


def forget_exports() -> int:
    """Remove the requests that are over. Keeper only."""
    gone, _each = Export.objects.filter(expires_at__lte=timezone.now()).delete()
    return gone


def archive(actor: Actor, export: Export) -> Sending:
    """The archive as it is made. Raises ExportInProgress for a second one of this client at once.

    An error in the middle (log or keystore out of reach) ends the stream, so that the archive is broken
    and nobody takes it for whole.
    """
    if not cache.add(place_of(export), True, AT_ONCE):
        raise ExportInProgress("An export of yours is being sent already; wait until it has ended.")
    return Sending(stream(actor, export), partial(cache.delete, place_of(export)))


def place_of(export: Export) -> str:
    """What is taken in the cache while one archive of a client is being sent."""
    return f"export:{export.client_id}"


@dataclass
class Sent:
    """What went out so far, and why the rest did not."""

    included: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    index: list[tuple[str, ...]] = field(default_factory=list)


def stream(actor: Actor, export: Export) -> Generator[bytes, None, None]:
    """Write file after file into the archive and hand on what is ready."""
    drain, sent = Drain(), Sent()
    with zipfile.ZipFile(drain, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files(actor, export, sent):
            made.writestr(name, content)
            yield drain.take()
        made.writestr("index.csv", index_of(sent))
    yield drain.take()
    Export.objects.filter(pk=export.pk).update(
        sent_at=timezone.now(), included=sent.included, refused=dict(sent.refused)
    )


def files(actor: Actor, export: Export, sent: Sent) -> Iterator[tuple[str, bytes]]:
    """The files of every analysis that the gate lets out: (name, content), made one after the other.

    Client and gate are asked anew before each file, so of one analysis a part may have left: then the index
    names its folder and why the rest stayed. Raises ClientEnded for a client that was taken back.
    """
    for analysis, subject in pages(export):
        recording = analysis.recording
        about = {
            "subject": str(subject or ""),
            "recording": str(recording.id),
            "analysis": str(analysis.id),
            "recorded_at": recording.created_at.isoformat(),
        }
        require_live(actor, Scope.RESULTS_EXPORT, Scope.RESULTS_READ)
        # As the client's own folders are laid out, so that an erasure finds what of it was unpacked.
        folder = "/".join((about["subject"] or "nobody", about["recording"], about["analysis"]))
        left = ""
        try:
            opened = read_result(
                actor,
                analysis.id,
                export.reason,
                export.categories,
                only=export.categories,
                action=Action.RESULT_EXPORT,
            )
            for name, content in WRITERS[ExportFormat(export.format)](about, opened):
                may_still_leave(actor, opened)
                left = folder
                yield f"{folder}/{name}", content
        except LEFT_OUT as error:
            why = str(getattr(error, "reason", "") or error.code)
            sent.refused[why] += 1
            sent.index.append((*about.values(), left, why))
        else:
            sent.included += 1
            sent.index.append((*about.values(), folder, ""))


def may_still_leave(actor: Actor, opened: OpenResult) -> None:
    """Ask once more before a file: sending the one before it was a wait. Raises as what refused it."""
    require_live(actor, Scope.RESULTS_EXPORT, Scope.RESULTS_READ)
    opened.permit.recheck()


def pages(export: Export) -> Iterator[tuple[Analysis, UUID | None]]:
    """Each analysis with the opaque id of its person, read so many at a time: no query stays open."""
    rows, last = analyses_of(export).select_related("recording"), UUID(int=0)
    while found := list(rows.filter(id__gt=last)[:PAGE]):
        known = SubjectReference.objects.filter(
            purpose_id=export.purpose_id, subject__in={row.recording.subject_id for row in found}
        )
        ids = dict(known.values_list("subject_id", "id"))
        for analysis in found:
            yield analysis, ids.get(analysis.recording.subject_id)
        last = found[-1].id
        cache.touch(place_of(export), AT_ONCE)


Files = Iterator[tuple[str, bytes]]


def json_files(about: dict[str, str], opened: OpenResult) -> Files:
    """What the API's own answers say, each data category in a file of its own."""
    for category, part in opened.parts.items():
        told = {**about, "log_entry": opened.entry_id, "parts": {category: part}}
        yield f"{category}.json", as_json(told)
    for category in opened.series:
        yield f"series/{category}.json", as_json(document(opened.series, category))


def csv_files(about: dict[str, str], opened: OpenResult) -> Files:
    """One table of figures for each data category, and one for each series."""
    for category, part in opened.parts.items():
        yield f"{category}.csv", table_as_csv(rows_of({category: part}), about)
    for category, table in opened.series.items():
        yield f"series/{category}.csv", as_csv(table, about)


def parquet_files(about: dict[str, str], opened: OpenResult) -> Files:
    """The same tables with their types."""
    for category, part in opened.parts.items():
        yield f"{category}.parquet", table_as_parquet(rows_of({category: part}), about)
    for category, table in opened.series.items():
        yield f"series/{category}.parquet", written(table, {}, about)


WRITERS: dict[ExportFormat, Callable[[dict[str, str], OpenResult], Files]] = {
    ExportFormat.JSON: json_files,
    ExportFormat.CSV: csv_files,
    ExportFormat.PARQUET: parquet_files,
}


def as_json(content: Any) -> bytes:
    """JSON as programs read it."""
    return json.dumps(content, ensure_ascii=False, default=str).encode()


def index_of(sent: Sent) -> bytes:
    """What is in the archive, and what was left out for which reason."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("subject", "recording", "analysis", "recorded_at", "folder", "left_out"))
    table.writerows(sent.index)
    return text.getvalue().encode()
