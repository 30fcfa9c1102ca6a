"""Who did not agree is not kept: of a kept photograph only the person's head is left to be made out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import cv2
import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.holds import place_hold
from consent.models import ErasureRequest, HoldReason
from emotion import saving
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.errors import Gone, NotReady
from emotion.inference.arrays import Pixels
from emotion.inference.faces import find_faces
from emotion.inference.media import decode_photo, encode_png
from emotion.inference.photos import analyse_photo
from emotion.models import Analysis, AnalysisState, MediaState, Recording
from emotion.reanalysis import analyse_again
from emotion.results import read_media, read_result
from emotion.sealed_media import blob_path, media_keys
from emotion.sweeping import expire_recordings
from tests.cast import PHOTO, Person, Study, analysed, open_study, upload
from tests.emotion.inference.photographs import pixels
from tests.faults.leftovers import sealed_files
from tests.forks import killed_at
from vault.keyring import living_keys

pytestmark = pytest.mark.usefixtures("fresh_db")

PERSON = (slice(50, 190), slice(160, 290))  # rows, columns: her head, chin to fringe
FOUND = (slice(10, 110), slice(400, 500))  # a bystander whose face the detector finds
UNSEEN = (slice(380, 480), slice(390, 490))  # one upside down, whom it overlooks


def with_bystanders() -> Pixels:
    """The person, and behind her somebody whom the detector finds and somebody whom it does not."""
    scene = pixels().copy()
    other = cv2.resize(pixels()[20:220, 125:325], (100, 100), interpolation=cv2.INTER_AREA)
    scene[FOUND] = other[:, ::-1]
    scene[UNSEEN] = other[::-1]
    return scene


def likeness(one: Pixels, other: Pixels) -> float:
    """How alike two pieces are in detail, -1 to 1: the correlation of what is finer than a sixth of them.

    Light and colour as such, which a flat surface has too, do not count.
    """
    first, second = (
        piece - cv2.GaussianBlur(piece, (0, 0), piece.shape[0] / 6)
        for piece in (each.mean(axis=2).astype(np.float32) for each in (one, other))
    )
    spread = float(first.std() * second.std())
    return float((first * second).mean() / spread) if spread > 1e-6 else 0.0


def best_likeness(picture: Pixels, piece: Pixels) -> float:
    """The most that any place of the picture is like a piece of another: -1 to 1, a correlation."""
    seen, sought = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (picture, piece))
    return float(cv2.matchTemplate(seen, sought, cv2.TM_CCOEFF_NORMED).max())


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def waiting(study: Study, picture: Pixels) -> Analysis:
    answer = upload(study.key(), "P-001", study.purpose.id, encode_png(picture))
    assert answer.status_code == 202, answer.content
    return Analysis.objects.select_related("recording").latest("queued_at")


def kept(person: Person, recording: Recording) -> Pixels:
    with read_media(person.actor, recording.id) as media:
        return decode_photo(media.blob.read())


def entries(action: Action) -> int:
    integrate_once()
    return LogEntry.objects.filter(action=action).count()


def test_nobody_but_the_person_can_be_made_out_in_what_is_kept(
    study: Study, person: Person
) -> None:
    scene = with_bystanders()
    faces = find_faces(scene)
    assert len(faces) == 2, "one bystander is found, the other is not"
    row = analysed(study, photo=encode_png(scene))
    shown = kept(person, row.recording)
    assert shown.shape == scene.shape
    assert np.array_equal(shown[PERSON], scene[PERSON]), "her face is what it was"
    assert likeness(shown[PERSON], scene[PERSON]) > 0.99
    for place in (FOUND, UNSEEN):
        assert likeness(scene[place], scene[place]) > 0.99, "the same measure sees them before"
        assert abs(likeness(shown[place], scene[place])) < 0.35
        assert len(np.unique(shown[place].reshape(-1, 3), axis=0)) <= 5 * 5 + 1
    assert best_likeness(scene, scene[FOUND]) > 0.99
    assert best_likeness(shown, scene[FOUND]) < 0.65
    assert (shown[40:80, 430:470] == 128).all(), "where a face was found nothing of it goes in"
    assert len(find_faces(shown)) == 1


def test_the_photograph_as_it_came_is_gone_key_and_all(study: Study, person: Person) -> None:
    row = waiting(study, with_bystanders())
    came = row.recording
    run_analysis(row.id)
    now = Recording.objects.get()
    assert now.covered_at is not None
    assert now.media_key_id != came.media_key_id
    assert now.media_type == "image/png"
    assert living_keys([came.media_key_id, now.media_key_id]) == {now.media_key_id}
    assert sealed_files() == {blob_path(now.media_key_id)}
    assert entries(Action.MEDIA_COVER) == 1
    erasure = ErasureRequest.objects.get()
    assert erasure.key_ids == [str(came.media_key_id)]
    assert erasure.rows_removed_at is not None
    assert not erasure.tellings.exists()
    home = person.browser.get(reverse("erasures")).content.decode()
    assert "A photograph or film as it came" in home
    history = person.browser.get(reverse("access_history")).content.decode()
    assert "All but your head in a photograph or film of you was covered" in history


def test_only_the_person_is_measured_and_again_on_what_is_kept(
    study: Study, person: Person
) -> None:
    first = analysed(study, photo=encode_png(with_bystanders()))
    alone = analyse_photo(pixels(), ["expression", "blendshapes"])
    second = analyse_again(study.researcher.actor, first.recording_id)
    run_analysis(second.id)
    assert alone.expression is not None
    for row, faces in ((first, 2), (second, 1)):
        found = read_result(person.actor, row.id).parts
        assert (found["summary"]["status"], found["summary"]["faces"]) == ("read", faces)
        for label, share in alone.expression.items():
            assert found["expression"]["probabilities"][label] == pytest.approx(share, abs=0.06)
    assert entries(Action.MEDIA_COVER) == 1, "what was covered is not covered again"
    assert sealed_files() == {blob_path(Recording.objects.get().media_key_id)}


def nobody() -> Pixels:
    return np.full((300, 300, 3), 200, np.uint8)


def side_by_side() -> Pixels:
    return np.concatenate([pixels(), pixels()[:, ::-1]], axis=1)


def cheek_to_cheek() -> Pixels:
    """Somebody half as large, so close beside her that covering them would cover her."""
    scene = pixels().copy()
    other = cv2.resize(pixels()[60:180, 165:285], (50, 50), interpolation=cv2.INTER_AREA)
    scene[120:170, 285:335] = other
    return scene


@pytest.mark.parametrize("make", [nobody, side_by_side, cheek_to_cheek])
def test_where_it_cannot_be_told_who_is_meant_nothing_is_kept(
    study: Study, person: Person, make: Any
) -> None:
    row = analysed(study, photo=encode_png(make()))
    row.recording.refresh_from_db()
    assert row.recording.media_state == MediaState.ERASED
    assert not sealed_files()
    with pytest.raises(Gone):
        kept(person, row.recording)


def test_before_it_was_measured_nobody_looks_at_it(study: Study, person: Person) -> None:
    row = waiting(study, with_bystanders())
    for actor, why in ((person.actor, ""), (study.researcher.actor, "quality-check")):
        with pytest.raises(NotReady), read_media(actor, row.recording_id, why):
            pass
    page = person.browser.get(reverse("own_recording", args=[row.recording_id])).content.decode()
    assert reverse("own_photograph", args=[row.recording_id]) not in page
    asked = study.researcher.sign_in().post(
        reverse("operate_photograph", args=[row.recording_id]), {"reason": "quality-check"}
    )
    assert asked.status_code == 409
    assert entries(Action.MEDIA_READ) == 0


def test_what_ends_without_a_result_is_not_kept_as_it_came(study: Study, person: Person) -> None:
    row = waiting(study, pixels())
    sealed = blob_path(row.recording.media_key_id)
    sealed.write_bytes(sealed.read_bytes()[:-1] + b"?")
    for _attempt in range(3):
        # A moment ago: SQLite's own clock counts whole milliseconds.
        Analysis.objects.update(not_before=timezone.now() - timedelta(seconds=1))
        run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.FAILED
    drain()
    assert not sealed_files()
    assert not living_keys(media_keys(row.recording))


@pytest.mark.parametrize("step", ["commit_results", "drain_one"])
def test_killed_at_any_step_it_is_as_it_came_and_closed_or_covered(
    study: Study, person: Person, step: str
) -> None:
    row = waiting(study, with_bystanders())
    came = blob_path(row.recording.media_key_id)
    killed_at(saving, step, lambda: run_analysis(row.id), after=False)
    recording = Recording.objects.get()
    assert len(sealed_files()) == 2
    if step == "commit_results":
        assert blob_path(recording.media_key_id) == came
        with pytest.raises(NotReady):
            kept(person, recording)
        Analysis.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        run_analysis(row.id)
    else:
        assert (kept(person, recording)[40:80, 430:470] == 128).all()
        drain()
    recording.refresh_from_db()
    assert (kept(person, recording)[40:80, 430:470] == 128).all()
    assert sealed_files() == {blob_path(recording.media_key_id)}
    assert not came.exists()
    assert living_keys(media_keys(recording)) == {recording.media_key_id}


def test_a_legal_hold_postpones_the_destruction_and_opens_nothing(
    study: Study, person: Person
) -> None:
    place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.COMPLAINT,
        ends_at=timezone.now() + timedelta(days=30),
    )
    row = analysed(study, photo=PHOTO.read_bytes())
    assert len(sealed_files()) == 2
    assert np.array_equal(kept(person, row.recording)[PERSON], pixels()[PERSON])
    assert not np.array_equal(kept(person, row.recording), pixels())


def test_what_is_kept_still_ends_on_its_date(study: Study, person: Person) -> None:
    row = analysed(study)
    Recording.objects.update(media_retain_until=timezone.now() - timedelta(minutes=1))
    expire_recordings()
    drain()
    row.recording.refresh_from_db()
    assert row.recording.media_state == MediaState.ERASED
    assert not sealed_files()
    assert read_result(person.actor, row.id).parts["summary"]["status"] == "read"
