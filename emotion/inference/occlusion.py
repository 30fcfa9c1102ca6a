"""Whether something covers the mouth or an eye, from an inner layer of the landmark model.

The model that places the landmarks answers for a covered face as for any other. One of its inner layers
tells the two apart: a logistic regression on it, fitted to drawn covers (``training.occlusion``; the
figures and what is not recognised stand in ``docs/models.md``). It costs a product of 2,048 numbers.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.models import FOLDER, ModelIntegrityError, checked_bytes, read_pack

PACK = FOLDER / "faces"
WEIGHTS = "occlusion.npz"
"""``weights`` (128, 4, 4) and ``bias`` (), float32: for ``landmarks.Landmarks.cells``."""


@cache
def regression() -> tuple[Array, float]:
    """The weights (2048,) and the bias. Raises ModelIntegrityError when the file is another."""
    body = checked_bytes(PACK, WEIGHTS, str(read_pack(PACK)["also"].get(WEIGHTS)))
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            return file["weights"].reshape(-1), float(file["bias"])
    except (ValueError, KeyError, OSError) as error:
        raise ModelIntegrityError(f"{WEIGHTS}: {type(error).__name__}") from error


def cover(cells: Array) -> float:
    """How much speaks for a cover, 0 to 1; 0.5 where ``quality.THRESHOLDS`` has its limit.

    cells: ``landmarks.Landmarks.cells``, (128, 4, 4). It is no frequency: how often faces with covers
    and without lie above the limit was measured on drawings.
    """
    weights, bias = regression()
    score = float(np.dot(cells.reshape(-1), weights)) + bias
    return float(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))
