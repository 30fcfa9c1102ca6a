"""Rows and files of recordings whose keys are dead: they open never again, and go."""

from __future__ import annotations

from consent.models import DataCategory
from emotion.erasure import remove_rows
from emotion.models import MediaState, Recording
from emotion.sealed_media import media_keys, remove_all_media
from vault.keyring import destroy_data_keys, living_keys


def remove_dead() -> int:
    """Remove the rows and files whose keys are dead; returns of how many recordings."""
    number = 0
    for recording in Recording.objects.filter(erased_at=None):
        results = list(
            recording.analyses.exclude(results=None).values_list(
                "results__category", "results__data_key_id"
            )
        )
        stored = recording.media_state == MediaState.STORED
        wanted = {key for _, key in results} | ({recording.media_key_id} if stored else set())
        living = living_keys(wanted)
        if wanted <= living:  # also where none is wanted: a failed analysis keeps nothing
            continue
        number += 1
        if stored and recording.media_key_id not in living:
            # What was sealed after the backup has a key that lives, and no row that leads to it.
            remove_all_media(recording)
            destroy_data_keys(media_keys(recording))
            remove_rows(recording, DataCategory.MEDIA)
        if not living:
            remove_rows(recording, "")
            continue
        for category in {category for category, key in results if key not in living}:
            remove_rows(recording, category)
    return number
