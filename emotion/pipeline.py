"""The steps from an upload to a sealed result with their limits, read from the code that applies them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings

from emotion.inference import fork_server, media, photo_formats
from emotion.inference.quality import THRESHOLDS
from emotion.models import MAX_TRIES

FOLDER = Path(__file__).parent / "inference"


def code_digest() -> str:
    """SHA-256 over the names and bytes of the inference code, so that two versions can be told apart."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.py")):
        found.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def limit(name: str, value: float, unit: str, beyond: str) -> dict[str, Any]:
    """One limit of a step: its value, and what happens beyond it."""
    return {"name": name, "value": value, "unit": unit, "beyond": beyond}


def quality_limits() -> list[dict[str, Any]]:
    """The thresholds beyond which the models abstain, with the reason for each."""
    from emotion.inference.readings import STATUSES  # loads the engine, as below

    return [
        limit(
            name,
            each.least if each.least > float("-inf") else each.most,
            each.unit,
            f"{'below' if each.least > float('-inf') else 'above'}: {STATUSES[each.status]} "
            f"Why there: {each.reason}",
        )
        for name, each in THRESHOLDS.items()
    ]


def steps() -> list[dict[str, Any]]:
    """Every step: what it does, in which file, and its limits."""
    # Whoever imports these loads the engine that runs the models; most pages never need it.
    from emotion.inference import covering, faces, film_reading, landmarks, places, tracking
    from emotion.inference.expressions import expression_pack

    sure = expression_pack().calibration
    return [
        step(
            "receive",
            "emotion/uploads.py",
            "The gate is asked, and what is sent goes from the request straight into a sealed file.",
            limit("largest photograph", settings.PHOTO_MAX_BYTES, "bytes", "refused"),
        ),
        step(
            "inspect and decode",
            "emotion/inference/media.py",
            "A process of its own that can open nothing turns the file into pixels; metadata are dropped.",
            limit("longest side", photo_formats.SIDE_MAX, "pixels", "refused"),
            limit("picture", photo_formats.PIXELS_MAX, "pixels", "refused"),
            limit("shortest side", photo_formats.SIDE_MIN, "pixels", "refused below"),
            limit("time", media.SECONDS, "seconds", "refused"),
            limit("processor time", photo_formats.CPU_SECONDS, "seconds", "refused"),
            limit("memory", fork_server.MEMORY, "bytes", "refused"),
        ),
        step(
            "find faces",
            "emotion/inference/faces.py",
            "The whole picture and overlapping parts of it are searched. Only a face that stands out is "
            "measured; without one nothing is, because others did not agree.",
            limit("person's face", covering.STANDS_OUT, "times any other", "nobody is read below"),
            limit("score in the whole picture", faces.SCORE_AT_LEAST, "0 to 1", "no face below"),
            limit("score in a part of it", faces.SCORE_IN_TILES, "0 to 1", "no face below"),
        ),
        step(
            "judge the picture",
            "emotion/inference/quality.py",
            "Beyond any of these limits the models abstain, and the result says why.",
            *quality_limits(),
        ),
        step(
            "place landmarks",
            "emotion/inference/landmarks.py",
            "478 points of the face.",
            limit("presence", landmarks.PRESENCE_AT_LEAST, "0 to 1", "no face below"),
        ),
        step(
            "measure",
            "emotion/inference/photos.py",
            "Only the data categories that the person said yes to: seven expressions as the mean of three "
            "models, each also on the mirrored face; 52 facial movements.",
        ),
        step(
            "read a film",
            "emotion/film_analyses.py",
            "Picture by picture, in stretches that are sealed one by one. Which face is the person's is "
            "decided by place and continuity; where that cannot be told, nobody is read.",
            limit("largest film", settings.FILM_MAX_BYTES, "bytes", "refused"),
            limit("longest film", settings.FILM_MAX_SECONDS, "seconds", "refused"),
            limit("stretch", film_reading.STRETCH, "seconds", "sealed, and the next one begins"),
            limit("another face", places.NEAR, "face widths", "this moment is not read below"),
            limit("another face", places.OVER, "face widths", "it is open who is who below"),
            limit(
                "absence", tracking.AWAY_MAX, "seconds", "whoever sits there may be somebody else"
            ),
            limit(
                "first seen again",
                tracking.LEAN,
                "face widths away",
                "it may be somebody else beyond",
            ),
        ),
        step(
            "cover",
            "emotion/keeping.py",
            "Where the purpose keeps photographs: a new picture is sealed, in which all but the person's "
            "head is a mosaic. Where it cannot be told whose head, nothing is kept.",
            limit("cells", covering.CELLS, "to a size of the face", "never finer"),
        ),
        step(
            "seal and save",
            "emotion/analyses.py",
            "Each data category under a key of its own; the gate is asked again; then the photograph is "
            "erased.",
            limit("tries", MAX_TRIES, "tries of one analysis", "it ends as failed"),
        ),
        step(
            "put into words",
            "emotion/set_words.py",
            "The expressions that fit at the coverage of the pack are named, the likeliest first.",
            limit("coverage", sure.coverage, "0 to 1", f"calibrated on {sure.data}, {sure.date}"),
            limit("expressions that fit", sure.most_in_set, "of seven", "“cannot tell” above"),
        ),
    ]


def step(name: str, code: str, does: str, *limits: dict[str, Any]) -> dict[str, Any]:
    """One step of the pipeline."""
    return {"step": name, "code": code, "does": does, "limits": list(limits)}
