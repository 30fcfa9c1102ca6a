"""Looking at a photograph: opened for one answer, decoded apart, and drawn anew.

Only what is kept is shown, and that was drawn anew before it was sealed: no place, camera or comment that
came in a file is in it. What a browser gets is a new JPEG of the pixels, smaller than the sealed file.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.actors import Actor
from emotion.errors import Gone, NotFound
from emotion.inference.media import MediaRefused, decode_photo, encode_jpeg
from emotion.models import Recording
from emotion.results import find_recording, read_media


@dataclass(frozen=True)
class OpenPhotograph:
    """A photograph in plain, for one answer; ``entry_id`` is the log entry that allowed it."""

    recording: Recording
    jpeg: bytes
    entry_id: UUID

    def __repr__(self) -> str:
        return f"OpenPhotograph({self.recording.id}, sealed)"

    def data_uri(self) -> str:
        """The picture inside the page itself, so that one entry stands for one look."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode()


def open_photograph(actor: Actor, recording_id: UUID, stated: str = "") -> OpenPhotograph:
    """Open a photograph; at most about 1600 pixels wide or high. Raises what ``read_media`` raises."""
    if find_recording(actor, recording_id).is_film:
        raise NotFound(_("There is no such photograph."))
    with read_media(actor, recording_id, stated) as media:
        data = media.blob.read()
    try:
        jpeg = encode_jpeg(decode_photo(data))
    except MediaRefused:
        raise Gone(_("The photograph cannot be read any more.")) from None
    media.permit.recheck()  # decoding was a wait
    return OpenPhotograph(media.recording, jpeg, media.entry_id)
