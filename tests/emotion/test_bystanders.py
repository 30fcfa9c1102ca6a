"""Who did not agree is not kept: neither in a photograph nor in a film."""

from __future__ import annotations

import numpy as np
import pytest

from emotion.models import MediaState
from emotion.sealed_media import blob_path
from tests.cast import analysed, consenting, open_study
from tests.emotion.inference.photographs import encode, pixels

pytestmark = pytest.mark.usefixtures("fresh_db")


def test_a_photograph_with_somebody_else_in_it_is_not_kept() -> None:
    study = open_study(keep_media=True)
    consenting(study)
    alone = pixels()
    both = np.concatenate([alone, alone[:, ::-1]], axis=1)
    kept, gone = (
        analysed(study, photo=encode(picture, ".jpg")).recording for picture in (alone, both)
    )
    kept.refresh_from_db()
    gone.refresh_from_db()
    assert kept.media_state == MediaState.STORED
    assert gone.media_state == MediaState.ERASED
    assert not blob_path(gone.id).exists()
