"""What a pack must bring before it is taken in: its papers, its checksums, and answers that fit its word.

Each check returns problems in sentences; none is one. A pack states with which faces (``references.npz``)
each of its models gives which probabilities by the name of the class. They are run here through our own
preprocessing: labels in another order, another range of values or other channels give other numbers.
As a program (``pack_process``) it prints the problems of the folder that it is given, as JSON.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion.inference.arrays import Pixels
from emotion.inference.calibration import Wide
from emotion.inference.crops import Preprocessing, resized
from emotion.inference.expressions import ExpressionPack, Member, expression_pack
from emotion.inference.labels import LABELS
from emotion.inference.models import read_pack, verify_pack
from emotion.inference.sessions import session

PACK_TEXTS = ("pack", "version", "role", "what")
FILE_TEXTS = (
    "file", "role", "sha256", "package", "version", "licence", "input", "output", "training_data",
    "training_consent",
)  # fmt: skip
HEADINGS = ("## Made for", "## Must not be used for", "## Trained on", "## Limits")
TOLERANCE = 0.01
"""How far a probability may be off: other processors round otherwise, by far less."""
RANGES = ((1.0, 0.0), (255.0, 0.0), (127.5, -1.0))


def problems_of(folder: Path) -> list[str]:
    """Everything that keeps an expression pack out, in the order of the checks; later ones need earlier."""
    for check in (of_manifest, of_files, of_papers, of_shapes, of_references):
        try:
            found = check(folder)
        except Exception as error:  # a stranger's pack may be wrong in any way
            found = [f"{type(error).__name__}: {error}"]
        if found:
            return found
    return []


def of_manifest(folder: Path) -> list[str]:
    """Fields that are missing or of the wrong kind."""
    listed = read_pack(folder)
    found = [f"manifest.json: {name} is missing" for name in PACK_TEXTS if not text(listed, name)]
    if listed.get("role") != "expression":
        found.append("manifest.json: role: only packs for expression can be added")
    if not isinstance(listed.get("mirror"), bool):
        found.append("manifest.json: mirror: true or false was expected")
    if not listed["files"]:
        found.append("manifest.json: files: at least one model was expected")
    for entry in listed["files"]:
        found += [
            f"manifest.json: {entry.get('file', 'a file')}: {name} is missing"
            for name in FILE_TEXTS
            if not text(entry, name)
        ]
        if not entry.get("licence_files"):
            found.append(f"manifest.json: {entry.get('file', 'a file')}: licence_files is missing")
    return found


def text(holder: dict[str, Any], name: str) -> bool:
    """Whether there is a text that says something."""
    return isinstance(holder.get(name), str) and bool(holder[name].strip())


def of_files(folder: Path) -> list[str]:
    """Files without a checksum, with another one, or not listed at all."""
    listed = read_pack(folder)
    also = listed.get("also") or {}
    needed = {"card.md", "calibration.json", "references.npz"}
    needed |= {f"licences/{name}" for entry in listed["files"] for name in entry["licence_files"]}
    missing = [f"manifest.json: also: no checksum of {name}" for name in sorted(needed - set(also))]
    if missing:
        return missing
    verify_pack(folder)
    known = {"manifest.json", "evaluation.json", *also}
    known |= {entry["file"] for entry in listed["files"]}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    return [f"{name} is in no list" for name in sorted(found - known)]


def of_papers(folder: Path) -> list[str]:
    """A card without its parts, or a licence without words."""
    card = (folder / "card.md").read_text(encoding="utf-8")
    found = [f"card.md: {part[3:]} is missing" for part in HEADINGS if not said(card, part)]
    for entry in read_pack(folder)["files"]:
        for name in entry["licence_files"]:
            if len((folder / "licences" / name).read_text(encoding="utf-8")) < 200:
                found.append(f"licences/{name}: that is no licence text")
    return found


def said(card: str, heading: str) -> bool:
    """Whether there are words under a heading."""
    _before, here, after = f"\n{card}".partition(f"\n{heading}\n")
    return bool(here) and len(after.split("\n## ", 1)[0].strip()) >= 20


def of_shapes(folder: Path) -> list[str]:
    """Models that do not take what the manifest says, or give anything but seven numbers for each face."""
    found = []
    for member in expression_pack(folder).members:
        wanted = member.preprocessing
        channels = 1 if wanted.colour == "grey" else 3
        square = [wanted.size, wanted.size]
        shape = [channels, *square] if wanted.layout == "NCHW" else [*square, channels]
        model = session(member.file, folder)
        takes = [one.shape for one in model.get_inputs()]
        gives = [one.shape for one in model.get_outputs()]
        if len(takes) != 1 or not fits(takes[0], [None, *shape]):
            found.append(f"{member.file}: takes {takes}; the manifest says [n, {shape}]")
        if not gives or not fits(gives[0], [None, len(LABELS)]):
            found.append(f"{member.file}: gives {gives}; [n, {len(LABELS)}] was expected")
    return found


def fits(stated: list[Any], wanted: list[int | None]) -> bool:
    """Whether a model's shape, whose free sides have names, lets the wanted one in; n must be free."""
    if len(stated) != len(wanted) or isinstance(stated[0], int):
        return False
    return all(
        not isinstance(side, int) or side == size
        for side, size in zip(stated[1:], wanted[1:], strict=True)
    )


def of_references(folder: Path) -> list[str]:
    """Models that answer otherwise than stated, and references that would not notice a mistake."""
    pack = expression_pack(folder)
    with np.load(io.BytesIO((folder / "references.npz").read_bytes())) as file:
        images, labels = file["images"], [str(name) for name in file["labels"]]
        stated, together = file["votes"].astype(np.float64), file["probabilities"]
    if sorted(labels) != sorted(LABELS) or images.dtype != np.uint8 or images.ndim != 4:
        return [
            "references.npz: images (n, side, side, 3) uint8 and the seven labels were expected"
        ]
    order = [labels.index(label) for label in LABELS]
    stated, together = stated[..., order], together[:, order]
    if stated.shape != (len(pack.members), len(images), len(LABELS)):
        return [f"references.npz: votes: {stated.shape} does not fit the models and images"]
    found = []
    for number, member in enumerate(pack.members):
        found += of_member(pack, member, images, stated[number])
    answered = pack.calibration.probabilities(votes_of_images(pack, images))
    if not found and apart(answered, together) > TOLERANCE:
        found.append(
            "the whole pack answers otherwise than stated: look at mirror and calibration.json"
        )
    return found


def votes_of_images(pack: ExpressionPack, images: Pixels) -> Wide:
    """The pack's votes on square RGB crops (n, side, side, 3), (n, 7)."""
    return pack.votes(lambda size: resized(images, size))


def apart(one: Wide, other: NDArray[Any]) -> float:
    """The largest difference; infinite where something is no number."""
    found = np.abs(one - other)
    return float(found.max()) if np.isfinite(found).all() else float("inf")


def of_member(pack: ExpressionPack, member: Member, images: Pixels, stated: Wide) -> list[str]:
    """Whether one model answers as stated; if not which mistake fits, if so whether one would show."""

    def answers(by: Member, shown: Pixels) -> Wide:
        return pack.votes_of(by, resized(shown, by.preprocessing.size))

    mistakes = {"other channels (RGB, BGR)": answers(member, images[..., ::-1])}
    for divide, add in RANGES:
        if (divide, add) != (member.preprocessing.divide, member.preprocessing.add):
            other = replace(member.preprocessing, divide=divide, add=add)
            mistakes[range_words(other)] = answers(replace(member, preprocessing=other), images)
    right = answers(member, images)
    for one, two in itertools.combinations(range(len(LABELS)), 2):
        swapped = right.copy()
        swapped[:, [one, two]] = right[:, [two, one]]
        mistakes[f"{LABELS[one]} and {LABELS[two]} swapped"] = swapped
    difference = apart(right, stated)
    if difference > TOLERANCE:
        fitting = [name for name, votes in mistakes.items() if apart(votes, stated) <= TOLERANCE]
        hint = f"; it would fit with {fitting[0]}" if fitting else ""
        return [f"{member.file}: answers otherwise than stated, by {difference:.2f}{hint}"]
    unseen = [name for name, votes in mistakes.items() if apart(votes, stated) <= 2 * TOLERANCE]
    return [f"{member.file}: the references would not show {name}" for name in unseen]


def range_words(wanted: Preprocessing) -> str:
    """A range of values in words."""
    low, high = wanted.add, 255 / wanted.divide + wanted.add
    return f"values from {low:g} to {high:g}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(problems_of(Path(sys.argv[1]))))
