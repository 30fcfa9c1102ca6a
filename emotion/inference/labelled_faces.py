"""Labelled faces to evaluate a pack on: an npz of crops, or a folder of photographs.

npz: ``images`` (n, side, side) or (n, side, side, 3) uint8, tight square crops; ``labels`` (n,), names or
numbers into ``label_names``; any ``group_QUESTION`` (n,), what people said about themselves; perhaps
``person`` (n,), who is on each, by any name.
Folder: one folder for each class with photographs in it, read by the whole pipeline; ``groups.csv`` with a
column ``file`` ("happy/1.jpg"), perhaps ``person``, and one for each question. "" is nothing said.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion.inference.arrays import Pixels
from emotion.inference.calibration import Wide
from emotion.inference.crops import resized, tight_crop
from emotion.inference.expressions import ExpressionPack
from emotion.inference.faces import find_faces
from emotion.inference.labels import LABELS
from emotion.inference.landmarks import find_landmarks
from emotion.inference.media import MediaRefused, decode_photo
from emotion.inference.quality import measure_quality, verdict

BATCH = 8
"""Faces at once: the engine keeps the memory of its largest batch, 20 MB for each face."""
GROUP = "group_"
PERSON = "person"
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


class UnusableData(Exception):
    """The labelled data are not in the form that is read here; the text says what was expected."""


@dataclass(frozen=True)
class LabelledFaces:
    """Truth (n,), votes (n, 7), what people said about themselves, and the pictures that were not read.

    people: who is on each, (n,), if that is known.
    """

    truth: NDArray[np.int64]
    votes: Wide
    groups: dict[str, NDArray[np.str_]]
    sha256: str
    not_read: dict[str, int] = field(default_factory=dict)
    people: NDArray[np.str_] | None = None


def read_labelled(pack: ExpressionPack, path: Path) -> LabelledFaces:
    """The pack's votes on labelled data. Raises UnusableData."""
    return of_folder(pack, path) if path.is_dir() else of_npz(pack, path)


def of_npz(pack: ExpressionPack, path: Path) -> LabelledFaces:
    """The same of crops."""
    try:
        body = path.read_bytes()
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
        images, labels = data["images"], data["labels"]
    except (OSError, ValueError, KeyError) as error:
        raise UnusableData(f"{path.name}: {type(error).__name__}: {error}") from error
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=3)
    if images.dtype != np.uint8 or images.shape[1:] != (images.shape[1], images.shape[1], 3):
        raise UnusableData(
            f"images: expected square uint8 crops, got {images.shape} {images.dtype}"
        )
    if labels.dtype.kind != "U":
        labels = named(labels, data.get("label_names"))
    groups = {
        name.removeprefix(GROUP): values.astype(str)
        for name, values in data.items()
        if name.startswith(GROUP)
    }
    people = data[PERSON].astype(str) if PERSON in data else None
    counts = {len(labels), *map(len, groups.values()), *(() if people is None else (len(people),))}
    if {len(images)} != counts or not len(images):
        raise UnusableData(
            "images, labels, groups and person: the same number of each was expected"
        )
    votes = np.concatenate(
        [
            pack.votes(crops_of(images[start : start + BATCH]))
            for start in range(0, len(images), BATCH)
        ]
    )
    return LabelledFaces(
        numbers_of(labels),
        votes,
        groups,
        hashlib.sha256(body).hexdigest(),
        people=None if people is None else all_named(people),
    )


def crops_of(images: Pixels) -> Callable[[int], NDArray[np.float32]]:
    """The crops at any size."""
    return lambda size: resized(images, size)


def named(labels: NDArray[np.int64], names: NDArray[np.str_] | None) -> NDArray[np.str_]:
    """Numbers as names; without ``label_names`` nobody can say what they mean."""
    if names is None:
        raise UnusableData("labels are numbers: label_names was expected, the name of each")
    if labels.min() < 0 or labels.max() >= len(names):
        raise UnusableData(f"labels: 0 to {len(names) - 1} was expected")
    return np.array([str(names[number]) for number in labels])


def all_named(people: NDArray[np.str_]) -> NDArray[np.str_]:
    """Who is on each face: all of them, or nobody can say which are of one person."""
    if (people == "").any():
        raise UnusableData("person: a name or number for each face was expected")
    return people


def numbers_of(labels: NDArray[np.str_]) -> NDArray[np.int64]:
    """Names as places in LABELS."""
    unknown = sorted(set(labels.tolist()) - set(LABELS))
    if unknown:
        raise UnusableData(f"labels: expected {', '.join(LABELS)}; got {', '.join(unknown)}")
    return np.array([LABELS.index(str(label)) for label in labels], dtype=np.int64)


def of_folder(pack: ExpressionPack, path: Path) -> LabelledFaces:
    """The same of photographs, each found, judged and cropped as an upload is."""
    files = sorted(
        file for file in path.glob("*/*") if file.suffix.lower() in PICTURES and file.is_file()
    )
    if not files:
        raise UnusableData(f"{path.name}: expected photographs in folders named after their class")
    numbers_of(np.array(sorted({file.parent.name for file in files})))
    answers = answers_of(path)
    digest, not_read = hashlib.sha256(), Counter[str]()
    votes, read = [], []
    for file in files:
        body = file.read_bytes()
        digest.update(f"{file.relative_to(path)}\n".encode() + hashlib.sha256(body).digest())
        found = votes_on(pack, body)
        if isinstance(found, str):
            not_read[found] += 1
        else:
            votes.append(found)
            read.append(file)
    if not read:
        raise UnusableData(f"{path.name}: none of {len(files)} photographs could be read")
    groups = {
        question: np.array([given.get(str(file.relative_to(path)), "") for file in read])
        for question, given in answers.items()
    }
    people = groups.pop(PERSON, None)
    return LabelledFaces(
        numbers_of(np.array([file.parent.name for file in read])),
        np.concatenate(votes),
        groups,
        digest.hexdigest(),
        dict(not_read),
        None if people is None else all_named(people),
    )


def votes_on(pack: ExpressionPack, body: bytes) -> Wide | str:
    """The pack's votes on a photograph, (1, 7), or the status that says why there are none."""
    try:
        pixels = decode_photo(body)
    except MediaRefused as refused:
        return str(refused.code)
    faces = find_faces(pixels)
    if len(faces) != 1:
        return "several-faces" if faces else "no-face"
    landmarks = find_landmarks(pixels, faces[0])
    status = verdict(measure_quality(pixels, faces[0], landmarks))
    if landmarks is None or status != "read":
        return "no-face" if status == "read" else status
    return pack.votes(lambda size: tight_crop(pixels, landmarks, size)[None])


def answers_of(path: Path) -> dict[str, dict[str, str]]:
    """What ``groups.csv`` says: for each question the answer of each file."""
    listed = path / "groups.csv"
    if not listed.exists():
        return {}
    with listed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "file" not in rows[0]:
        raise UnusableData("groups.csv: a column file was expected")
    questions = [name for name in rows[0] if name != "file"]
    return {
        question: {row["file"]: (row[question] or "").strip() for row in rows}
        for question in questions
    }
