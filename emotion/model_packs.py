"""The installed models as the technical file shows them: read from the disk and checked, each time.

What was measured of a pack stands in ``measurements.json`` beside the packs, each figure with its data,
who measured it and where it is written down; what is not there was not measured, and that is said in
words.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from emotion.active_pack import ROLE, chosen, installed
from emotion.inference import models
from emotion.inference.models import FOLDER, ModelIntegrityError
from emotion.inference.pack_reports import reports_of

NOT_MEASURED = "not measured"
INTENDED = {
    "faces": "Finds one face and places points on it, so that the others have something to measure.",
    "expression": "Says which of seven words for an apparent expression fit a photographed face, or that "
    "none can be told. It tells what a face shows, not what anybody feels.",
    "blendshapes": "Says how far each of 52 facial movements goes in a photographed face.",
    "body": "Finds 17 points of one body, to say how much somebody moves.",
}
NEVER = (
    "To recognise who somebody is; to tell age, gender, origin or any other trait; to tell what somebody "
    "feels, thinks or intends; to decide anything about a person; on anybody who has not consented."
)


@cache
def measurements(folder: Path = FOLDER) -> dict[str, Any]:
    """``measurements.json``: ``figures`` and ``not_measured``. Raises ModelIntegrityError."""
    try:
        found: dict[str, Any] = json.loads((folder / "measurements.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelIntegrityError(f"measurements.json: {type(error).__name__}") from error
    return found


def packs(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Every pack of the product. Raises ModelIntegrityError without their manifests."""
    figures = measurements(folder)["figures"]
    return [pack(listed, folder / name, figures) for name, listed in models.packs(folder).items()]


def packs_beside() -> list[dict[str, Any]]:
    """Every pack that this installation took in and that can be read."""
    found = []
    for home in installed():
        if home.parent != FOLDER:
            try:
                found.append(pack(models.read_pack(home), home, figures_of(home)))
            except (ModelIntegrityError, KeyError, TypeError):
                continue  # the public page and `manage.py models list` name it with what is wrong
    return found


def pack(listed: dict[str, Any], home: Path, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """One pack from its manifest, its folder, and the figures among which its own are."""
    entries: list[dict[str, Any]] = listed["files"]
    return {
        "name": listed["pack"],
        "version": listed["version"],
        "what": listed["what"],
        "in_use": listed["role"] != ROLE or listed["pack"] == chosen(),
        "packages": list(dict.fromkeys(origin(entry) for entry in entries)),
        "licence": several(entries, "licence"),
        "licence_files": sorted({name for entry in entries for name in entry["licence_files"]}),
        "note": several(entries, "note"),
        "training_data": several(entries, "training_data"),
        "training_consent": several(entries, "training_consent"),
        "intended_for": INTENDED.get(listed["role"], listed["what"]),
        "must_not_be_used": NEVER,
        "files": [model_file(entry, home) for entry in entries],
        "error": measured(entries, "accuracy", figures),
        "bias": measured(entries, "bias", figures),
    }


def origin(entry: dict[str, Any]) -> str:
    """Where a model file comes from."""
    registry = f"{entry['registry']}: " if entry.get("registry") else ""
    return f"{registry}{entry['package']} {entry['version']}"


def figures_of(home: Path) -> list[dict[str, Any]]:
    """The evaluations of a pack in the form of ``measurements.json``."""
    names = [entry["file"] for entry in models.read_pack(home)["files"]]
    found = []
    for report in reports_of(home):
        told = {"of": names, "data": report["data"], "by": "this installation: manage.py models"}
        told |= {"source": "evaluation.json of the pack"}
        values = [
            ["right", in_words(report["accuracy"])],
            ["each class counted alike (balanced)", in_words(report["balanced_accuracy"])],
        ]
        found.append({"kind": "accuracy", "what": "The whole pack", "values": values, **told})
        for question, groups in report["groups"].items():
            compared = [
                [name, in_words(row["accuracy"])] for name, row in groups.items() if "gap" in row
            ]
            if compared:
                what = f"How often right by {question}, as people said of themselves"
                found.append({"kind": "bias", "what": what, "values": compared, **told})
    return found


def in_words(figure: list[float]) -> str:
    """A share with its interval."""
    value, low, high = (f"{number * 100:.1f}" for number in figure)
    return f"{value} % ({low} to {high} %)"


def pack_row(folder: Path) -> dict[str, Any]:
    """One pack's folder, wherever it lies. Raises ModelIntegrityError when any file is another one."""
    models.verify_pack(folder)
    listed = models.read_pack(folder)
    entries: list[dict[str, Any]] = listed["files"]
    return {
        "name": listed["pack"],
        "version": listed["version"],
        "what": listed["what"],
        "licence": several(entries, "licence"),
        "training_data": several(entries, "training_data"),
        "training_consent": several(entries, "training_consent"),
        "sha256": models.pack_digest(folder),
    }


def card_of(folder: Path) -> list[tuple[str, list[str]]]:
    """A pack's card as (heading, paragraphs and points); only headings and points are read as such."""
    try:
        text = (folder / "card.md").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelIntegrityError(f"card.md: {type(error).__name__}") from error
    found = []
    for section in text.split("\n## ")[1:]:
        heading, _line, body = section.partition("\n")
        blocks = [block for piece in body.split("\n\n") for block in piece.split("\n- ")]
        words = [" ".join(block.replace("**", "").replace("`", "").split()) for block in blocks]
        found.append((heading.strip(), [word.removeprefix("- ") for word in words if word]))
    return found


def several(entries: list[dict[str, Any]], name: str) -> str:
    """What the entries say under a name: once if they agree, else one after the other."""
    return "; ".join(dict.fromkeys(str(entry.get(name) or "nothing said") for entry in entries))


def model_file(entry: dict[str, Any], home: Path) -> dict[str, Any]:
    """One file, hashed now. ``state``: "as listed", or what is wrong with it."""
    try:
        models.checked_bytes(home, entry["file"], entry["sha256"])
        state = "as listed"
    except ModelIntegrityError as error:
        state = str(error)
    return {
        "file": entry["file"],
        "role": entry["role"],
        "sha256": entry["sha256"],
        "state": state,
        "sources": entry.get("sources", {}),
        "input": entry["input"],
        "output": entry["output"],
    }


def measured(
    entries: list[dict[str, Any]], kind: str, figures: list[dict[str, Any]]
) -> list[dict[str, Any]] | str:
    """The figures of this kind in which one of these files had a part; "not measured" without any."""
    names = {entry["file"] for entry in entries}
    found = [each for each in figures if each["kind"] == kind and names & set(each["of"])]
    return found or NOT_MEASURED
