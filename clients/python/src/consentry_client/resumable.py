"""Uploads that go on where they broke off: the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload).

Each piece goes with its checksum. After a failure the server is asked how far the upload is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from consentry_client.answers import whole
from consentry_client.asking import Id, one, path_of
from consentry_client.consents import under
from consentry_client.errors import (
    ApiError,
    ConnectionFailed,
    FileChanged,
    Gone,
    NotFound,
    UnexpectedAnswer,
)
from consentry_client.flow import Answer, Failure, Flow, Request
from consentry_client.retries import PASSING
from consentry_client.uploads import FilePart, Progress, no_progress

SPEAKS = {"tus-resumable": "1.0.0"}
CHUNK_SIZE = 8 * 1024 * 1024
"""Bytes of one request: what is lost at most when a line breaks."""
ELSEWHERE = frozenset({409, 423, 460})
"""The upload is elsewhere than we thought, somebody else sends to it, or bytes were changed on the way."""
AGAIN = ELSEWHERE | PASSING


@dataclass(frozen=True)
class Sending:
    """What is sent, in chunks of how many bytes, and who is told of the progress."""

    file: Path
    size: int
    chunk_size: int
    progress: Progress


@dataclass(frozen=True)
class Standing:
    """How far an upload is; ``recording`` once all of it is there."""

    at: str
    offset: int
    recording: UUID | None = None


def upload_resumable(
    path: Path | str,
    *,
    subject: str,
    purpose: Id,
    idempotency_key: str = "",
    markers: str = "",
    resume: str = "",
    begun: Callable[[str], object] = lambda _: None,
    progress: Progress = no_progress,
    chunk_size: int = CHUNK_SIZE,
) -> Flow[UUID]:
    """Send a file in chunks of ``chunk_size`` bytes; returns the id of its recording.

    ``begun`` is told an address: keep it, and give it as ``resume`` when your program was stopped. When the
    server does not know that upload any more it begins anew. The client's ``Retries`` count for each chunk.
    """
    file, size = Path(path), Path(path).stat().st_size
    metadata = {"subject": subject, "purpose": one(purpose)}
    metadata |= {"markers": markers} if markers else {}
    headers = under(idempotency_key) | {
        "upload-length": str(size),
        "upload-metadata": ",".join(f"{name} {encoded(text)}" for name, text in metadata.items()),
    }
    sending = Sending(file, size, chunk_size, progress)
    standing = (yield from look(resume, size)) if resume else None
    if standing is None:
        standing = yield from begin(headers, begun)
    try:
        return (yield from send_rest(sending, standing))
    except (Gone, NotFound):
        # Not finished in time, and not yet forgotten: an end makes room for one new beginning.
        yield from end(standing.at)
    return (yield from send_rest(sending, (yield from begin(headers, begun))))


def encoded(text: str) -> str:
    """A value of Upload-Metadata."""
    return base64.b64encode(text.encode()).decode()


def begin(headers: dict[str, str], begun: Callable[[str], object]) -> Flow[Standing]:
    """Begin an upload, or find the one that was begun with the same key; ``begun`` is told where it is."""
    answer: Answer = yield Request("POST", "uploads/", headers=SPEAKS | headers)
    at = path_of(answer.headers.get("location"))
    if at is None:
        raise UnexpectedAnswer("the upload has no address")
    standing = standing_in(at, answer)
    begun(at)
    return standing


def look(at: str, size: int) -> Flow[Standing | None]:
    """How far an upload is; None when the server does not know it any more."""
    try:
        answer: Answer = yield Request("HEAD", at, headers=SPEAKS)
    except (Gone, NotFound):
        return None
    if whole(answer.headers, "upload-length") != size:
        raise FileChanged("the file has another size than when its upload began")
    return standing_in(at, answer)


def end(at: str) -> Flow[None]:
    """End an upload; what does not exist is ended."""
    try:
        yield Request("DELETE", at, headers=SPEAKS)
    except ApiError:
        return


def standing_in(at: str, answer: Answer) -> Standing:
    """What an answer says about an upload."""
    made = path_of(answer.headers.get("recording-location"))
    recording = UUID(made.rstrip("/").rpartition("/")[2]) if made else None
    return Standing(at, whole(answer.headers, "upload-offset"), recording)


def send_rest(sending: Sending, standing: Standing) -> Flow[UUID]:
    """Send what is missing; raises what stands in the way for good."""
    failures = 0
    while standing.recording is None:
        before = standing.offset
        sending.progress(before, sending.size)
        try:
            standing = yield from send_chunk(sending, standing)
        except (ConnectionFailed, ApiError) as error:
            if isinstance(error, ApiError) and error.status not in AGAIN:
                raise
            failures += 1
            yield Failure(error, failures)
            found = yield from look(standing.at, sending.size)
            if found is None:
                raise
            standing = found
        if standing.offset > before:
            failures = 0
    sending.progress(sending.size, sending.size)
    return standing.recording


def send_chunk(sending: Sending, standing: Standing) -> Flow[Standing]:
    """Send the next chunk, once."""
    body = FilePart(
        sending.file,
        start=standing.offset,
        end=min(standing.offset + sending.chunk_size, sending.size),
        content_type="application/offset+octet-stream",
        progress=sending.progress,
    )
    digest = hashlib.sha256()
    for some in body.pieces():
        digest.update(some)
    headers = SPEAKS | {
        "upload-offset": str(standing.offset),
        "upload-checksum": f"sha256 {base64.b64encode(digest.digest()).decode()}",
    }
    request = Request("PATCH", standing.at, headers=headers, body=body, safe_to_repeat=False)
    answer: Answer = yield request
    return standing_in(standing.at, answer)
