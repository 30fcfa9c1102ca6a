"""Why a photograph was not taken, in the reader's language; the pure decoder speaks English only."""

from __future__ import annotations

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from emotion.inference.media import MediaCode, MediaRefused

MEDIA_REFUSALS: dict[MediaCode, Promise] = {
    MediaCode.EMPTY: _("The file is empty."),
    MediaCode.TYPE_NOT_SUPPORTED: _("The file is not a JPEG, PNG or WebP photograph."),
    MediaCode.TRUNCATED: _("The photograph is cut off; send the whole file."),
    MediaCode.TOO_LARGE: _("The file is larger than photographs may be."),
    MediaCode.TOO_MANY_PIXELS: _("The picture is wider, higher or larger than photographs may be."),
    MediaCode.TOO_SMALL: _("The picture has too few pixels to show a face."),
    MediaCode.ANIMATED: _("The file holds several pictures; send one still photograph."),
    MediaCode.COLOUR_NOT_SUPPORTED: _(
        "Only grey or RGB photographs with 8 bits a channel are read."
    ),
    MediaCode.TRAILING_DATA: _("Something else is attached behind the photograph, such as a film."),
    MediaCode.UNREADABLE: _("The file cannot be read as a photograph."),
    MediaCode.TIMEOUT: _("Reading the photograph took too long."),
}


def refusal_words(problem: Exception) -> str:
    """The sentence for a refused upload.

    In the installation's language the decoder's own message stays, because it names figures (how many
    pixels came, how many are taken); in any other language the sentence of its code.
    """
    if isinstance(problem, MediaRefused) and get_language() != settings.LANGUAGE_CODE:
        return str(MEDIA_REFUSALS[problem.code])
    return str(problem)
