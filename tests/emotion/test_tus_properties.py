"""Whatever a sender does, the stored bytes are the sent bytes, or nothing is stored."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emotion.models import PartialUpload, Recording, Upload
from tests.cast import Study, consenting, open_study
from tests.emotion.stored import stored_bytes
from tests.faults.leftovers import sealed_files
from tests.tus import Tus, checksum

pytestmark = pytest.mark.usefixtures("fresh_db")


@cache
def photograph() -> bytes:
    """A small one, of which no two places are alike."""
    noise = np.random.default_rng(7).integers(0, 256, (40, 40, 3), np.uint8)
    done, encoded = cv2.imencode(".png", noise)
    assert done
    return encoded.tobytes()


class Step(NamedTuple):
    """One request.

    Fields:
        move: where it begins, relative to how far the upload is; take: how many bytes.
        sum: a checksum: none, right or wrong; cut: after so many bytes the line breaks.
    """

    move: int
    take: int
    sum: str = ""
    cut: int | None = None


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 0, 0, 0, -1, 1, -700, 700]),
        st.one_of(st.integers(0, 1500), st.sampled_from([1000, 1001, 999, 10_000])),
        st.sampled_from(["", "", "sha1", "sha256", "wrong"]),
        st.one_of(st.none(), st.none(), st.integers(0, 1500)),
    ),
    max_size=12,
)


class BrokenLine(BytesIO):
    """A body whose line breaks before its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        given = super().read(size)
        if not given:
            raise ConnectionResetError
        return given


def send(tus: Tus, address: str, have: int, step: Step) -> tuple[int, int]:
    """Do one step: (status, how far the upload must be after it)."""
    body, start = photograph(), max(have + step.move, 0)
    sent = body[start : start + step.take]
    headers: dict[str, str] = {}
    extra: dict[str, Any] = {}
    if step.sum:
        wrong = step.sum == "wrong"
        headers["Upload-Checksum"] = checksum(sent + b"?" * wrong, "sha1" if wrong else step.sum)
    cut = step.cut is not None and step.cut < len(sent)
    if cut:
        extra = {"wsgi.input": BrokenLine(sent[: step.cut])}
    answer = tus.patch(address, start, sent, extra=extra, **headers)
    if start != have:
        return answer.status_code, have
    if step.sum == "wrong" or (step.sum and cut):
        return answer.status_code, have
    return answer.status_code, have + (step.cut or 0 if cut else len(sent))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example([Step(0, 1000), Step(-1000, 1000), Step(0, 1000)], True)
@example([Step(0, 10_000, "sha1", 500), Step(0, 10_000, "", 500), Step(0, 10_000)], True)
@example([Step(0, 10_000, "wrong"), Step(0, 999, "sha256"), Step(700, 10_000)], False)
@given(steps=STEPS, to_the_end=st.booleans())
def test_the_stored_bytes_are_the_sent_bytes_or_nothing(
    tus_study: tuple[Study, Tus], steps: list[Step], to_the_end: bool
) -> None:
    study, tus = tus_study
    body, before = photograph(), sealed_files()
    address = tus.begin(study.purpose.id, len(body))
    upload_id = address.rstrip("/").rsplit("/", 1)[1]
    have = 0
    for step in steps:
        status, have = send(tus, address, have, step)
        assert status in {204, 409, 400, 413, 460}, (step, status)
        assert tus.offset(address) == have, step
    if have < len(body) and not to_the_end:
        assert tus.delete(address).status_code == 204
        assert not Upload.objects.filter(pk=upload_id).exists()
        assert sealed_files() == before
        return
    if have < len(body):
        assert tus.patch(address, have, body[have:]).status_code == 204
    recording = Recording.objects.get(pk=Upload.objects.get(pk=upload_id).recording_id)
    assert stored_bytes(recording) == body
    assert len(sealed_files() - before) == 1
    assert not PartialUpload.objects.exists()


@pytest.fixture
def tus_study(settings: Any) -> tuple[Study, Tus]:
    settings.UPLOAD_PART_BYTES = 1000
    study = open_study()
    consenting(study)
    return study, Tus(study.key())
