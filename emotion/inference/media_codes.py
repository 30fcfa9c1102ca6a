"""Why media are refused: stable codes, each with one explanation, and the facts of what is taken.

Imported by the decoding child, too: the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MediaCode(StrEnum):
    """The closed list of refusals; the values are part of the API and never change their meaning."""

    EMPTY = "media-empty"
    TYPE_NOT_SUPPORTED = "media-type-not-supported"
    TRUNCATED = "media-truncated"
    TOO_LARGE = "media-too-large"
    TOO_MANY_PIXELS = "media-too-many-pixels"
    TOO_SMALL = "media-too-small"
    ANIMATED = "media-animated"
    COLOUR_NOT_SUPPORTED = "media-colour-not-supported"
    TRAILING_DATA = "media-trailing-data"
    UNREADABLE = "media-unreadable"
    TIMEOUT = "media-timeout"
    KIND_NOT_TAKEN = "media-kind-not-taken"
    FILM_CODEC_NOT_SUPPORTED = "film-codec-not-supported"
    FILM_TOO_LONG = "film-too-long"
    FILM_TOO_MANY_TRACKS = "film-too-many-tracks"
    FILM_REFERS_ELSEWHERE = "film-refers-elsewhere"
    FILM_WITHOUT_PICTURES = "film-without-pictures"

    @property
    def explanation(self) -> str:
        """One plain sentence: what is taken instead."""
        return EXPLANATIONS[self]


EXPLANATIONS = {
    MediaCode.EMPTY: "The file is empty.",
    MediaCode.TYPE_NOT_SUPPORTED: (
        "The file is neither a photograph (JPEG, PNG, WebP) nor a film (MP4, MOV, WebM, MKV)."
    ),
    MediaCode.TRUNCATED: "The file is cut off; send all of it.",
    MediaCode.TOO_LARGE: "The file is larger than it may be.",
    MediaCode.TOO_MANY_PIXELS: "The picture is wider, higher or larger than it may be.",
    MediaCode.TOO_SMALL: "The picture has too few pixels to show a face.",
    MediaCode.ANIMATED: "The file holds several pictures; send one still photograph.",
    MediaCode.COLOUR_NOT_SUPPORTED: "Only grey or RGB photographs with 8 bits a channel are read.",
    MediaCode.TRAILING_DATA: "Something else is attached behind the photograph or film.",
    MediaCode.UNREADABLE: "The file cannot be read.",
    MediaCode.TIMEOUT: "Reading the file took too long.",
    MediaCode.KIND_NOT_TAKEN: (
        "The study takes photographs or films, and this is the other; send what it asks for."
    ),
    MediaCode.FILM_CODEC_NOT_SUPPORTED: (
        "The film's pictures are encoded in a way that is not read; H.264, H.265, VP8, VP9 and AV1 are."
    ),
    MediaCode.FILM_TOO_LONG: "The film is longer, or has more pictures, than films may.",
    MediaCode.FILM_TOO_MANY_TRACKS: "The film has more tracks than films may.",
    MediaCode.FILM_REFERS_ELSEWHERE: "The film's pictures lie in another file; send one that holds them.",
    MediaCode.FILM_WITHOUT_PICTURES: "The film shows no pictures.",
}


class MediaRefused(Exception):
    """These bytes are no photograph or film that is taken; ``code`` says why, the message what is."""

    def __init__(self, code: MediaCode, message: str = "") -> None:
        self.code = code
        super().__init__(message or code.explanation)


class DecoderKilled(Exception):
    """A decoder was killed from outside, as where memory ran out: that says nothing of its medium."""

    code = "decoder-killed"


@dataclass(frozen=True)
class PhotoFacts:
    """media_type: by the bytes, never as declared. width, height: pixels."""

    media_type: str
    width: int
    height: int
