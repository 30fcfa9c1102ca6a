"""The client against a running installation with a real worker."""

from __future__ import annotations

import asyncio
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Scope
from consent.withdrawals import withdraw
from consentry_client import (
    AsyncClient,
    BatchFile,
    Client,
    Conflict,
    Gone,
    Invalid,
    NotAuthenticated,
    NotFound,
    Refused,
)
from emotion.models import Recording
from tests.cast import analysed, come_in, consent, consenting, open_study
from tests.clients.conftest import Lab
from tests.processes import wait_for

pytestmark = [pytest.mark.processes]


def test_a_photograph_from_upload_to_result_and_withdrawal(
    lab: Lab, worker: subprocess.Popen[bytes], photograph: Path
) -> None:
    person = come_in(lab.study)
    with lab.client() as client:
        with pytest.raises(Refused) as no_consent:
            client.upload(photograph, subject="P-001", purpose=lab.purpose)
        assert no_consent.value.code == "no-consent"
        consent(person, lab.study.purpose)
        found = client.find_subject("P-001")
        assert (found.status, str(found.purpose)) == ("given", lab.purpose)
        assert client.subject(found.id) == found

        recording = client.upload(
            photograph, subject="P-001", purpose=lab.purpose, idempotency_key="frame-1"
        )
        again = client.upload(
            photograph, subject="P-001", purpose=lab.purpose, idempotency_key="frame-1"
        )
        assert again.id == recording.id
        assert Recording.objects.count() == 1
        analysis = client.wait_for_analysis(recording.analyses[0].id, timeout=120)
        assert (analysis.state, analysis.is_under_way) == ("done", False)
        result = client.result(analysis.id, reason="study-analysis")
        assert result.parts["expression"]["top"] == "happy"
        assert client.recording(recording.id).analyses[0].state == "done"

        withdraw(person.actor, person.subject, lab.study.purpose)
        with pytest.raises((Refused, Gone)) as withdrawn:
            client.result(analysis.id, reason="study-analysis")
        assert withdrawn.value.code in {"consent-withdrawn", "erased", "key-destroyed"}
        waiting = wait_for(client.erasures, what="the erasure that is asked of us")
        assert {str(each.subject) for each in waiting} == {str(found.id)}
        for each in waiting:
            assert client.acknowledge_erasure(each.id).acknowledged_at is not None
        assert client.erasures() == ()


def test_async_walks_the_same_way(
    lab: Lab, worker: subprocess.Popen[bytes], photograph: Path
) -> None:
    consenting(lab.study)

    async def walk() -> str:
        async with AsyncClient(lab.url, lab.key) as client:
            recording = await client.upload(photograph, subject="P-001", purpose=lab.purpose)
            analysis = await client.wait_for_analysis(recording.analyses[0].id, timeout=120)
            result = await client.result(analysis.id, reason="quality-check")
            return str(result.parts["expression"]["top"])

    assert asyncio.run(walk()) == "happy"


def test_refusals_are_told_apart(lab: Lab, tmp_path: Path) -> None:
    consenting(lab.study)
    other = open_study()
    text = tmp_path / "a.jpg"
    text.write_bytes(b"no photograph at all")
    with lab.client() as client:
        with pytest.raises(Conflict, match="reference-taken"):
            client.request_consent("P-001")
        with pytest.raises(Invalid, match="/email"):
            client.request_consent("P-002", email="nobody")
        with pytest.raises(NotFound):
            client.analysis(UUID(int=1))
        with pytest.raises(NotFound):
            client.upload(text, subject="P-001", purpose=other.purpose.id)
        with pytest.raises(Invalid, match="415"):
            client.upload(text, subject="P-001", purpose=lab.purpose)
    lab.key = lab.study.key(Scope.RECORDINGS_READ)
    with lab.client() as client, pytest.raises(Refused, match="permission-denied"):
        client.find_subject("P-001")
    lab.key += "x"
    with lab.client() as client, pytest.raises(NotAuthenticated):
        client.find_subject("P-001")


def test_a_subject_cannot_break_out_of_its_field(lab: Lab, photograph: Path) -> None:
    consenting(lab.study)
    sneaky = 'P-001\r\n--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n' + str(
        UUID(int=1)
    )
    with lab.client() as client, pytest.raises((NotFound, Invalid)):
        client.upload(photograph, subject=sneaky, purpose=lab.purpose)
    assert not Recording.objects.exists()


def test_pieces_that_break_off_are_gone_on_with(lab: Lab, photograph: Path) -> None:
    consenting(lab.study)
    begun: list[str] = []
    size = photograph.stat().st_size

    class Stopped(Exception):
        pass

    def stop(sent: int, _all: int) -> None:
        if sent > size // 2:
            raise Stopped

    given: dict[str, Any] = {
        "subject": "P-001",
        "purpose": lab.purpose,
        "idempotency_key": "a",
        "chunk_size": 20_000,
    }
    with lab.client() as client, pytest.raises(Stopped):
        client.upload_resumable(photograph, **given, begun=begun.append, progress=stop)
    seen: list[int] = []
    with lab.client() as client:
        made = client.upload_resumable(
            photograph, **given, resume=begun[0], progress=lambda sent, _all: seen.append(sent)
        )
        assert seen[0] >= 20_000
        assert seen[-1] == size
        recording = client.recording(made)
        assert (recording.media_type, len(recording.analyses)) == ("image/jpeg", 1)
        # the same key finds the same recording, in whatever way it is sent
        assert client.upload_resumable(photograph, **given) == made
    assert Recording.objects.get().size == size


def test_what_the_key_opens_and_its_lists(lab: Lab, photograph: Path, tmp_path: Path) -> None:
    for number in range(3):
        consenting(lab.study, f"P-{number}")
    with lab.client() as client:
        me = client.me()
        assert (str(me.purpose), me.limits.requests.quota > 0) == (lab.purpose, True)
        (purpose,) = client.purposes()
        assert (purpose.name, purpose.state, purpose.photographs) == ("Story study", "open", True)
        assert purpose == client.purpose(purpose.id)
        ids = [each.id for each in client.subjects(status="given", order="oldest")]
        assert ids == sorted(ids)
        assert len(ids) == 3
        assert list(client.subjects(status="withdrawn")) == []
        made = client.upload(photograph, subject="P-1", purpose=purpose.id)
        (found,) = client.recordings(created_before=made.created_at + timedelta(seconds=1))
        assert found.id == made.id
        subject = client.find_subject("P-1").id
        assert found.subject == subject
        assert [each.kind for each in client.consent_receipts(subject)]
        (queued,) = client.analyses(state="queued", subject=subject)
        assert client.cancel_analysis(queued.id).state == "cancelled"

        new = client.make_key()
        assert {each.current for each in client.live_keys()} == {True, False}
        with Client(lab.url, new.key) as other:
            other.revoke_key(lab.key.split("_")[1])
        with pytest.raises(NotAuthenticated):
            client.me()


def test_pages_are_turned(lab: Lab) -> None:
    with lab.client() as client:
        for number in range(51):
            client.request_consent(f"P-{number:03}")
        assert len({each.id for each in client.consent_requests()}) == 51

        async def walk() -> int:
            async with AsyncClient(lab.url, lab.key) as others:
                return len([each async for each in others.consent_requests(order="oldest")])

        assert asyncio.run(walk()) == 51


def test_a_batch_is_answered_file_by_file(lab: Lab, photograph: Path, tmp_path: Path) -> None:
    consenting(lab.study)
    text = tmp_path / "b.jpg"
    text.write_bytes(b"no photograph at all")
    files = [
        BatchFile(photograph, "P-001"),
        BatchFile(photograph, "P-404"),
        BatchFile(text, "P-001", key="third"),
    ]
    with lab.client() as client:
        answer = client.upload_batch(files, purpose=lab.purpose, idempotency_key="b")
        again = client.upload_batch(files, purpose=lab.purpose, idempotency_key="b")
    assert [each.status for each in answer.results] == [202, 404, 415]
    assert answer.results[0].recording is not None
    assert (answer.results[2].problem or {})["code"] == "media-type-not-supported"
    assert again.results[0].recording == answer.results[0].recording
    assert Recording.objects.count() == 1


def test_an_export_is_fetched_whole_into_a_private_file(lab: Lab, tmp_path: Path) -> None:
    consenting(lab.study)
    analysed(lab.study)
    target = tmp_path / "all.zip"
    with lab.client() as client:
        made = client.request_export(reason="study-analysis", format="csv")
        assert made.analyses == 1
        assert client.fetch_export(made.id, target) == target
        assert client.export(made.id).included == 1
        client.delete_export(made.id)
        assert list(client.exports()) == []
        with pytest.raises(NotFound):
            client.fetch_export(made.id, tmp_path / "none.zip")
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert archive.namelist()
    assert {path.name for path in tmp_path.iterdir()} & {"none.zip", ".none.zip.part"} == set()
