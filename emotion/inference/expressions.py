"""Apparent expression in seven classes, by the models of a pack.

A pack's manifest says how each of its models wants the face (``crops.Preprocessing``) and in which order
it names the classes; its ``calibration.json`` turns the mean of the votes into probabilities and a set of
classes. Crops are tight to the face: a fifth more around it costs up to eleven points of accuracy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.calibration import Calibration, Wide
from emotion.inference.crops import Preprocessing, prepare, tight_crop
from emotion.inference.indices import ACTIVATION, VALENCE, activation_index, valence_index
from emotion.inference.labels import LABELS
from emotion.inference.landmarks import Landmarks
from emotion.inference.models import (
    BUILT_IN,
    FOLDER,
    ModelIntegrityError,
    checked_bytes,
    pack_digest,
    read_pack,
)
from emotion.inference.pictures import Picture
from emotion.inference.sessions import run

SET_TOO_LARGE = "set-too-large"
CAVEAT = (
    "Calibrated on {data}. Probabilities and coverage hold for photographs that come as those did; with "
    "another camera, other light or other people they may be wrong."
)


@dataclass(frozen=True)
class Member:
    """One model of a pack: its file, what it takes, and where in its output each of LABELS stands."""

    file: str
    preprocessing: Preprocessing
    order: tuple[int, ...]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Member:
        """As the manifest states it. Raises ValueError, KeyError or TypeError for anything else."""
        labels = entry["labels"]
        if sorted(labels) != sorted(LABELS):
            raise ValueError(f"{entry['file']}: labels: expected {', '.join(LABELS)} in any order")
        order = tuple(labels.index(label) for label in LABELS)
        return cls(entry["file"], Preprocessing.of(entry["preprocessing"]), order)


@dataclass(frozen=True)
class ExpressionPack:
    """The models of one pack that read an expression together; ``digest`` is that of its manifest."""

    folder: Path
    name: str
    version: str
    what: str
    digest: str
    members: tuple[Member, ...]
    mirror: bool
    calibration: Calibration
    files: dict[str, str]

    @property
    def title(self) -> str:
        """Name, version and the start of the digest, as results name the pack."""
        return f"{self.name} {self.version}, {self.digest[:12]}"

    @cached_property
    def source(self) -> Path | None:
        """Where its sessions come from: None for the product's own, else its folder."""
        return None if self.folder.parent == FOLDER else self.folder

    def member_votes(self, crop_at: Callable[[int], Array]) -> Wide:
        """What each model says of n faces, classes as LABELS: (models, n, 7), each row summing to 1.

        ``crop_at``: the RGB crops at a size, (n, size, size, 3), values 0 to 255.
        """
        crops = {size: crop_at(size) for size in {each.preprocessing.size for each in self.members}}
        return np.stack(
            [self.votes_of(each, crops[each.preprocessing.size]) for each in self.members]
        )

    def votes_of(self, member: Member, crops: Array) -> Wide:
        """The votes of one model, (n, 7); with their mirror images' where the pack says so."""
        both = np.concatenate([crops, crops[:, :, ::-1]]) if self.mirror else crops
        found = run(member.file, prepare(both, member.preprocessing), self.source)[0]
        votes = found.astype(np.float64)[:, member.order]
        if self.mirror:
            votes = (votes[: len(crops)] + votes[len(crops) :]) / 2
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))

    def votes(self, crop_at: Callable[[int], Array]) -> Wide:
        """The mean of the models' votes, (n, 7)."""
        return np.asarray(self.member_votes(crop_at).mean(axis=0))


@cache
def expression_pack(folder: Path = BUILT_IN) -> ExpressionPack:
    """The pack in a folder. Raises ModelIntegrityError when it is not as its manifest says."""
    listed = read_pack(folder)
    try:
        stated = checked_bytes(folder, "calibration.json", listed["also"]["calibration.json"])
        if listed["role"] != "expression":
            raise ValueError(f"role {listed['role']}")
        return ExpressionPack(
            folder=folder,
            name=listed["pack"],
            version=listed["version"],
            what=listed["what"],
            digest=pack_digest(folder),
            members=tuple(Member.of(entry) for entry in listed["files"]),
            mirror=bool(listed["mirror"]),
            calibration=Calibration.of(json.loads(stated), LABELS),
            files={
                entry["file"]: f"{entry['package']} {entry['version']}, {entry['sha256'][:12]}"
                for entry in listed["files"]
            },
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelIntegrityError(f"{folder.name}: {type(error).__name__}: {error}") from error


def find_expression(
    picture: Picture, landmarks: Landmarks, pack: ExpressionPack | None = None
) -> Array:
    """Probabilities of the seven classes (7,), summing to 1, by the pack (None: the product's own)."""
    pack = pack or expression_pack()
    votes = pack.votes(lambda size: tight_crop(picture, landmarks, size)[None])
    found: Array = pack.calibration.probabilities(votes)[0].astype(np.float32)
    return found


def expression_part(values: Array, pack: ExpressionPack) -> dict[str, Any]:
    """What is told of an expression: probabilities, the set, or that nothing can be told and why.

    values: (7,) in the order of LABELS.
    """
    probabilities = dict(zip(LABELS, map(float, values), strict=True))
    calibration = pack.calibration
    held = expression_set(probabilities, pack)
    abstained = len(held) > calibration.most_in_set
    return {
        "unit": "probability",
        "range": [0, 1],
        "model": pack.what,
        "pack": pack.title,
        "models": pack.files,
        "top": None if abstained else held[0],
        "set": held,
        "coverage": calibration.coverage,
        "abstained": abstained,
        "reason": SET_TOO_LARGE if abstained else None,
        "explanation": explanation(held, calibration),
        "most_in_set": calibration.most_in_set,
        "named": list(calibration.named),
        "right_when_named": list(calibration.right),
        "calibrated_on": calibration.data,
        "calibrated_at": calibration.date,
        "caveat": CAVEAT.format(data=calibration.data),
        "probabilities": probabilities,
        "indices": indices(values),
    }


def indices(values: Array) -> dict[str, Any]:
    """The two indices drawn from the seven probabilities."""
    return {
        "valence_index": {
            "value": float(valence_index(values)),
            "range": [-1, 1],
            "formula": VALENCE,
        },
        "activation_index": {
            "value": float(activation_index(values)),
            "range": [0, 1],
            "formula": ACTIVATION,
        },
    }


def explanation(held: list[str], calibration: Calibration) -> str:
    """Why there is a first class, or why none can be told."""
    if len(held) > calibration.most_in_set:
        return (
            f"Cannot tell: {len(held)} of {len(LABELS)} classes fit at {calibration.coverage:.0%} "
            f"coverage, and with more than {calibration.most_in_set} nothing is said."
        )
    value, low, high = calibration.right
    return (
        f"With at most {calibration.most_in_set} classes in the set the likeliest one was right in "
        f"{value:.0%} ({low:.0%} to {high:.0%}) of the held-out photographs of {calibration.data}."
    )


def expression_set(probabilities: dict[str, float], pack: ExpressionPack) -> list[str]:
    """The classes in the set at the pack's coverage, the likeliest first; never empty."""
    row = np.array([[probabilities[label] for label in LABELS]])
    held = pack.calibration.sets(row)[0]
    return sorted(
        (label for label, inside in zip(LABELS, held, strict=True) if inside),
        key=lambda label: -probabilities[label],
    )
