"""What a client can get wrong with an upload, and what a broken one leaves behind: nothing."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import actor_for
from accounts.models import User
from consent.models import DataSubject
from consent.withdrawals import withdraw
from emotion.inference.media import PhotoFacts, PhotoProbe
from emotion.models import Recording, Upload
from emotion.reservations import sweep_orphans
from emotion.uploads import Receiving
from tests.cast import PHOTO, Study, consenting, open_study, upload
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")
BOUNDARY = "xyz"


def part(name: str, value: bytes, filename: str = "") -> bytes:
    named = f'name="{name}"' + (f'; filename="{filename}"' if filename else "")
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode()
    return head + value + b"\r\n"


def send(key: str, body: bytes, **headers: str) -> Any:
    given = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k"} | headers
    return Client().post(
        reverse("api_recordings"),
        data=body,
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        headers=given,
    )


def sealed_files() -> list[Path]:
    folder = Path(settings.BLOB_DIR)
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def study() -> Study:
    made = open_study()
    consenting(made)
    return made


def test_fields_after_the_file_are_refused(study: Study) -> None:
    before = set(sealed_files())
    photo = part("file", PHOTO.read_bytes(), "a.jpg")
    subject = part("subject", b"P-001")
    purpose = part("purpose", str(study.purpose.id).encode())
    end = f"--{BOUNDARY}--\r\n".encode()
    key = study.key()
    for body in (
        photo + subject + purpose,
        subject + photo + purpose,
        subject + purpose + photo * 2,
    ):
        answer = send(key, body + end)
        assert (answer.status_code, answer.json()["code"]) == (400, "upload-invalid"), body[:40]
    assert set(sealed_files()) == before
    assert not Recording.objects.exists()
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "upload-invalid"),
        (part("subject", b"P-001"), 400, "upload-invalid"),
        (part("subject", b"x" * 2000), 400, "upload-invalid"),
        (part("subject", b"\xff\xfe"), 400, "upload-invalid"),
        (part("purpose", b"no-uuid") + part("file", b"x", "a"), 400, "upload-invalid"),
        (part("other", b"x", "evil.sh"), 400, "upload-invalid"),
    ],
)  # fmt: skip
def test_malformed_bodies_are_told_what_was_expected(
    study: Study, body: bytes, status: int, code: str
) -> None:
    answer = send(study.key(), body + f"--{BOUNDARY}--\r\n".encode())
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_idempotency_key_is_needed(study: Study) -> None:
    for key in ("", "x" * 129):
        answer = send(study.key(), b"", **{"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["code"]) == (400, "upload-invalid")


def test_other_purposes_and_people_do_not_exist_for_a_client(study: Study) -> None:
    other = open_study()
    photo = PHOTO.read_bytes()
    assert upload(study.key(), "P-001", other.purpose.id, photo).status_code == 404
    assert upload(study.key(), "P-404", study.purpose.id, photo).status_code == 404
    assert upload("cns_wrong_key", "P-001", study.purpose.id, photo).status_code == 401


def test_too_many_bytes_are_refused_and_leave_nothing(study: Study, settings: Any) -> None:
    settings.PHOTO_MAX_BYTES = 10_000
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (answer.status_code, answer.json()["code"]) == (413, "media-too-large")
    assert not Upload.objects.exists()


def receiving(study: Study) -> Receiving:
    person = study.purpose.consent_states.get().subject
    return Receiving(study.researcher.actor, person, study.purpose.id, "k-1")


def media_keys(study: Study) -> list[UUID]:
    subject = study.purpose.consent_states.get().subject_id
    return data_key_ids(subject_id=subject, purpose_id=study.purpose.id, category="media")


def test_a_withdrawal_while_the_bytes_come_wins(study: Study) -> None:
    from accounts.actors import actor_for
    from consent.errors import ConsentRefused

    upload_under_way = receiving(study)
    upload_under_way.write(PHOTO.read_bytes())
    subject = study.purpose.consent_states.get().subject
    assert subject.user is not None
    withdraw(actor_for(subject.user), subject, study.purpose)
    with pytest.raises(ConsentRefused, match="has withdrawn"):
        upload_under_way.finish()
    upload_under_way.close()
    assert not Recording.objects.exists()
    assert not media_keys(study)
    assert not Upload.objects.exists()


def test_a_decoder_that_the_machine_killed_is_not_the_files_fault(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, finish, before = study.key(), PhotoProbe.finish, sealed_files()

    def killing(probe: PhotoProbe) -> PhotoFacts:
        os.kill(probe.child.process.pid, signal.SIGKILL)
        return finish(probe)

    with monkeypatch.context() as patched:
        patched.setattr(PhotoProbe, "feed", lambda *_given: None)
        patched.setattr(PhotoProbe, "finish", killing)
        answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes(), idempotency_key="again")
    assert (answer.status_code, answer.json()["code"]) == (503, "decoder-killed")
    assert answer.headers["Retry-After"]
    assert sealed_files() == before
    answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes(), idempotency_key="again")
    assert answer.status_code == 202


def test_a_process_that_died_while_receiving_is_cleared_up(study: Study) -> None:
    before = set(sealed_files())
    upload_under_way = receiving(study)
    upload_under_way.write(PHOTO.read_bytes())
    upload_under_way.probe.close()  # the process is gone: nothing else was tidied
    assert set(sealed_files()) - before
    assert media_keys(study)
    assert sweep_orphans() == 0, "it may still be receiving"
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert sweep_orphans() == 1
    assert set(sealed_files()) == before
    assert not media_keys(study)
    assert not Upload.objects.exists()
    upload_under_way.blob.abort()  # only to close the file of the process that did not really die


def test_files_are_refused_at_every_other_page(study: Study) -> None:
    browser = study.administrator.sign_in()
    with PHOTO.open("rb") as photo:
        answer = browser.post(reverse("operate_purpose_new"), {"name": "x", "file": photo})
    assert answer.status_code == 400


def test_a_film_that_takes_long_to_come_is_no_orphan(study: Study) -> None:
    person = DataSubject.objects.get()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        actor = actor_for(User.objects.get(data_subject=person))
        receiving = Receiving(actor, person, study.purpose.id, "slow")
        photo = PHOTO.read_bytes()
        for start in range(0, len(photo), 40_000):
            clock.shift(timedelta(minutes=10))
            receiving.write(photo[start : start + 40_000])
            assert sweep_orphans() == 0
        receiving.finish()
        receiving.close()
    assert Recording.objects.count() == 1
