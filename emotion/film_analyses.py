"""The walk of a film through the worker: as a photograph's, but sealed stretch by stretch.

Each stretch is saved as results are: behind the gate, under the lock, with its entry. A worker that dies
loses the stretch it was in; the next one opens what was sealed, and goes on from there. What was measured
under a consent to other categories is thrown away and measured anew. Where the purpose keeps films, the
person's head is drawn anew from a second pass, in which nothing is measured.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit_log.actions import Action
from consent.enforcement import ConsentPermit
from consent.models import DataCategory
from consent.rules import Operation
from emotion.claims import Claim
from emotion.inference.expressions import ExpressionPack
from emotion.inference.film_covering import MEDIA_TYPE, write_covered
from emotion.inference.film_formats import FilmFacts
from emotion.inference.film_probe import Source
from emotion.inference.film_rates import followed_at
from emotion.inference.film_reading import STRETCH, Stretch, read_film
from emotion.inference.film_results import film_parts
from emotion.inference.films import Film, Frame, open_film
from emotion.inference.markers import Markers, read_markers
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.series import SUMMARY, Series, joined
from emotion.keeping import Write, is_to_be_covered
from emotion.models import Analysis, Recording, Result
from emotion.probing import film_limits
from emotion.reading_pack import pack_of
from emotion.saving import (
    Keys,
    add_rows,
    keys_of_an_attempt,
    save_results,
    sealed_part,
    sealed_row,
)
from emotion.sealed_media import blob_path, markers_row, media_row, media_unit
from emotion.sealed_series import from_parquet, to_parquet
from emotion.stopping import require_time
from emotion.stretches import discard
from emotion.worker_gate import begin_reading, consented_categories, permit_for
from vault.parts import unseal_parts
from vault.store import open_blob, unseal

BEAT = 10.0
"""Seconds between two signs of life: the lease is renewed and the gate asked; the lease lasts longer."""
MEASURING = 0.4
"""The share of the work that measuring is, where the film is covered after it."""


@dataclass
class Progress:
    """What has been read and sealed so far.

    Fields:
        keys: of each category; number: of the last stretch; state: from which the next one goes on.
    """

    keys: Keys = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    number: int = 0
    state: dict[str, Any] | None = None


def analyse_film(held: Claim) -> None:
    """Gate, log, open, take up what was sealed before, read and seal stretch by stretch, sum up, save."""
    recording = held.recording
    chosen = consented_categories(recording)
    measured = chosen - {DataCategory.MEDIA}
    pack = pack_of(held, chosen)
    done = taken_up(held, chosen, pack)
    permit, receipt = begin_reading(held, chosen)
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    path, row = blob_path(recording.media_key_id), media_row(recording.id)
    rate = float(recording.purpose.sample_rate) or None
    keeps = is_to_be_covered(recording)
    with open_blob(permit, receipt, recording.media_key_id, unit, row, path) as blob:
        start = done.number * STRETCH
        source = io.BufferedReader(blob)  # a sealed file gives what is left of a chunk, no more
        with open_film(source, rate=followed_at(rate), start=start, limits=film_limits()) as film:
            note_facts(recording, film.facts)
            frames = alive(held, permit, film, (0.0, MEASURING if keeps else 1.0))
            for stretch in read_film(frames, measured, pack, rate, done.state):
                save_stretch(held, chosen, done, stretch)
        if not done.series:
            raise MediaRefused(MediaCode.FILM_WITHOUT_PICTURES)
        held.renew()
        permit.recheck()
        markers = opened_markers(held, chosen)
        whole = joined(done.series)
        marks = read_markers(markers.decode()) if markers else Markers([])
        parts = film_parts(whole, facts_of(recording), pack, marks)
        keep = CoveredFilm(held, permit, source, rate, markers) if keeps else None
        save_results(held, parts, chosen, keep, keys=done.keys)


@dataclass(frozen=True)
class CoveredFilm:
    """What a purpose that keeps films keeps of this one, made while it is sealed.

    Fields:
        source: the film as it came, open; rate: moments a second, None for every picture.
    """

    held: Claim
    permit: ConsentPermit
    source: Source
    rate: float | None
    markers: bytes
    media_type: str = MEDIA_TYPE

    def write_to(self, write: Write) -> tuple[int, int]:
        """Read the film once more and hand the covered one on. Raises CannotTell."""
        with open_film(self.source, rate=followed_at(self.rate), limits=film_limits()) as film:
            frames = alive(self.held, self.permit, film, (MEASURING, 1.0))
            size = write_covered(frames, write, self.rate)
        return size.width, size.height


def opened_markers(held: Claim, chosen: frozenset[str]) -> bytes:
    """What came with the film about what was shown when; an entry of its own where there is anything."""
    recording = held.recording
    if recording.sealed_markers is None:
        return b""
    permit, receipt = begin_reading(held, chosen)
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    place, sealed = markers_row(recording.id), bytes(recording.sealed_markers)
    opened = unseal(permit, receipt, recording.media_key_id, unit, place, sealed)
    return opened.reveal()


def taken_up(held: Claim, chosen: frozenset[str], pack: ExpressionPack) -> Progress:
    """What an earlier attempt has sealed, opened; nothing if it measured otherwise than this one would."""
    rows = list(
        Result.objects.filter(analysis_id=held.analysis_id, part__gt=0).order_by("part", "category")
    )
    wanted = {SUMMARY, *chosen} - {DataCategory.MEDIA}
    last = max((row.part for row in rows), default=0)
    if not rows or {row.category for row in rows if row.part == last} != wanted:
        with transaction.atomic():
            discard(held.analysis_id)
        return Progress()
    permit, receipt = begin_reading(held, chosen)
    opened = unseal_parts(permit, receipt, [sealed_part(held.recording, row) for row in rows])
    done = Progress(keys={row.category: row.data_key_id for row in rows}, number=last)
    parts: dict[int, Series] = {}
    for row, plain in zip(rows, opened, strict=True):
        table, state = from_parquet(plain.reveal())
        parts.setdefault(row.part, {})[row.category] = table
        done.state = state or done.state
    if done.state is None or done.state["pack"] != pack.digest:
        with transaction.atomic():
            discard(held.analysis_id)
        return Progress()
    done.series = [parts[number] for number in sorted(parts)]
    return done


def note_facts(recording: Recording, facts: FilmFacts) -> None:
    """Write down what the film says of itself, now that it was opened."""
    recording.width, recording.height = facts.width, facts.height
    recording.seconds = facts.duration
    recording.save(update_fields=["width", "height", "seconds"])


def facts_of(recording: Recording) -> dict[str, Any]:
    """What a result says of the film itself."""
    return {
        "seconds": recording.seconds,
        "width": recording.width,
        "height": recording.height,
        "media_type": recording.media_type,
        "moments_per_second": recording.purpose.sample_rate or None,
    }


def alive(
    held: Claim, permit: ConsentPermit, film: Film, share: tuple[float, float]
) -> Iterator[Frame]:
    """The film's frames; now and then the lease is renewed, the gate asked and the progress noted.

    share: from where to where this pass takes the whole of the work. Raises WorkerStopping when this worker
    was told to stop: nobody waits for the rest of a film.
    """

    def reached() -> float:
        return share[0] + (share[1] - share[0]) * film.position

    began, first, beat = time.monotonic(), reached(), time.monotonic()
    for frame in film:
        require_time()
        yield frame
        now = time.monotonic()
        if now - beat < BEAT:
            continue
        beat = now
        held.renew()
        permit.recheck()
        done = reached()
        left = (now - began) * (1 - done) / max(done - first, 1e-3)
        Analysis.objects.filter(held.row()).update(
            progress=done, expected_at=timezone.now() + timedelta(seconds=left)
        )


def save_stretch(held: Claim, chosen: frozenset[str], done: Progress, stretch: Stretch) -> None:
    """Seal one stretch of every category and save it, with its entry."""
    permit = permit_for(held, Operation.SAVE_RESULT, Action.RESULT_SAVE, chosen)
    with keys_of_an_attempt(done.keys):
        rows = [
            sealed_row(permit, held, done.keys, category, body, stretch.number)
            for category, body in to_parquet(stretch).items()
        ]
        held.renew()
        with transaction.atomic():
            # What was read is kept: a later try starts behind it, and has its tries before it.
            add_rows(held, permit, rows, held.draft(Action.RESULT_SAVE), tries=1)
    done.series.append(stretch.series)
    done.number, done.state = stretch.number, stretch.state
