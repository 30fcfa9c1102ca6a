"""A request that breaks off, by its line or its server: what was durable stays, and the rest goes on."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest
from django.urls import reverse

from emotion.models import PartialUpload, Recording, UploadPart
from emotion.reservations import sweep_orphans
from tests.cast import Study, consenting, open_study
from tests.emotion.stored import stored_bytes
from tests.faults.leftovers import living_keys, sealed_files
from tests.faults.test_canary import alive
from tests.processes import running, wait_for
from tests.tools.test_supervise import free_port
from tests.tus import BYTES, SPEAKS, encoded

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("fresh_db")]
MB = 1024 * 1024


@cache
def large() -> bytes:
    """A photograph of more than three megabytes: noise does not become smaller."""
    noise = np.random.default_rng(1).integers(0, 256, (1100, 1000, 3), np.uint8)
    done, encoded_ = cv2.imencode(".png", noise)
    assert done
    assert len(encoded_) > 3 * MB
    return encoded_.tobytes()


@contextmanager
def web(port: int, log: Path) -> Iterator[int]:
    """A web server whose parts are of one megabyte; the id of its group."""
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += [
        "--worker-class",
        "audit_log.patient_lines.Worker",
        "--threads",
        "2",
        "--no-control-socket",
    ]
    with running(command, log, UPLOAD_PART_MB="1") as child:
        wait_for(lambda: alive(f"http://127.0.0.1:{port}"), 60, "the web server")
        yield child.pid


def begin_to_send(address: str, headers: dict[str, str], body: bytes, much: int) -> socket.socket:
    """A request that announces all of the body and has sent so much of it."""
    found = urlsplit(address)
    line = socket.create_connection((found.hostname, found.port))
    told = headers | {"Host": found.netloc, "Content-Type": BYTES, "Content-Length": str(len(body))}
    head = [f"PATCH {found.path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    line.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body[:much])
    return line


def begun(site: str, study: Study, length: int) -> tuple[str, dict[str, str]]:
    """A new upload: its address, and the headers of every request to it."""
    headers = SPEAKS | {"Authorization": f"Bearer {study.key()}"}
    about = {
        "Upload-Length": str(length),
        "Upload-Metadata": encoded(subject="P-001", purpose=str(study.purpose.id)),
    }
    made = httpx.post(site + reverse("api_uploads"), headers=headers | about)
    assert made.status_code == 201, made.text
    return made.headers["Location"], headers


def reached(address: str, headers: dict[str, str]) -> int:
    """How far an upload is."""
    head = httpx.head(address, headers=headers)
    assert head.status_code == 200
    return int(head.headers["Upload-Offset"])


def test_a_broken_line_loses_nothing_that_came(tmp_path: Path) -> None:
    study, body, port = open_study(), large(), free_port()
    consenting(study)
    came = 2 * MB + MB // 2 + 1
    with web(port, tmp_path / "web.log"):
        address, headers = begun(f"http://127.0.0.1:{port}", study, len(body))
        begin_to_send(address, headers | {"Upload-Offset": "0"}, body, came).close()
        wait_for(lambda: reached(address, headers) == came, 30, "what came of the broken request")
        sends = headers | {"Upload-Offset": str(came), "Content-Type": BYTES}
        rest = httpx.patch(address, headers=sends, content=body[came:], timeout=60)
        assert rest.status_code == 204, rest.text
    assert stored_bytes(Recording.objects.get()) == body


def test_a_killed_server_loses_a_part_and_no_more(tmp_path: Path) -> None:
    study = open_study()
    person = consenting(study)
    body, before, port = large(), sealed_files(), free_port()
    site = f"http://127.0.0.1:{port}"
    with web(port, tmp_path / "first.log") as group:
        address, headers = begun(site, study, len(body))
        offset = {"Upload-Offset": "0"}
        line = begin_to_send(address, headers | offset, body, 2 * MB + MB // 2)
        wait_for(lambda: UploadPart.objects.count() == 2, 60, "two parts")
        os.killpg(group, signal.SIGKILL)
        line.close()
    with web(port, tmp_path / "second.log"):
        assert reached(address, headers) == 2 * MB
        sends = headers | {"Upload-Offset": str(2 * MB), "Content-Type": BYTES}

        def sent() -> bool:
            answer = httpx.patch(address, headers=sends, content=body[2 * MB :], timeout=60)
            assert answer.status_code in {204, 423}, answer.text
            return answer.status_code == 204

        wait_for(sent, 30, "the killed request to be displaced")
    assert stored_bytes(Recording.objects.get()) == body
    assert not PartialUpload.objects.exists()
    assert sweep_orphans() == 0
    assert len(sealed_files() - before) == 1, (
        "also what the killed process had half-written is gone"
    )
    assert len(living_keys(person.subject)) == 1
