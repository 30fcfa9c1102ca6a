"""Which films are taken: containers, codecs, limits, and the facts of a film.

Imported by the decoding child, too: the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

SIDE_MAX = 4096
PIXELS_MAX = 4096 * 2304
SIDE_MIN = 32
# The longer side of what is handed on: enough for faces from 7 % of it, as with photographs.
FILM_SIDE = 1280
# Processor time of the child. The parent raises the first limit as the film goes on; nobody the second.
CPU_SECONDS_AT_FIRST = 30
CPU_SECONDS_MAX = 12 * 3600
# Phones write picture, sound and some ten tracks of measurements.
TRACKS_MAX = 32
EBML = b"\x1a\x45\xdf\xa3"
# Files of the same family as MP4 that hold a still picture or only sound.
NO_FILM_BRANDS = frozenset(
    name.ljust(4).encode()
    for name in (
        *("heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "mif2", "miaf"),
        *("msf1", "avif", "avis", "crx", "jp2", "jpx", "M4A", "M4B", "M4P", "F4A", "F4B"),
    )
)
# The first box of films that QuickTime wrote before there was ``ftyp``.
OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
CODECS = ("h264", "hevc", "vp8", "vp9", "av1")
MP4, MOV, WEBM, MKV = "video/mp4", "video/quicktime", "video/webm", "video/matroska"
TYPES = (MP4, MOV, WEBM, MKV)


@dataclass(frozen=True)
class FilmLimits:
    """max_bytes: of the file. max_seconds: from the first picture to the last. max_frames: as stored."""

    max_bytes: int = 4 * 1024**3
    max_seconds: float = 2 * 3600.0
    max_frames: int = 1_000_000


@dataclass(frozen=True)
class FilmFacts:
    """A film by its own bytes.

    media_type: one of TYPES. codec: one of CODECS. width, height: pixels as shown, turned and with square
    pixels, before reduction to the working size. duration: seconds as announced, None where nothing is (a
    live recording). frames_per_second: as announced, None where pictures come irregularly or unannounced.
    """

    media_type: str
    codec: str
    width: int
    height: int
    duration: float | None
    frames_per_second: float | None


def is_film_type(start: bytes) -> bool:
    """Whether the first 12 bytes or more are those of an MP4, MOV, WebM or MKV."""
    if start.startswith(EBML):
        return True
    if start[4:8] == b"ftyp":
        return start[8:12] not in NO_FILM_BRANDS
    return start[4:8] in OLD_QUICKTIME
