"""The models' votes on many faces, and folds of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from emotion.inference.crops import prepare
from emotion.inference.expressions import Member
from emotion.inference.intervals import SEED
from emotion.inference.sessions import run
from training.fitting import Array

BATCH = 64


def votes_of(
    members: Sequence[Member], crops: Callable[[int, int, int], Array], number: int
) -> Array:
    """What each model says of each face as it is and mirrored: (models, 2, n, k).

    ``crops(start, size, side)``: RGB squares of the faces from ``start`` on.
    """
    found = []
    for member in members:
        ways: list[list[Array]] = [[], []]
        for start in range(0, number, BATCH):
            squares = crops(start, BATCH, member.preprocessing.size)
            for way, seen in zip(ways, (squares, squares[:, :, ::-1]), strict=True):
                output = run(member.file, prepare(seen, member.preprocessing))[0]
                way.append(output[:, member.order].astype(np.float64))
        both = np.stack([np.concatenate(way) for way in ways])
        found.append(both / both.sum(axis=-1, keepdims=True))
    return np.stack(found)


def folds_of(truth: Array, number: int) -> Array:
    """The fold of each row; every class is spread over all folds."""
    generator = np.random.default_rng(SEED + number)
    found = np.empty(len(truth), int)
    for label in np.unique(truth):
        rows = generator.permutation(np.flatnonzero(truth == label))
        found[rows] = (np.arange(len(rows)) + label) % number
    return found
