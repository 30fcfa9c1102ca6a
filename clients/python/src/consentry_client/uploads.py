"""Uploads: one body with the file at its end, or (``resumable``) piece by piece."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from consentry_client.errors import FileChanged
from consentry_client.flow import Body

PIECE = 64 * 1024
Progress = Callable[[int, int], object]
"""Called with the bytes that were sent and the bytes that there are."""


def no_progress(_sent: int, _total: int) -> None:
    """Nobody looks."""


class FilePart(Body):
    """A stretch of a file, between what comes before and after it, read as it is sent.

    Raises FileChanged while it is sent, when the file has fewer bytes than it had.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: int = 0,
        end: int | None = None,
        head: bytes = b"",
        tail: bytes = b"",
        content_type: str = Body.content_type,
        progress: Progress = no_progress,
    ) -> None:
        self.path, self.head, self.tail = path, head, tail
        self.content_type, self.progress = content_type, progress
        self.total = path.stat().st_size
        self.start, self.end = start, self.total if end is None else end

    def __len__(self) -> int:
        return len(self.head) + self.end - self.start + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        if self.head:
            yield self.head
        at = self.start
        for piece in self.pieces():
            yield piece
            at += len(piece)
            self.progress(at, self.total)
        if self.tail:
            yield self.tail

    def pieces(self) -> Iterator[bytes]:
        """The stretch of the file."""
        at = self.start
        with self.path.open("rb") as file:
            file.seek(at)
            while at < self.end:
                piece = file.read(min(PIECE, self.end - at))
                if not piece:
                    raise FileChanged("the file became shorter while it was sent")
                yield piece
                at += len(piece)


@dataclass(frozen=True)
class BatchFile:
    """One file of a batch: whom it is about, and if you like the ``Idempotency-Key`` of this file alone."""

    path: Path | str
    subject: str
    key: str = ""


class Joined(Body):
    """Several files in one body."""

    def __init__(self, parts: Sequence[FilePart], content_type: str, progress: Progress) -> None:
        self.parts, self.content_type, self.progress = parts, content_type, progress

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[bytes]:
        sent, total = 0, len(self)
        for part in self.parts:
            for piece in part:
                yield piece
                sent += len(piece)
                self.progress(sent, total)


def form(path: Path, fields: Mapping[str, str], progress: Progress = no_progress) -> FilePart:
    """A multipart body: the fields first, as the server asks, then the file under no name of its own."""
    boundary = secrets.token_hex(16)
    return FilePart(
        path,
        head=head_of(boundary, fields),
        tail=f"\r\n--{boundary}--\r\n".encode(),
        content_type=f"multipart/form-data; boundary={boundary}",
        progress=progress,
    )


def batch_form(files: Sequence[BatchFile], purpose: str, progress: Progress) -> Joined:
    """The same of many files, each after its own fields; the purpose is said once."""
    boundary = secrets.token_hex(16)
    parts = []
    for number, each in enumerate(files, 1):
        fields = {"purpose": purpose} if number == 1 else {}
        fields |= {"subject": each.subject} | ({"key": each.key} if each.key else {})
        end = f"--{boundary}--\r\n" if number == len(files) else ""
        tail = f"\r\n{end}".encode()
        parts.append(FilePart(Path(each.path), head=head_of(boundary, fields), tail=tail))
    return Joined(parts, f"multipart/form-data; boundary={boundary}", progress)


def head_of(boundary: str, fields: Mapping[str, str]) -> bytes:
    """Fields, and the beginning of a file."""
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    )
    # A file's name often names the person; the server does not need it.
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        f"Content-Type: {Body.content_type}\r\n\r\n"
    )
    return head.encode()
