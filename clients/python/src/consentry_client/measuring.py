"""Recordings, analyses and results."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from consentry_client.answers import read_as, read_json, retry_after
from consentry_client.asking import Id, ask, ask_page, moment, one
from consentry_client.consents import under
from consentry_client.errors import GaveUpWaiting
from consentry_client.flow import Answer, Flow, Pause, Request
from consentry_client.models import (
    AccessReason,
    Analysis,
    AnalysisState,
    BatchAnswer,
    MediaState,
    Order,
    Recording,
    Result,
)
from consentry_client.uploads import BatchFile, Progress, batch_form, form, no_progress

LONGEST_WAIT = 10
"""Seconds that the server lets anybody wait for one answer."""
SHORTEST_PAUSE = 0.5
SeriesFormat: TypeAlias = Literal["json", "csv", "parquet"]
MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


def upload(
    path: Path | str,
    *,
    subject: str,
    purpose: Id,
    idempotency_key: str = "",
    markers: str = "",
    progress: Progress = no_progress,
) -> Flow[Recording]:
    """Send a photograph or a film in one piece; for large films see ``upload_resumable``.

    A broken upload is sent again with the same idempotency key, so that there is one recording however
    often it is tried. Give a key of your own to be safe across runs of your program, too.
    """
    fields = {"subject": subject, "purpose": one(purpose)}
    fields |= {"markers": markers} if markers else {}
    body = form(Path(path), fields, progress)
    return ask(Recording, Request("POST", "recordings/", headers=under(idempotency_key), body=body))


def upload_batch(
    files: Sequence[BatchFile],
    *,
    purpose: Id,
    idempotency_key: str = "",
    progress: Progress = no_progress,
) -> Flow[BatchAnswer]:
    """Send many photographs in one request; each is answered for itself, and what was taken stays."""
    body = batch_form(files, one(purpose), progress)
    headers = under(idempotency_key)
    return ask(BatchAnswer, Request("POST", "recordings/batch/", headers=headers, body=body))


def recordings(
    page: str,
    *,
    subject: Id | None = None,
    media_state: MediaState | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    order: Order = "newest",
) -> Flow[tuple[tuple[Recording, ...], str | None]]:
    """The recordings of your purpose. ``subject`` is an opaque id."""
    filters = {
        "subject": one(subject) if subject else None,
        "media_state": media_state,
        "created_after": moment(created_after),
        "created_before": moment(created_before),
        "order": order,
    }
    return ask_page(Recording, page, "recordings/", filters)


def recording(id: Id) -> Flow[Recording]:
    """A recording's state and its analyses."""
    return ask(Recording, Request("GET", f"recordings/{one(id)}/"))


def analyse_again(id: Id, *, idempotency_key: str = "") -> Flow[Analysis]:
    """Have a kept photograph analysed once more, with the models in use now."""
    path = f"recordings/{one(id)}/analyses/"
    return ask(Analysis, Request("POST", path, headers=under(idempotency_key)))


def analyses(
    page: str,
    *,
    state: AnalysisState | None = None,
    recording: Id | None = None,
    subject: Id | None = None,
    queued_after: datetime | None = None,
    queued_before: datetime | None = None,
    finished_after: datetime | None = None,
    finished_before: datetime | None = None,
    order: Order = "newest",
) -> Flow[tuple[tuple[Analysis, ...], str | None]]:
    """The analyses of your purpose."""
    filters = {
        "state": state,
        "recording": one(recording) if recording else None,
        "subject": one(subject) if subject else None,
        "queued_after": moment(queued_after),
        "queued_before": moment(queued_before),
        "finished_after": moment(finished_after),
        "finished_before": moment(finished_before),
        "order": order,
    }
    return ask_page(Analysis, page, "analyses/", filters)


def analysis(id: Id, *, wait: int = 0) -> Flow[Analysis]:
    """An analysis; with ``wait`` the answer comes when it has ended, or after so many seconds."""
    return ask(Analysis, asking_for(id, wait))


def asking_for(id: Id, wait: int) -> Request:
    """The question how an analysis stands."""
    headers = {"prefer": f"wait={min(wait, LONGEST_WAIT)}"} if wait else {}
    return Request("GET", f"analyses/{one(id)}/", headers=headers)


def wait_for_analysis(
    id: Id, *, timeout: float = 600.0, progress: Callable[[Analysis], object] = lambda _: None
) -> Flow[Analysis]:
    """The analysis once it has ended, however it did; raises GaveUpWaiting after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while True:
        answer: Answer = yield asking_for(id, seconds_until(end))
        found = read_as(Analysis, read_json(answer))
        progress(found)
        if not found.is_under_way:
            return found
        left = end - time.monotonic()
        if left <= 0:
            raise GaveUpWaiting(f"the analysis has not ended within {timeout:g} seconds")
        yield Pause(min(left, pause_after(answer)))


def seconds_until(end: float) -> int:
    """Whole seconds that are left, and no more than one answer waits; ``end`` may be infinite."""
    return math.ceil(min(max(0.0, end - time.monotonic()), LONGEST_WAIT))


def pause_after(answer: Answer) -> float:
    """Seconds before the next question: as long as the server says, unless it let us wait by itself."""
    asked = retry_after(answer.headers) or SHORTEST_PAUSE
    waited = "preference-applied" in answer.headers
    return 0.0 if waited and asked <= LONGEST_WAIT else max(asked, SHORTEST_PAUSE)


def cancel_analysis(id: Id) -> Flow[Analysis]:
    """Stop an analysis that waits or runs, for good. Again changes nothing."""
    return ask(Analysis, Request("POST", f"analyses/{one(id)}/cancel/"))


def result(id: Id, *, reason: AccessReason) -> Flow[Result]:
    """What an analysis measured. Each reading is an entry in the access log, with your reason.

    An answer that was lost on the way is asked for again, and is another entry.
    """
    return ask(
        Result, Request("GET", f"analyses/{one(id)}/result/", headers={"access-reason": reason})
    )


def series(
    id: Id, category: str, *, reason: AccessReason, format: SeriesFormat = "json"
) -> Flow[bytes]:
    """The numbers of every moment of a film in one category, as a file. Each reading is an entry."""
    if not category.replace("-", "").isalnum() or not category.isascii():
        raise ValueError("a data category is a word such as head-pose")
    answer: Answer = yield Request(
        "GET",
        f"analyses/{one(id)}/series/{category}/",
        headers={"access-reason": reason, "accept": MEDIA_TYPES[format]},
    )
    return answer.content
