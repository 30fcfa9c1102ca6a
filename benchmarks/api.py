"""What a request of the API costs, beside bare views: ``python -m benchmarks.api [seconds] [rounds]``.

A fresh installation, served by gunicorn as ``make run`` starts it (no worker, and of the keeper only what
it does for SQLite's journal), and beside the product on the same server views that do nothing. ``wrk``
asks over loopback: one connection for how long an answer takes, eight for how many come in a second; in
each round every request and every bare view has its turn. For one long answer ``wrk`` counts those that
would have come meanwhile (``stats_correct`` in its source): a p99 may be a single one. Printed: medians
over the rounds with their range, ratios to the bare view of the same round, and processor time of the
server's processes. Then one process answers alone and tells where the time goes.

On SQLite always, and on PostgreSQL when ``BENCH_DATABASE_URL`` (``postgres://user@host:port``) names a
server. Limits (``API_RATE`` and the like) are set so high that no answer is a refusal.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks._api_parts import answer, tell
from benchmarks._installation import INNER, ROOT, databases_on, run_on
from benchmarks._wrk import Asked, Found, load, require_wrk
from tools.demo import free_port
from tools.installation import from_environment, make_folders
from tools.supervise import children

CONNECTIONS = (1, 8)
ROWS = 10_000
ALONE = 30  # requests of each kind in the process that tells where the time goes
GOAL = 3.0
READ = "result, logged and unsealed"
LIST = "list, 50 of 10,000"
BARE, TAKING = "bare DRF view", "bare DRF view, takes the upload"
NOTING = "bare DRF view, one durable row"
LIMITS = {
    "API_RATE": "999999999/min",
    "CLIENT_ANALYSES_PER_DAY": "1000000",
    "CLIENT_UPLOADS_AT_ONCE": "1000",
    "SUBJECT_UPLOADS_PER_HOUR": "1000000",
    "QUEUE_AT_MOST": "1000000",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "LOG_LEVEL": "ERROR",
}
BOUNDARY = "consentry-benchmark"


@dataclass
class Scene:
    """What is asked: bare views, requests, and the result that a bare view gives as it stands."""

    floors: list[Asked]
    requests: list[Asked]
    document: str
    small_list: Asked


def upload_body(purpose_id: UUID, reference: str) -> bytes:
    """The astronaut's photograph, 97 KiB, as an API client sends it."""
    from tests.cast import PHOTO

    fields = (("subject", reference), ("purpose", str(purpose_id)))
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields]
    parts += [b'name="file"; filename="a.jpg"\r\n\r\n' + PHOTO.read_bytes()]
    begun = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    return b"".join(begun + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def fill(recording: Any) -> None:
    """Recordings like this one, each with its analysis, until there are ``ROWS``."""
    from django.db import connection
    from uuid_utils.compat import uuid7

    from emotion.models import Analysis, Recording

    def columns(row: Any) -> dict[str, Any]:
        return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}

    whole, run = columns(recording), columns(recording.analyses.get())
    ids = [uuid7() for _ in range(ROWS - 1)]
    Recording.objects.bulk_create([Recording(**whole | {"id": id}) for id in ids], 500)
    Analysis.objects.bulk_create(
        [Analysis(**run | {"id": uuid7(), "recording_id": id}) for id in ids], 500
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # a server does it by itself, but not within the minute


def prepare() -> Scene:
    """Two studies, so that uploads do not lengthen the list; one result, made by the real models."""
    import django

    django.setup()
    from django.db import connection

    from tests.cast import analysed, consenting, open_study

    study, other = open_study(), open_study()
    consenting(study)
    consenting(other, "P-002")
    analysis = analysed(study)
    fill(analysis.recording)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_note (what varchar(10))")
    subject = analysis.recording.subject.references.get().id
    key, others = ({"Authorization": f"Bearer {each.key()}"} for each in (study, other))
    typed = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    body = upload_body(other.purpose.id, "P-002")
    api = "/api/v1/"
    read = Asked(
        READ, f"{api}analyses/{analysis.id}/result/", key | {"Access-Reason": "quality-check"}
    )
    return Scene(
        floors=[
            Asked("bare Django view", "/bare/django/"),
            Asked(BARE, "/bare/drf/"),
            Asked("  with the result's bytes", "/bare/document/"),
            Asked("  behind the product's middleware", "/inside/drf/"),
            Asked(NOTING, "/bare/noting/"),
            Asked(TAKING, "/bare/taking/", typed, "POST", body),
        ],
        requests=[
            Asked("consent by id", f"{api}subjects/{subject}/", key),
            Asked(
                "consent by reference",
                f"{api}subjects/find/",
                key | {"Content-Type": "application/json"},
                "POST",
                b'{"subject": "P-001"}',
            ),
            read,
            Asked(LIST, f"{api}recordings/?limit=50", key),
            Asked("upload, 97 KiB", f"{api}recordings/", others | typed, "POST", body, True, 3),
        ],
        document=answer(read).decode(),
        small_list=Asked("list, 1 of 10,000", f"{api}recordings/?limit=1", key),
    )


@contextmanager
def server(document: str) -> Iterator[tuple[str, int]]:
    """The web process as ``make run`` starts it, with the bare views: (address, process)."""
    port = free_port()
    installation = from_environment(os.environ, port)
    make_folders(installation)
    web = children(installation, "127.0.0.1", port)[0]
    ours = {"DJANGO_SETTINGS_MODULE": "benchmarks._api_settings", "BENCH_DOCUMENT": document}
    command = ["benchmarks._api_wsgi" if word == "config.wsgi" else word for word in web.command]
    process = subprocess.Popen(command, cwd=ROOT, env={**web.environment, **ours})
    try:
        wait_until_up(process, port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(30)


def wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when it answers; ends the program when it died."""
    while process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        time.sleep(0.1)
    raise SystemExit("the web server ended before it answered")


Runs = dict[tuple[str, int], list[Found]]


def take_turns(scene: Scene, seconds: int, rounds: int) -> Runs:
    """Everything once a round, over one connection and over eight; two seconds each before, to warm up."""
    every = [*scene.floors, *scene.requests]
    runs: Runs = {(asked.name, each): [] for asked in every for each in CONNECTIONS}
    with server(scene.document) as (base, process), tempfile.TemporaryDirectory() as name:
        for asked in every:
            load(asked, base, process, Path(name), max(CONNECTIONS), 2 * asked.longer)
        for _round in range(rounds):
            for asked in every:
                for each in CONNECTIONS:
                    time.sleep(0.2)  # what wrk left unanswered at its end is done by then
                    lasting = seconds * asked.longer
                    found = load(asked, base, process, Path(name), each, lasting)
                    runs[asked.name, each].append(found)
    return runs


@contextmanager
def journal_written_back() -> Iterator[None]:
    """Beside the requests, as often as the keeper does it."""
    from django.db import connection

    from emotion.journal import write_back

    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(0.25):
            write_back()
        connection.close()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def middle(values: list[float], digits: int = 1) -> str:
    """Median and range."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def against(runs: Runs, name: str, floor: str) -> tuple[list[float], list[float], list[float]]:
    """How many times the floor of the same round: p50 of one; requests and processor time of eight."""
    one, many = CONNECTIONS
    alone = zip(runs[name, one], runs[floor, one], strict=True)
    together = list(zip(runs[name, many], runs[floor, many], strict=True))
    return (
        [ours.p50 / bare.p50 for ours, bare in alone],
        [bare.rate / ours.rate for ours, bare in together],
        [ours.processor / bare.processor for ours, bare in together],
    )


def report(runs: Runs, scene: Scene) -> None:
    """A line for each, then the ratios and the goal."""
    one, many = CONNECTIONS
    print(f"  {'':34}{'p50 ms':>24}{'p99 ms':>24}{'requests/s':>20}{'processor ms':>24}")
    for asked in [*scene.floors, *scene.requests]:
        alone, together = runs[asked.name, one], runs[asked.name, many]
        print(
            f"  {asked.name:34}{middle([run.p50 for run in alone], 2):>24}"
            f"{middle([run.p99 for run in alone]):>24}"
            f"{middle([run.rate for run in together], 0):>20}"
            f"{middle([run.processor for run in together], 2):>24}"
        )
    print(f"  times the {BARE}: p50 | requests in the same time | processor time")
    for asked in scene.requests:
        floor = TAKING if asked.fresh else BARE
        told = " | ".join(middle(each) for each in against(runs, asked.name, floor))
        print(f"  {asked.name:34}{told}{'' if floor == BARE else '  (of one that takes it)'}")
    longer = statistics.median(against(runs, READ, BARE)[0])
    verdict = "met" if longer <= GOAL else "missed"
    print(f"  goal: {READ}: at most {GOAL:.0f} times the {BARE}; {longer:.1f}: {verdict}")
    noted = against(runs, READ, NOTING)[0]
    print(f"  {READ}: {middle(noted)} times the {NOTING}")
    fewest = min(run.requests for found in runs.values() for run in found)
    print(
        f"  the shortest run had {fewest} requests; p99 of under 100 is the slowest one", flush=True
    )


def measure(seconds: int, rounds: int) -> None:
    """Inside a fresh installation: prepare, ask, report, and say where the time goes."""
    scene = prepare()
    print(
        f"  {rounds} rounds of {seconds} s (uploads three times as long); p50 and p99 of "
        f"{CONNECTIONS[0]} connection, the rest of {CONNECTIONS[1]}; {ROWS:,} recordings, all but one "
        f"copied into the tables; the result has {len(scene.document):,} bytes"
    )
    with journal_written_back():
        runs = take_turns(scene, seconds, rounds)
    report(runs, scene)
    print("  where it goes, ms by the clock (of the processor), medians in one process alone:")
    tell([*scene.requests, scene.small_list], ALONE)


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:3]]
    seconds, rounds = [*numbers, *(5, 3)[len(numbers) :]]
    require_wrk()
    if os.environ.get(INNER):
        measure(seconds, rounds)
        return
    words = ("benchmarks.api", str(seconds), str(rounds))
    run_on("SQLite", *words, **LIMITS)
    if given := os.environ.get("BENCH_DATABASE_URL"):
        with databases_on(given.rstrip("/")) as made:
            run_on("PostgreSQL", *words, **made, **LIMITS)
    else:
        print("PostgreSQL: not asked for (BENCH_DATABASE_URL)")


if __name__ == "__main__":
    main()
