"""What the upload page says, by what the purpose takes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from consent.models import MediaKind
from emotion.inference.film_formats import TYPES as FILM_TYPES
from emotion.inference.media import TYPES as PHOTO_TYPES


def accepted(kind: MediaKind) -> str:
    """The media types for the browser's file picker."""
    photographs = PHOTO_TYPES if kind.takes_photographs else ()
    films = (*FILM_TYPES, "video/x-matroska") if kind.takes_films else ()
    return ",".join((*photographs, *films))


def file_label(kind: MediaKind) -> str:
    """The label of the field."""
    return {
        MediaKind.PHOTOGRAPHS: pgettext("file to upload", "Photograph"),
        MediaKind.FILMS: pgettext("file to upload", "Film"),
        MediaKind.BOTH: pgettext("file to upload", "Photograph or film"),
    }[kind]


def upload_words(kind: MediaKind) -> dict[str, Any]:
    """Title, formats and the button's words."""
    send = {
        MediaKind.PHOTOGRAPHS: _("Send the photograph"),
        MediaKind.FILMS: _("Send the film"),
        MediaKind.BOTH: _("Send it"),
    }[kind]
    return {"title": kind.add_words, "send": send, "formats": formats(kind)}


def camera_words(kind: MediaKind) -> dict[str, Any]:
    """Title of the camera's pages, and what it does."""
    title, does = {
        MediaKind.PHOTOGRAPHS: (
            _("Photograph yourself"),
            _("It takes one photograph, when you press the button."),
        ),
        MediaKind.FILMS: (
            _("Film yourself"),
            _("It films from when you press the button until you press it again, without sound."),
        ),
        MediaKind.BOTH: (
            _("Photograph or film yourself"),
            _("It takes one photograph, or films until you stop it, without sound."),
        ),
    }[kind]
    return {"title": title, "does": does}


def formats(kind: MediaKind) -> list[str]:
    """Which files are taken, a line for each kind."""
    found = []
    if kind.takes_photographs:
        most = settings.PHOTO_MAX_BYTES // 1024**2
        found.append(_("Photographs: JPEG, PNG or WebP, up to %(most)s MB.") % {"most": most})
    if kind.takes_films:
        most, minutes = settings.FILM_MAX_BYTES // 1024**2, settings.FILM_MAX_SECONDS // 60
        words = ngettext(
            "Films: MP4, MOV, WebM or MKV, up to %(most)s MB and %(minutes)s minute. "
            "Their sound is not listened to.",
            "Films: MP4, MOV, WebM or MKV, up to %(most)s MB and %(minutes)s minutes. "
            "Their sound is not listened to.",
            minutes,
        )
        found.append(words % {"most": most, "minutes": minutes})
    return found
