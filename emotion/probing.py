"""What an upload is, found out while it comes in: a photograph is decoded, a film's structure is read.

Only what the purpose takes is taken: somebody who agreed to a photograph did not agree to a film.
"""

from __future__ import annotations

from django.conf import settings

from consent.models import MediaKind
from emotion.inference.film_formats import FilmLimits, is_film_type
from emotion.inference.films import FilmProbe
from emotion.inference.media import MediaCode, MediaRefused, PhotoProbe

TYPE_BYTES = 16


def film_limits() -> FilmLimits:
    """How large and long films may be here."""
    return FilmLimits(max_bytes=settings.FILM_MAX_BYTES, max_seconds=settings.FILM_MAX_SECONDS)


def largest(kind: MediaKind) -> int:
    """How many bytes an upload to a purpose that takes this kind may have at most."""
    most = [settings.PHOTO_MAX_BYTES] if kind.takes_photographs else []
    return max(most + ([settings.FILM_MAX_BYTES] if kind.takes_films else []))


class MediaProbe:
    """``feed`` what comes, then ``finish``, and always ``close``."""

    def __init__(self, kind: MediaKind) -> None:
        self.kind = kind
        self.held = b""
        self.probe: PhotoProbe | FilmProbe | None = None

    def feed(self, chunk: bytes) -> None:
        """The next bytes. Raises MediaRefused as soon as it is clear that they are not taken."""
        if self.probe is None:
            self.held += chunk
            if len(self.held) < TYPE_BYTES:
                return
            chunk = self.held
            self.probe = self.begin()
        self.probe.feed(chunk)

    def begin(self) -> PhotoProbe | FilmProbe:
        """The probe for what the first bytes say; what nobody knows is refused as no photograph."""
        film = is_film_type(self.held)
        taken = self.kind.takes_films if film else self.kind.takes_photographs
        if not taken:
            raise MediaRefused(MediaCode.KIND_NOT_TAKEN)
        if film:
            return FilmProbe(film_limits())
        return PhotoProbe.start(settings.PHOTO_MAX_BYTES)

    def finish(self) -> tuple[str, int | None, int | None]:
        """(media type, width, height); a film's size is known when it is first decoded."""
        if self.probe is None:  # too short to tell: let the decoder say so
            self.probe = PhotoProbe.start(settings.PHOTO_MAX_BYTES)
            self.probe.feed(self.held)
        if isinstance(self.probe, FilmProbe):
            return self.probe.finish(), None, None
        facts = self.probe.finish()
        return facts.media_type, facts.width, facts.height

    def close(self) -> None:
        """End whatever was started; safe to repeat."""
        if self.probe is not None:
            self.probe.close()
