"""Markers planted in everything that names or shows a person, and then looked for everywhere."""

from __future__ import annotations

import base64
import gzip
import os
import re
import secrets
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client
from django.urls import reverse

from consent.subjects import register_subject
from emotion.models import Analysis, AnalysisState
from tests.cast import PHOTO, Study, open_study
from tests.faults.canary import Search, database_dumps, files_below, process_arguments
from tests.processes import KEEPER, WORKER, running, wait_for
from tests.tools.test_supervise import free_port

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("fresh_db")]


def places(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everywhere: databases with WAL, keystore, keys, var, broker, logs, temporary files, /proc."""
    var = Path(settings.VAR_DIR)
    yield from files_below(folder, var, Path(settings.KEYS_DIR), without=[settings.STATIC_ROOT])
    temporary = Path(tempfile.gettempdir())
    recent = [path for path in temporary.glob("*") if path.is_file() and mine(path)]
    yield from ((str(path), path.read_bytes()) for path in recent)
    yield from database_dumps()
    yield from process_arguments()


def mine(path: Path) -> bool:
    """Whether a loose file in the common temporary folder is ours and small enough to be read."""
    status = path.stat()
    return status.st_uid == os.getuid() and status.st_size < 4_000_000


def test_the_search_finds_its_marker_in_every_form(tmp_path: Path) -> None:
    marker = f"control-{secrets.token_hex(8)}"
    plain = marker.encode()
    padded = b"some text before " + plain + b" and after"
    forms = {
        "plain": padded,
        "base64": base64.b64encode(padded),
        "base64, urlsafe, shifted": base64.urlsafe_b64encode(b"x" + padded),
        "hex": padded.hex().encode(),
        "utf-16": padded.decode().encode("utf-16"),
        "zlib": b"junk" + zlib.compress(padded * 3),
        "gzip": gzip.compress(padded * 3),
        "base64 of zlib": b"session=." + base64.urlsafe_b64encode(zlib.compress(padded * 3)),
    }
    search = Search({"marker": plain})
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
    found = search.in_places(files_below(tmp_path))
    assert len(found) == len(forms), found
    assert not Search({"other": b"control-of-nobody-1"}).in_places(files_below(tmp_path))


def test_the_search_finds_its_marker_in_a_database_row(tmp_path: Path) -> None:
    marker = f"control-{secrets.token_hex(8)}"
    session = SessionStore()
    session["who"] = marker  # Django compresses and encodes a session's row
    session.save()
    search = Search({"marker": marker.encode()})
    assert search.in_places(places(tmp_path))
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", marker]
    with subprocess.Popen(sleeper, stdin=subprocess.PIPE):
        wait_for(lambda: search.in_places(process_arguments()), 10, "the process's arguments")


class Walk:
    """One person's way through real processes; every address that is asked for is written down."""

    def __init__(self, address: str, study: Study) -> None:
        self.address = address
        self.study = study
        self.asked: list[str] = []
        self.told: list[httpx.Response] = []

    def browser(self, signed_in: Client | None = None) -> httpx.Client:
        cookies = (
            {name: each.value for name, each in signed_in.cookies.items()} if signed_in else {}
        )
        hooks = {"response": [self.note]}
        return httpx.Client(base_url=self.address, cookies=cookies, event_hooks=hooks, timeout=60)

    def note(self, response: httpx.Response) -> None:
        self.asked += [str(response.request.url), response.headers.get("Location", "")]
        self.told.append(response)

    def send(self, browser: httpx.Client, path: str, **fields: Any) -> httpx.Response:
        """Open a page and send its form."""
        page = browser.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        return browser.post(path, data={"csrfmiddlewaretoken": token[1], **fields})


def marked_photo(text: bytes) -> bytes:
    """The photograph with a text in its EXIF image description (TIFF tag 0x010E)."""
    photo = PHOTO.read_bytes()
    entry = b"\x0e\x01\x02\x00" + len(text).to_bytes(4, "little") + (26).to_bytes(4, "little")
    tiff = b"II*\x00" + (8).to_bytes(4, "little") + b"\x01\x00" + entry + b"\0\0\0\0" + text
    body = b"Exif\0\0" + tiff
    return photo[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + photo[2:]


def pixel_markers(photo: bytes) -> dict[str, bytes]:
    """Some bytes of the file itself, and a stretch of one row of pixels in both orders of colour."""
    picture = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    row = picture[picture.shape[0] // 2, 200:232]
    return {
        "compressed pixels": photo[len(photo) // 2 :][:40],
        "pixels, BGR": row.tobytes(),
        "pixels, RGB": row[:, ::-1].tobytes(),
    }


def test_no_marker_lies_anywhere(tmp_path: Path) -> None:
    port = free_port()
    logs, temporary = tmp_path / "logs", tmp_path / "tmp"
    logs.mkdir()
    temporary.mkdir()
    web = ["/usr/bin/env", f"TMPDIR={temporary}", sys.executable, "-m", "gunicorn", "config.wsgi"]
    web += ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "2"]
    web += ["--log-level", "warning", "--no-control-socket"]
    with running(KEEPER, logs / "keeper.log"), running(web, logs / "web.log"):
        walk = Walk(f"http://127.0.0.1:{port}", open_study(keep_media=True))
        wait_for(lambda: alive(walk.address), what="the web server")
        look = take_the_walk(walk, tmp_path, logs)
    found = look.in_places(places(tmp_path))
    assert not found, "\n".join(found)
    assert look.seen > 1_000_000, "the search looked into next to nothing"


def alive(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def take_the_walk(walk: Walk, folder: Path, logs: Path) -> Search:
    """Invite, consent, upload, analyse, read, and every error on the way; returns the search."""
    unique = secrets.token_hex(6)
    reference, name = f"Reference-{unique}", f"Name-of-{unique}"
    email, file_name = f"mail-{unique}@example.org", f"file-{unique}.jpg"
    photo = marked_photo(f"exif-{unique}".encode())
    study, key = walk.study, walk.study.key()
    token = invite_by_form(walk, reference, email)
    register_subject(
        study.administrator.actor, study.purpose, reference=f"second-{reference}",
        email=f"second-{email}", name=name,
    )  # fmt: skip
    come_in_and_consent(walk, token)
    secret = study.administrator.app_secret
    look = Search(
        {
            "the reference": reference.encode(),
            "the name": name.encode(),
            "the address": email.encode(),
            "the file's name": file_name.encode(),
            "EXIF": f"exif-{unique}".encode(),
            "the invitation": token.encode(),
            "the API key": key.split("_", 2)[2].encode(),
            "the app secret": secret.encode(),
            "the app secret, raw": base64.b32decode(secret + "=" * (-len(secret) % 8)),
            "the password": study.administrator.password.encode(),
        }
        | pixel_markers(photo)
    )
    with walk.browser() as api:
        api.headers["Authorization"] = f"Bearer {key}"
        walk_the_machine(walk, api, look, photo, folder, logs)
    names = Search({each: look.markers[each] for each in ("the reference", "the address")})
    assert len(walk.asked) > 20
    assert not names.in_places(("an address", each.encode()) for each in walk.asked)
    links = [link for page in walk.told for link in links_of(page)]
    assert links
    assert not names.in_places(("a link", each) for each in links)
    return look


def walk_the_machine(
    walk: Walk, api: httpx.Client, look: Search, photo: bytes, folder: Path, logs: Path
) -> None:
    """Upload, then look; analyse, read and fail in every way, and look again."""
    analysis = upload(api, walk.study, photo, look)
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        queue = list(files_below(Path(settings.BROKER_DIR) / "queue"))
        assert Search({"id": analysis.encode()}).in_places(queue), (
            "the message waits in plain sight"
        )
    found = look.in_places(places(folder))
    assert not found, "\n".join(found)
    with running(WORKER, logs / "worker.log"):
        while Analysis.objects.get(pk=analysis).state in {"queued", "running"}:
            found += look.in_places(process_arguments())
        assert Analysis.objects.get(pk=analysis).state == AnalysisState.DONE
        result = api.get(
            reverse("api_result", args=[analysis]), headers={"Access-Reason": "quality-check"}
        )
        assert result.status_code == 200
        ask_wrongly(api, look.markers["the reference"].decode())
        found += look.in_places(places(folder))
    assert not found, "\n".join(found)


def links_of(page: httpx.Response) -> list[bytes]:
    """Where a page leads."""
    return [found.encode() for found in re.findall(r'(?:href|action|src)="([^"]*)"', page.text)]


def invite_by_form(walk: Walk, reference: str, email: str) -> str:
    """The administrator files the person on the page; the token on the card that is shown."""
    path = reverse("operate_invite", args=[walk.study.purpose.id])
    with walk.browser(walk.study.administrator.sign_in()) as desk:
        card = walk.send(desk, path, reference=reference, email=email, delivery="show")
        found = re.search(r"/me/invitation/([\w-]+)/", card.text)
        assert found, card.text
        mailed = walk.send(
            desk, path, reference=f"mailed-{reference}", email=f"mailed-{email}", delivery="mail"
        )
        assert mailed.status_code == 302
        for each in ("operate_people", "operate_outbox", "operate_log", "operate_home"):
            assert desk.get(reverse(each)).status_code == 200
    return found[1]


def come_in_and_consent(walk: Walk, token: str) -> None:
    """The person opens the link and says yes."""
    with walk.browser() as own:
        entered = walk.send(own, reverse("invitation", args=[token]))
        assert entered.status_code == 302
        path = entered.headers["Location"]
        notice = re.search(r'name="notice" value="([0-9a-f-]{36})"', own.get(path).text)
        assert notice
        given = walk.send(
            own, path, notice=notice[1], decision="give", categories=["media", "expression"]
        )
        assert given.status_code == 302
        assert own.get(reverse("subject_home")).status_code == 200


def upload(api: httpx.Client, study: Study, photo: bytes, look: Search) -> str:
    """Send the photograph under a telling file name; the id of its analysis."""
    reference = look.markers["the reference"].decode()
    name = look.markers["the file's name"].decode()
    answer = api.post(
        reverse("api_recordings"),
        data={"subject": reference, "purpose": str(study.purpose.id)},
        files={"file": (name, photo, "image/jpeg")},
        headers={"Idempotency-Key": "one"},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["analyses"][0]["id"])


def ask_wrongly(api: httpx.Client, reference: str) -> None:
    """Errors of every kind with the reference in them: no answer and no log line repeats it."""
    find = reverse("api_subjects_find")
    unknown = api.post(find, json={"subject": f"{reference}-unknown"})
    assert unknown.status_code == 404
    broken = api.post(find, content=f'{{"subject": "{reference}"', headers=JSON)
    assert broken.status_code == 400
    taken = api.post(reverse("api_consent_requests"), json={"subject": reference})
    assert taken.status_code == 409
    table = connection.ops.quote_name("consent_subjectreference")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO away")
    failed = api.post(find, json={"subject": reference})
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE away RENAME TO {table}")
    assert failed.status_code >= 500
    for answer in (unknown, broken, taken, failed):
        assert reference not in answer.text


JSON = {"Content-Type": "application/json"}
