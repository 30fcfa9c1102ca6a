"""Hostile and hard photographs through upload, a real worker, and what people read of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.actors import actor_for
from emotion.analyses import run_analysis
from emotion.inference.arrays import Pixels
from emotion.models import Analysis, AnalysisState, Recording
from emotion.results import read_media
from emotion.wording import ABSTAINED
from tests.broker import captured_events
from tests.cast import Person, Study, api_get, consenting, open_study, upload
from tests.emotion.inference.photographs import encode
from tests.emotion.inference.test_photos import WORSE
from tests.faults.leftovers import NOTHING, living_keys, rows, sealed_files
from tests.faults.test_hostile_media import FILES, GOOD, HTML, html_in_a_comment
from tests.processes import wait_for

pytestmark = pytest.mark.usefixtures("fresh_db")
ERROR = r'<ul class="[^"]*" id="id_file_error"><li>([^<]{12,})</li>'


def send_by_form(person: Person, study: Study, photo: bytes, key: str) -> Any:
    """What the page's form sends: the hidden fields, then the file."""
    path = reverse("upload", args=[study.purpose.id])
    browser = person.browser
    assert isinstance(browser, Client)
    file = SimpleUploadedFile("a.jpg", photo, "image/jpeg")
    return browser.post(path, {"idempotency_key": key, "file": file})


def under_way() -> bool:
    return Analysis.objects.filter(state__in=["queued", "running"]).exists()


@pytest.mark.processes
def test_each_is_refused_on_the_page_while_a_worker_works(
    worker: subprocess.Popen[bytes],
) -> None:
    study = open_study()
    person, before = consenting(study), sealed_files()
    with captured_events() as events:
        for name, (make, _status, _codes) in FILES.items():
            page = send_by_form(person, study, make(), f"key of {name}")
            text = page.content.decode()
            assert page.status_code == 422, name
            assert 'type="file"' in text, f"{name}: the form is there again"
            told = re.search(ERROR, text)
            assert told, f"{name}: no sentence at the field"
            assert told[1].endswith("."), told[1]
            assert rows() == NOTHING, name
            assert sealed_files() == before, name
            assert not living_keys(person.subject), name
        good = send_by_form(person, study, GOOD, "key of a bomb")
        assert good.status_code == 302, good.content.decode()
        wait_for(lambda: not under_way(), what="the worker")
    assert Analysis.objects.get().state == AnalysisState.DONE
    assert worker.poll() is None, "the worker lives"
    assert not events, "the product itself sends no Celery events"


HARD = ["noise", "two people", "too small", "too dark", "too blurred"]


@pytest.mark.processes
def test_a_hard_photograph_gets_a_result_that_says_so(worker: subprocess.Popen[bytes]) -> None:
    study = open_study()
    person, key = consenting(study), study.key()
    sent: dict[str, str] = {}
    for name in HARD:
        make: Callable[[], Pixels] = WORSE[name][0]
        answer = upload(key, "P-001", study.purpose.id, encode(make(), ".png"))
        assert answer.status_code == 202, answer.content
        sent[name] = answer.json()["analyses"][0]["id"]
    wait_for(lambda: not under_way(), what="the worker")
    for name, analysis in sent.items():
        _make, status, faces = WORSE[name]
        state = api_get(key, "api_analysis", analysis).json()
        assert (state["state"], state["categories"]) == ("done", ["summary"]), name
        result = api_get(key, "api_result", analysis, Access_Reason="quality-check").json()
        summary = result["parts"].pop("summary")
        assert (summary["status"], summary["abstained"]) == (status, True), name
        assert summary["faces"] == faces, name
        assert not result["parts"], f"{name}: nothing was measured"
        page = person.browser.get(reverse("own_result", args=[analysis])).content.decode()
        assert "This photograph was not analysed" in page, name
        assert escape(str(ABSTAINED[status])) in page, name
        assert "happ" not in page, name


def test_a_photograph_that_is_a_page_too_is_never_served_as_one() -> None:
    study = open_study(keep_media=True)
    person, key = consenting(study), study.key()
    assert upload(key, "P-001", study.purpose.id, html_in_a_comment()).status_code == 202
    recording = Recording.objects.get()
    assert recording.media_type == "image/jpeg"
    analysis = recording.analyses.get()
    desk = study.administrator.sign_in()
    for browser, name, argument in (
        (person.browser, "own_recording", recording.id),
        (desk, "operate_recording", recording.id),
        (desk, "operate_result", analysis.id),
        (person.browser, "subject_home", None),
    ):
        page = browser.get(reverse(name, args=[argument] if argument else []))
        assert page.status_code == 200
        assert page.headers["X-Content-Type-Options"] == "nosniff", name
        assert b"polyglot-77" not in page.content, name
    assert not [path for path in sealed_files() if b"polyglot-77" in path.read_bytes()]
    user = person.subject.user
    assert user is not None
    run_analysis(analysis.id)
    with read_media(actor_for(user), recording.id) as media:
        assert HTML not in media.blob.read(), "what is kept was drawn anew"
        assert media.recording.media_type == "image/png"
