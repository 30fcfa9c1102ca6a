"""Many photographs in one request, each an upload of its own: its key, its gate, its seal, its answer.

The body is a sequence of groups: fields about one person, then their file. It is read as a stream; what one
item is refused for says nothing about the next, and what was taken stays when the rest never comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from multipart import MultipartError, PushMultipartParser

from consent.request_keys import LONGEST_KEY
from emotion.errors import BatchTooLong, UploadInvalid
from emotion.intake import CHUNK, boundary_of, drain, hand_on, longer, misshapen, text_of
from emotion.limits import require_room
from emotion.models import Analysis
from emotion.uploads import Receiving

Begin = Callable[[str, dict[str, str]], Receiving]
"""Given an item's idempotency key and the fields before its file, ask the gate and open the sealed blob."""
Tell = Callable[[Analysis | Exception], dict[str, Any] | None]
"""What the sender is told of one item; None for an error that nobody expected."""
GROUP = ("subject", "key", "markers")
"""The fields that belong to one item; ``purpose`` is said once, before the first file."""


@dataclass
class Item:
    """One file on its way in, or refused already."""

    receiving: Receiving | None = None
    refused: Exception | None = None


class Batch:
    """One multipart body on its way in: ``feed`` it, then ``answers`` has one answer for each file."""

    def __init__(self, key: str, begin: Begin, tell: Tell) -> None:
        self.key, self.begin, self.tell = key, begin, tell
        self.answers: list[dict[str, Any]] = []
        self.fields: dict[str, str] = {}
        self.name, self.value = "", b""
        self.item: Item | None = None
        self.is_full = False

    def start_part(self, name: str, filename: str | None) -> None:
        """A part begins: a field of the next item, or its file."""
        self.name, self.value = name, b""
        if name != "file":
            if filename is not None:
                raise UploadInvalid("Files must be sent in parts 'file'; one came in another.")
            return
        if len(self.answers) >= settings.BATCH_MAX:
            self.is_full = True
            most = f"A batch takes at most {settings.BATCH_MAX} files; send the rest in another."
            self.answer(BatchTooLong(most))
            return
        self.item = Item()
        try:
            require_room()  # the files before it have their analyses waiting already
            self.item.receiving = self.begin(self.item_key(), self.fields)
        except Exception as error:
            self.item.refused = error

    def item_key(self) -> str:
        """The item's own idempotency key, or one made of the batch's and its place."""
        own = self.fields.get("key", "")
        if len(own) > LONGEST_KEY:
            raise UploadInvalid(f"A key may have at most {LONGEST_KEY} characters; more came.")
        return own or f"{self.key}#{len(self.answers)}"

    def data(self, chunk: bytes) -> None:
        """Bytes of the current part; of what was refused already they are thrown away."""
        if self.item is None:
            self.value = longer(self.name, self.value, chunk)
        elif self.item.receiving is not None:
            try:
                self.item.receiving.write(chunk)
            except Exception as error:
                self.close()
                self.item = Item(refused=error)

    def end_part(self) -> None:
        """A part is complete: keep a field, or finish a file and begin the next group."""
        if self.item is None:
            self.fields[self.name] = text_of(self.value)
            return
        outcome: Analysis | Exception | None = self.item.refused
        if self.item.receiving is not None:
            try:
                outcome = self.item.receiving.finish()
            except Exception as error:
                outcome = error
        self.close()
        self.fields = {name: each for name, each in self.fields.items() if name not in GROUP}
        if outcome is not None:
            self.answer(outcome)

    def answer(self, outcome: Analysis | Exception) -> None:
        """Note what the sender is told of the item; an error that nobody expected ends the request."""
        told = self.tell(outcome)
        if told is None and isinstance(outcome, Exception):
            raise outcome
        self.answers.append(told or {})

    def close(self) -> None:
        """The item is over: what did not become a recording leaves nothing behind."""
        item, self.item = self.item, None
        if item is not None and item.receiving is not None:
            item.receiving.close()


def receive_batch(request: HttpRequest, batch: Batch) -> list[dict[str, Any]]:
    """Read a whole batch: one answer for each file, in their order.

    Raises QueueFull before anything of it is read, and UploadInvalid for a body of the wrong shape or one
    that breaks off; what had come whole by then is taken, and is found again when the batch is sent again.
    """
    require_room()
    segments = (len(GROUP) + 1) * (settings.BATCH_MAX + 1) + 1
    try:
        parser = PushMultipartParser(boundary_of(request), max_segment_count=segments)
        while not batch.is_full and (chunk := request.read(CHUNK)):
            for event in parser.parse(chunk):
                hand_on(event, batch)
                if batch.is_full:
                    break
        parser.close(check_complete=not batch.is_full)
    except MultipartError as error:
        raise misshapen(error) from None
    finally:
        batch.close()
        drain(request)
    if not batch.answers:
        raise UploadInvalid("There is no part 'file'.")
    return batch.answers
