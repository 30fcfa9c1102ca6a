"""The four walks of the design, each once from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from accounts.models import Scope
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from emotion.models import Analysis, AnalysisState, MediaState, Recording
from emotion.sealed_media import blob_path
from tests.cast import (
    PHOTO,
    api_get,
    come_in,
    consent,
    consenting,
    open_study,
    upload,
)
from tests.processes import ROOT, wait_for

pytestmark = [pytest.mark.processes]


def ended(analysis_id: str) -> Analysis | None:
    row = Analysis.objects.get(pk=analysis_id)
    under_way = {AnalysisState.QUEUED, AnalysisState.RUNNING}
    return None if row.state in under_way else row


def analysed(key: str, study: Any, reference: str = "P-001") -> str:
    """Upload the photograph and wait for a real worker to end its analysis; the analysis id."""
    answer = upload(key, reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    analysis_id = str(answer.json()["analyses"][0]["id"])
    row = wait_for(lambda: ended(analysis_id), what="the worker")
    assert row.state == AnalysisState.DONE, row.reason
    return analysis_id


def actions() -> list[str]:
    integrate_once()
    return list(LogEntry.objects.order_by("index").values_list("action", flat=True))


def test_upload_walk(fresh_db: None) -> None:
    study = open_study()
    key = study.key()
    person = come_in(study)

    before = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (before.status_code, before.json()["code"]) == (403, "no-consent")
    assert not Recording.objects.exists()

    consent(person, study.purpose)
    first = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes(), "same-key")
    assert first.status_code == 202, first.content
    recording = Recording.objects.get()
    assert first.headers["Location"].endswith(f"/api/v1/recordings/{recording.id}/")
    assert (recording.media_type, recording.width, recording.height) == ("image/jpeg", 512, 512)
    assert recording.retain_until > recording.created_at

    blob = blob_path(recording.media_key_id)
    assert blob.stat().st_mode & 0o777 == 0o600
    assert PHOTO.read_bytes()[1000:1032] not in blob.read_bytes()

    again = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes(), "same-key")
    assert again.json()["id"] == first.json()["id"]
    other = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes() + b"\0", "same-key")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert Recording.objects.count() == 1
    assert actions().count(Action.MEDIA_UPLOAD) == 2  # one refused, one accepted


def test_analysis_walk(worker: subprocess.Popen[bytes]) -> None:
    study = open_study()
    key = study.key()
    consenting(study)
    analysis_id = analysed(key, study)

    row = Analysis.objects.select_related("recording").get(pk=analysis_id)
    assert sorted(row.results.values_list("category", flat=True)) == [
        "blendshapes",
        "expression",
        "summary",
    ]
    assert all(b"happy" not in bytes(result.sealed) for result in row.results.all())
    keys = set(row.results.values_list("data_key_id", flat=True))
    assert len(keys) == 3, "each category has a key of its own"
    # the purpose does not keep media: they went with the commit of the result
    wait_for(
        lambda: Recording.objects.get().media_state == MediaState.ERASED, 10, "the media's erasure"
    )
    assert not blob_path(row.recording.media_key_id).exists()
    done = actions()
    assert done.index(Action.MEDIA_ANALYSE) < done.index(Action.RESULT_SAVE)


def test_read_walk(worker: subprocess.Popen[bytes]) -> None:
    study = open_study()
    key = study.key()
    person = consenting(study)
    analysis_id = analysed(key, study)

    no_reason = api_get(key, "api_result", analysis_id)
    assert (no_reason.status_code, no_reason.json()["code"]) == (400, "reason-required")
    answer = api_get(key, "api_result", analysis_id, Access_Reason="study-analysis")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    parts = answer.json()["parts"]
    assert parts["expression"]["top"] == "happy"
    assert parts["blendshapes"]["values"]["mouthSmileLeft"] > 0.5

    integrate_once()
    entry = LogEntry.objects.get(entry_id=answer.json()["log_entry"])
    assert (entry.action, entry.reason) == (Action.RESULT_READ, "study-analysis")

    other = open_study()
    assert api_get(other.key(), "api_result", analysis_id).status_code == 404
    limited = study.key(Scope.RECORDINGS_READ)
    assert api_get(limited, "api_result", analysis_id).status_code == 403
    own = person.browser.get(reverse("own_result", args=[analysis_id]))
    assert own.status_code == 200
    assert "no-store" in own.headers["Cache-Control"]
    seen = person.browser.get(reverse("access_history")).content.decode()
    assert "analysis for the study" in seen


def test_withdrawal_walk(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    study = open_study(keep_media=True)
    key = study.key()
    person = consenting(study)
    analysis_id = analysed(key, study)
    recording = Recording.objects.get()
    assert blob_path(recording.media_key_id).exists()

    page = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert page.status_code == 302
    refused = api_get(key, "api_result", analysis_id, Access_Reason="study-analysis")
    assert (refused.status_code, refused.json()["code"]) == (403, "consent-withdrawn")
    late = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (late.status_code, late.json()["code"]) == (403, "consent-withdrawn")

    from emotion.erasure import drain

    drain()
    assert not blob_path(recording.media_key_id).exists()
    gone = api_get(key, "api_result", analysis_id, Access_Reason="study-analysis")
    assert (gone.status_code, gone.json()["code"]) == (410, "erased")
    integrate_once()
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(person.browser.get(page.headers["Location"] + "receipt/").content)
    claims = json.loads(receipt.read_text())["erasure"]
    assert claims["rows_removed_at"]
    assert len(claims["data_key_ids"]) >= 4
    verdict = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools" / "verify_access_log.py"),
            "receipt",
            str(receipt),
            "--key",
            verifier_key(),
        ],
        capture_output=True,
        text=True,
    )
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert "verified" in verdict.stdout
    assert settings.SECRET_KEY not in verdict.stdout
