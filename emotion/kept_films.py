"""Looking at a film that is kept: opened for one answer and sent as it is, because it was made here.

What is kept was drawn and encoded anew before it was sealed: the person's head on one colour, no sound, and
nothing else that came in the file. The gate is asked again before each piece leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.actors import Actor
from emotion.errors import NotFound
from emotion.models import Recording
from emotion.results import OpenMedia, find_recording, read_media
from emotion.streaming import begun

PIECE = 256 * 1024
"""Bytes between two questions to the gate: a second or more of film."""


@dataclass(frozen=True)
class OpenFilm:
    """A film in plain, for one answer; ``entry_id`` is the log entry that allowed it."""

    recording: Recording
    pieces: Iterator[bytes]
    entry_id: UUID

    def __repr__(self) -> str:
        return f"OpenFilm({self.recording.id}, sealed)"


def open_kept_film(actor: Actor, recording_id: UUID, stated: str = "") -> OpenFilm:
    """Open a film that is kept. Raises what ``read_media`` raises, and NotFound for a photograph.

    ``pieces`` raises ConsentRefused when the film may not be seen any more while it is sent.
    """
    if not find_recording(actor, recording_id).is_film:
        raise NotFound(_("There is no such film."))
    with ExitStack() as opened:
        media = opened.enter_context(read_media(actor, recording_id, stated))
        pieces = begun(closing(media, opened.pop_all()))
        return OpenFilm(media.recording, pieces, media.entry_id)


def closing(media: OpenMedia, opened: ExitStack) -> Iterator[bytes]:
    """An empty piece, then the film; closes it at the end, also when nobody listens any more."""
    with opened:
        yield b""
        yield from pieces_of(media)


def pieces_of(media: OpenMedia) -> Iterator[bytes]:
    """What was opened, piece by piece. Raises ConsentRefused from when it may not be seen any more."""
    while piece := media.blob.read(PIECE):
        media.permit.recheck()
        yield piece
