"""Markers planted in everything that names or shows a person, and then looked for everywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from emotion.models import Analysis, AnalysisState
from tests.broker import captured_events, waiting_messages
from tests.cast import open_study
from tests.faults.canary import Search
from tests.faults.places import everywhere, files_below, processes
from tests.faults.walk import (
    Walk,
    ask_and_answer,
    ask_wrongly,
    come_in_and_consent,
    invite,
    links_of,
    read,
    record_a_breach,
    state_reasons_in_words,
    upload,
    upload_in_parts,
    upload_oneself,
)
from tests.processes import KEEPER, WORKER, running, wait_for
from tests.tools.test_supervise import free_port

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("fresh_db")]
# What an operator may switch on to watch the queue; the product itself sends no events.
SENT_EVENTS = """
def post_worker_init(worker):
    from config.celery import app
    app.conf.task_send_sent_event = True
"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server and a keeper that log and work in ``folder``; the address."""
    temporary, logs, watched = folder / "tmp", folder / "logs", folder / "gunicorn.py"
    temporary.mkdir()
    logs.mkdir()
    watched.write_text(SENT_EVENTS)
    port = free_port()
    web = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"]
    web += [
        "--worker-class",
        "audit_log.patient_lines.Worker",
        "--threads",
        "2",
        "--log-level",
        "warning",
    ]
    web += ["--no-control-socket", "--config", str(watched)]
    with (
        running(KEEPER, logs / "keeper.log", TMPDIR=str(temporary)),
        running(web, logs / "web.log", TMPDIR=str(temporary)),
    ):
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: alive(address), 60, "the web server")
        yield address


def alive(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_no_marker_lies_anywhere(tmp_path: Path) -> None:
    with served(tmp_path) as address, captured_events() as events:
        walk = Walk(address, open_study(keep_media=True))
        invite(walk)
        come_in_and_consent(walk)
        analysis = upload(walk)
        upload_oneself(walk)
        upload_in_parts(walk)
        look = walk.marks.search()
        queued = [("a message", message) for message in waiting_messages()]
        assert Search({"id": analysis.encode()}).in_places(queued), "it waits in plain sight"
        nothing(look.in_places(everywhere(tmp_path)))
        with running([*WORKER, "-E"], tmp_path / "worker.log", TMPDIR=str(tmp_path / "tmp")):
            while Analysis.objects.filter(state__in=["queued", "running"]).exists():
                nothing(look.in_places(processes()))
                nothing(look.in_places(files_below(tmp_path / "tmp")))
            assert {row.state for row in Analysis.objects.all()} == {AnalysisState.DONE}
            read(walk, analysis)
            ask_and_answer(walk)
            record_a_breach(walk)
            state_reasons_in_words(walk, analysis)
            ask_wrongly(walk)
            nothing(look.in_places(everywhere(tmp_path)))
        told = {"task-sent", "task-received", "task-succeeded"}
        wait_for(lambda: told <= events.kinds(analysis), 20, "the events of the analysis")
        nothing(look.in_places(events.places()))
    walk.close()
    nothing(look.in_places(everywhere(tmp_path)))
    assert look.seen > 1_000_000, "the search looked into next to nothing"
    nothing_is_told(walk)


def nothing(found: list[str]) -> None:
    assert not found, "\n".join(found)


def nothing_is_told(walk: Walk) -> None:
    """No address, no link and no error names the person or repeats what was typed."""
    hidden = walk.marks.never_told()
    assert len(walk.asked) > 20
    assert not hidden.in_places(("an address", each.encode()) for each in walk.asked)
    links = [link for page in walk.told for link in links_of(page)]
    assert links
    assert not hidden.in_places(("a link", each) for each in links)
    errors = [page for page in walk.told if page.status_code >= 400]
    told = {page.status_code for page in errors}
    assert told >= {400, 404, 409, 422}
    assert max(told) >= 500  # 503 or 500: a missing table is the one or the other, by engine
    assert not hidden.in_places((f"the error at {page.url}", page.content) for page in errors)
    headers = [repr(page.headers).encode() for page in walk.told]
    assert not hidden.in_places(("a header", each) for each in headers)
