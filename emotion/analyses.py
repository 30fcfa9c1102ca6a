"""The walk through the worker: claim, gate, log, open, decode, read, seal, gate again, save.

Photographs are read here, films in ``film_analyses``; both end in ``saving``.
"""

from __future__ import annotations

import logging
from uuid import UUID

from consent.models import DataCategory
from emotion.claims import Claim, Superseded, claim, give_back
from emotion.faults import in_a_line, is_environment
from emotion.film_analyses import analyse_film
from emotion.inference.media import decode_photo
from emotion.inference.photos import analyse_photo
from emotion.inference.readings import Part
from emotion.keeping import Picture, kept_picture
from emotion.queue import enqueue_analysis
from emotion.reading_pack import pack_of
from emotion.saving import save_results
from emotion.sealed_media import blob_path, media_row, media_unit
from emotion.stopping import is_stopping, require_time
from emotion.worker_gate import begin_reading, consented_categories
from vault.store import open_blob

log = logging.getLogger(__name__)


def run_analysis(analysis_id: UUID) -> None:
    """Run one analysis to an end: done, refused or failed, each with its entry.

    A fault of the installation (database, keystore, keys, log, disk, clock) gives the row back with its
    try; the keeper sends it again until it can be done. A fault of the recording uses the try up. A worker
    that was told to stop begins nothing, and says again what waits.
    """
    if is_stopping():
        enqueue_analysis(analysis_id)
        return
    try:
        held = claim(analysis_id)
    except Exception as error:
        if not is_environment(error):
            raise
        log.warning("analysis %s waits: %s", analysis_id, in_a_line(error))
        return
    if held is not None:
        run_claimed(held)


def run_claimed(held: Claim) -> None:
    """Run an analysis that this process holds; whatever happens, the row is ended or given back."""
    try:
        if held.recording.is_film:
            analyse_film(held)
        else:
            save_results(held, *read_face(held))
    except Superseded:
        log.info("analysis %s was taken over or ended elsewhere; this attempt is discarded", held)
    except Exception as error:
        give_back(held, error)


def read_face(held: Claim) -> tuple[dict[str, Part], frozenset[str], Picture | None]:
    """Gate, log, open, decode, gate, infer, cover all but the person's head.

    The parts of the reading, the categories it covers, and what is to be kept of the photograph.
    """
    recording = held.recording
    chosen = consented_categories(recording)
    permit, receipt = begin_reading(held, chosen)
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    path, row = blob_path(recording.media_key_id), media_row(recording.id)
    with open_blob(permit, receipt, recording.media_key_id, unit, row, path) as blob:
        data = blob.read()
    pixels = decode_photo(data)
    held.renew()
    require_time()
    pack = pack_of(held, chosen)
    permit.recheck()
    parts = analyse_photo(pixels, chosen - {DataCategory.MEDIA}, pack).parts()
    return parts, chosen, kept_picture(recording, pixels)
