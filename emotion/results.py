"""The walk out: look-up limited to what is yours, gate, entry committed, gate again, key, plain.

Results, media and identity are three classes of reading; each read is one entry per data subject. A
subject's own reads need no reason, everybody else's do.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import RawIOBase
from typing import Any
from uuid import UUID

from django.db.models import Q, UUIDField
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import Role, Scope
from accounts.permissions import ROLE_PERMISSIONS
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.log import DurableReceipt, append_durable
from audit_log.prepared import Given, Prepared, Whole
from consent.enforcement import ConsentPermit, asker_of, current_state, require_consent
from consent.errors import ConsentRefused
from consent.models import DataCategory
from consent.records import acting_name
from consent.rules import Operation
from emotion.entries import about_recording
from emotion.errors import Gone, NoResult, NotFound, NotReady, ReasonRequired
from emotion.inference.film_results import looking_away
from emotion.inference.series import SUMMARY, Series, joined
from emotion.models import (
    UNDER_WAY,
    Analysis,
    AnalysisState,
    MediaState,
    Recording,
    Result,
    media_may_stay,
    recording_standing,
)
from emotion.saving import sealed_part
from emotion.sealed_media import blob_path, media_row, media_unit
from emotion.sealed_series import from_parquet
from vault.parts import unseal_parts
from vault.store import open_blob
from vault.tags import tagger

STATED_REASONS = (
    ReasonCode.STUDY_ANALYSIS,
    ReasonCode.QUALITY_CHECK,
    ReasonCode.SUBJECT_REQUEST,
    ReasonCode.INCIDENT_INVESTIGATION,
)


@dataclass(frozen=True)
class OpenResult:
    """A result in plain, for one answer; ``entry_id`` is the log entry that allowed it.

    ``series``: of a film, the tables of the categories that were asked for, and "summary".
    ``permit``: to be asked again after every wait.
    """

    analysis: Analysis
    parts: dict[str, dict[str, Any]]
    series: Series
    permit: ConsentPermit
    entry_id: UUID

    def __repr__(self) -> str:
        return f"OpenResult({self.analysis.id}, sealed)"


def may_read_result(actor: Actor) -> bool:
    """Whether this kind of actor reads results at all; which ones, the look-up decides."""
    if actor.kind == "subject":
        return "emotion.read_own_result" in ROLE_PERMISSIONS[Role.SUBJECT]
    if actor.kind == "client":
        return Scope.RESULTS_READ in actor.scopes
    return actor.role is not None and "emotion.read_result" in ROLE_PERMISSIONS[actor.role]


def may_read_media(actor: Actor) -> bool:
    """Whether this kind of actor looks at photographs at all; no API client does."""
    if actor.kind == "subject":
        return "emotion.view_own_recordings" in ROLE_PERMISSIONS[Role.SUBJECT]
    return actor.role is not None and "emotion.read_media" in ROLE_PERMISSIONS[actor.role]


def parse_reason(actor: Actor, stated: str) -> ReasonCode:
    """The stated reason as a code of the closed list; the subject's own access needs none.

    A refusal says what was expected, never what came: free text could name the person.
    """
    if actor.kind == "subject":
        return ReasonCode.OWN_ACCESS
    for reason in STATED_REASONS:
        if stated == reason.value:
            return reason
    known = ", ".join(reason.value for reason in STATED_REASONS)
    came = "something else" if stated else "nothing"
    raise ReasonRequired(f"State why you read this: one of {known}; {came} came.")


ANALYSIS_OF_A_CLIENT = Prepared(
    Whole(Analysis, "recording"),
    lambda: Analysis.objects.in_purpose(Given("purpose_id", UUIDField())).filter(
        pk=Given("id", UUIDField())
    ),
)
"""Programs ask all the time; of people, who ask rarely, Django may put each look-up together."""
READINGS = Prepared(
    Whole(Result),
    lambda: Result.objects.filter(analysis_id=Given("analysis_id", UUIDField()), part=0).order_by(
        "category"
    ),
)


def find_analysis(actor: Actor, analysis_id: UUID) -> Analysis:
    """The analysis, if this actor may know of it; NotFound otherwise. A state makes no entry."""
    if actor.kind == "client":
        found = ANALYSIS_OF_A_CLIENT.first(id=analysis_id, purpose_id=actor.purpose_id)
    else:
        rows = Analysis.objects.visible_to(actor).select_related("recording")
        found = rows.filter(pk=analysis_id).first()
    if found is None:
        raise NotFound(_("There is no such analysis."))
    return found


def find_recording(actor: Actor, recording_id: UUID) -> Recording:
    """The recording, if this actor may know of it; NotFound otherwise."""
    found = (
        Recording.objects.visible_to(actor)
        .select_related("purpose")
        .filter(pk=recording_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such recording."))
    return found


def read_permit(
    actor: Actor,
    recording: Recording,
    operation: Operation,
    action: Action,
    reason: ReasonCode,
    categories: frozenset[str] = frozenset(),
) -> tuple[ConsentPermit, DurableReceipt]:
    """Ask the gate, then write the entry: (permit, receipt). A refusal is an entry too.

    ``categories``: what is to be opened, besides the recording itself.
    """
    reads_media = operation is Operation.READ_MEDIA
    try:
        permit = require_consent(
            subject_id=recording.subject_id,
            purpose_id=recording.purpose_id,
            operation=operation,
            asker=asker_of(actor),
            action=action,
            object_kind="recording",
            object_id=recording.id,
            categories=categories | {DataCategory.MEDIA},
            standing=partial(recording_standing, recording.id, media=reads_media),
        )
    except ConsentRefused as refusal:
        tags = tagger(recording.subject_id, recording.purpose_id)
        draft = about_recording(recording, action, acting_name(actor, tags), tags)
        refused = append_durable(replace(draft, outcome=Outcome.REFUSED, reason=refusal.reason))
        refusal.log_entry = refused.entry_id
        raise
    draft = about_recording(recording, action, acting_name(actor, permit.tags), permit.tags)
    return permit, append_durable(permit.signed(replace(draft, reason=reason)))


def read_result(
    actor: Actor,
    analysis_id: UUID,
    stated: str = "",
    series: Collection[str] = (),
    *,
    only: Collection[str] | None = None,
    action: Action = Action.RESULT_READ,
) -> OpenResult:
    """Open one result; with ``series``, also a film's series of these data categories, in one read.

    ``only``: nothing but these data categories and the summary. ``action``: what the entry calls it.

    Raises NotFound, ReasonRequired, Gone, NotReady, NoResult or ConsentRefused; LogUnavailable when
    the entry cannot be written, and then nothing was opened.
    """
    analysis = find_analysis(actor, analysis_id)
    recording = analysis.recording
    if not may_read_result(actor):
        raise NotFound(_("There is no such analysis."))
    reason = parse_reason(actor, stated)
    if analysis.state == AnalysisState.ERASED:
        raise Gone(_("This result was erased."))
    # Looking away is found anew in whatever of head and eyes is there: see ``film_results``.
    both = ("head-pose", "gaze") if recording.is_film else ()
    rows = readable_rows(analysis, {*series, *both}, only)
    measured = frozenset(row.category for row in rows) - {SUMMARY}
    permit, receipt = read_permit(actor, recording, Operation.READ_RESULT, action, reason, measured)
    if analysis.state in UNDER_WAY:
        raise NotReady(_("The analysis has not finished yet."))
    if not rows:
        raise NoResult(
            _("The analysis ended without a result: %(reason)s.")
            % {"reason": analysis.reason or analysis.state}
        )
    opened = unseal_parts(permit, receipt, [sealed_part(recording, row) for row in rows])
    parts: dict[str, dict[str, Any]] = {}
    stretches: dict[int, Series] = {}
    for row, plain in zip(rows, opened, strict=True):
        if row.part:
            stretches.setdefault(row.part, {})[row.category] = from_parquet(plain.reveal())[0]
        else:
            parts[row.category] = json.loads(plain.reveal())
    whole = joined([stretches[number] for number in sorted(stretches)])
    for category, away in looking_away(whole).items():
        parts[category]["figures"] |= away["figures"]
        parts[category]["events"] += away["events"]
    asked = {name: table for name, table in whole.items() if name in {SUMMARY, *series}}
    return OpenResult(analysis, parts, asked, permit, receipt.entry_id)


def readable_rows(
    analysis: Analysis, series: Collection[str], only: Collection[str] | None
) -> list[Result]:
    """The parts whose data category the consent covers now; one dropped since stays closed.

    A film's series come only as asked for, with the table that says when it could be read.
    """
    recording = analysis.recording
    state = current_state(recording.subject_id, recording.purpose_id)
    covered = {SUMMARY, *(state.categories if state else ())}
    if only is not None:
        covered &= {SUMMARY, *only}
    if series:
        wanted = Q(part=0) | Q(category__in={SUMMARY, *series})
        rows = list(analysis.results.filter(wanted).order_by("category", "part"))
    else:
        rows = READINGS.all(analysis_id=analysis.id)
    return [row for row in rows if row.category in covered]


@dataclass(frozen=True)
class OpenMedia:
    """A recording's media as an open stream; ``permit`` is asked again after every wait."""

    recording: Recording
    blob: RawIOBase
    permit: ConsentPermit
    entry_id: UUID


@contextmanager
def read_media(actor: Actor, recording_id: UUID, stated: str = "") -> Iterator[OpenMedia]:
    """Open a recording's media as a stream: the strictest of the three reads.

    Only what is kept is opened, in which nobody but the person is to be made out. Raises NotFound,
    ReasonRequired, Gone, NotReady or ConsentRefused; LogUnavailable when the entry cannot be
    written, and then nothing was opened.
    """
    recording = find_recording(actor, recording_id)
    if not may_read_media(actor):
        raise NotFound(_("There is no such recording."))
    reason = parse_reason(actor, stated)
    if recording.media_state != MediaState.STORED:
        raise Gone(_("The photograph or film was erased."))
    as_it_came = recording.covered_at is None
    waits = NotReady(_("It has not been measured yet; until then nobody sees it."))
    # What is closed besides is for the gate to refuse, with its reason.
    if as_it_came and media_may_stay(recording.id):
        raise waits
    permit, receipt = read_permit(actor, recording, Operation.READ_MEDIA, Action.MEDIA_READ, reason)
    if as_it_came:  # it was opened again between the two questions
        raise waits
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    path, row = blob_path(recording.media_key_id), media_row(recording.id)
    with open_blob(permit, receipt, recording.media_key_id, unit, row, path) as blob:
        yield OpenMedia(recording, blob, permit, receipt.entry_id)
