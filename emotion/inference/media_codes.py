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

    @property
    def explanation(self) -> str:
        """One plain sentence: what is taken instead."""
        return EXPLANATIONS[self]


EXPLANATIONS = {
    MediaCode.EMPTY: "The file is empty.",
    MediaCode.TYPE_NOT_SUPPORTED: "The file is not a JPEG, PNG or WebP photograph.",
    MediaCode.TRUNCATED: "The photograph is cut off; send the whole file.",
    MediaCode.TOO_LARGE: "The file is larger than photographs may be.",
    MediaCode.TOO_MANY_PIXELS: "The picture is wider, higher or larger than photographs may be.",
    MediaCode.TOO_SMALL: "The picture has too few pixels to show a face.",
    MediaCode.ANIMATED: "The file holds several pictures; send one still photograph.",
    MediaCode.COLOUR_NOT_SUPPORTED: "Only grey or RGB photographs with 8 bits a channel are read.",
    MediaCode.TRAILING_DATA: "Something else is attached behind the photograph, such as a film.",
    MediaCode.UNREADABLE: "The file cannot be read as a photograph.",
    MediaCode.TIMEOUT: "Reading the photograph took too long.",
}


class MediaRefused(Exception):
    """These bytes are not a photograph that is taken; ``code`` says why, the message what was expected."""

    def __init__(self, code: MediaCode, message: str = "") -> None:
        self.code = code
        super().__init__(message or code.explanation)


@dataclass(frozen=True)
class PhotoFacts:
    """media_type: by the bytes, never as declared. width, height: pixels."""

    media_type: str
    width: int
    height: int
