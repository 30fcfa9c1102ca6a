"""Why media were not taken, in the reader's language; the pure decoder speaks English only."""

from __future__ import annotations

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from emotion.inference.media import MediaCode, MediaRefused

MEDIA_REFUSALS: dict[MediaCode, Promise] = {
    MediaCode.EMPTY: _("The file is empty."),
    MediaCode.TYPE_NOT_SUPPORTED: _(
        "The file is neither a photograph (JPEG, PNG, WebP) nor a film (MP4, MOV, WebM, MKV)."
    ),
    MediaCode.TRUNCATED: _("The file is cut off; send all of it."),
    MediaCode.TOO_LARGE: _("The file is larger than it may be."),
    MediaCode.TOO_MANY_PIXELS: _("The picture is wider, higher or larger than it may be."),
    MediaCode.TOO_SMALL: _("The picture has too few pixels to show a face."),
    MediaCode.ANIMATED: _("The file holds several pictures; send one still photograph."),
    MediaCode.COLOUR_NOT_SUPPORTED: _(
        "Only grey or RGB photographs with 8 bits a channel are read."
    ),
    MediaCode.TRAILING_DATA: _("Something else is attached behind the photograph or film."),
    MediaCode.UNREADABLE: _("The file cannot be read."),
    MediaCode.TIMEOUT: _("Reading the file took too long."),
    MediaCode.KIND_NOT_TAKEN: _(
        "The study takes photographs or films, and this is the other; send what it asks for."
    ),
    MediaCode.FILM_CODEC_NOT_SUPPORTED: _(
        "The film's pictures are encoded in a way that is not read; H.264, H.265, VP8, VP9 and AV1 are."
    ),
    MediaCode.FILM_TOO_LONG: _("The film is longer, or has more pictures, than films may."),
    MediaCode.FILM_TOO_MANY_TRACKS: _("The film has more tracks than films may."),
    MediaCode.FILM_REFERS_ELSEWHERE: _(
        "The film's pictures lie in another file; send one that holds them."
    ),
    MediaCode.FILM_WITHOUT_PICTURES: _("The film shows no pictures."),
}


def media_code_words(code: str) -> str:
    """Why a file could not be read, by the code that is filed; nothing without one."""
    return str(MEDIA_REFUSALS[MediaCode(code)]) if code in list(MediaCode) else ""


def length_words(seconds: float) -> str:
    """The length of a film: minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return ngettext("%(number)s second", "%(number)s seconds", rest) % {"number": rest}
    return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}


def refusal_words(problem: Exception) -> str:
    """The sentence for a refused upload.

    In the installation's language the decoder's own message stays, because it names figures (how many
    pixels came, how many are taken); in any other language the sentence of its code.
    """
    if isinstance(problem, MediaRefused) and get_language() != settings.LANGUAGE_CODE:
        return str(MEDIA_REFUSALS[problem.code])
    return str(problem)
