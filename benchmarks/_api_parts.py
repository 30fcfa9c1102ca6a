"""Where the time of one request goes: its queries, and the time between entering and leaving each part.

The parts are told apart by wrapping their functions, wherever they were imported to, in a process that
answers requests as a web process does (its connections are opened and closed as there). A part's time
is its own: what a marked function inside it takes counts for that one.
"""

from __future__ import annotations

import functools
import importlib
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from benchmarks._wrk import Asked

REST = "Django, middleware"
PLACES = {
    "rest_framework.views:APIView.dispatch": "view, look-ups",
    "accounts.authentication:ApiKeyAuthentication.authenticate": "authentication",
    "accounts.counting:count": "counting it",
    "consent.enforcement:require_consent": "gate",
    "consent.enforcement:ConsentPermit.recheck": "gate",
    "vault.tags:tagger": "the log's tags",
    "audit_log.log:append_durable": "log entry",
    "audit_log.log:append": "log entry",
    "vault.parts:unseal_parts": "unsealing",
    "vault.keyring:create_data_key": "sealing",
    "vault.store:seal_blob": "sealing",
    "vault.blobs:BlobWriter.write": "sealing",
    "vault.blobs:BlobWriter.commit": "sealing",
    "emotion.probing:MediaProbe.feed": "the photograph's own process",
    "emotion.probing:MediaProbe.finish": "the photograph's own process",
    "emotion.queue:enqueue_analysis": "message to the worker",
    "django.db.backends.base.base:BaseDatabaseWrapper.connect": "opening databases",
    "django.db.backends.base.base:BaseDatabaseWrapper.close": "closing databases",
    "django.db.backends.base.base:BaseDatabaseWrapper.commit": "commits",
    "django.template.response:SimpleTemplateResponse.render": "rendering",
}

Times = dict[str, tuple[float, float]]


class Clock:
    """Milliseconds by the clock and of the processor, each counted for the part that is entered last."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self.entered: list[str] = []
        self.last = (0.0, 0.0)

    def tick(self) -> None:
        """Count what passed since the last tick for the part that was entered last."""
        now = (time.perf_counter(), time.process_time())
        if self.entered:
            spent = self.parts.setdefault(self.entered[-1], [0.0, 0.0])
            for which in (0, 1):
                spent[which] += (now[which] - self.last[which]) * 1000
        self.last = now

    def inside(self, part: str, do: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, counted."""

        @functools.wraps(do)
        def counted(*args: Any, **options: Any) -> Any:
            self.tick()
            self.entered.append(part)
            try:
                return do(*args, **options)
            finally:
                self.tick()
                self.entered.pop()

        return counted

    def mark(self) -> None:
        """Put a counted one in the place of each function, wherever it was imported to."""
        for place, part in PLACES.items():
            module_name, _colon, name = place.partition(":")
            owner, _dot, method = name.partition(".")
            module = importlib.import_module(module_name)
            if method:
                holder = getattr(module, owner)
                setattr(holder, method, self.inside(part, getattr(holder, method)))
                continue
            plain = getattr(module, owner)
            counted = self.inside(part, plain)
            for known in list(sys.modules.values()):
                for key, value in list(getattr(known, "__dict__", {}).items()):
                    if value is plain:
                        setattr(known, key, counted)


def answer(asked: Asked, number: int = 0) -> bytes:
    """The body of the product's own answer, through its WSGI entry, in this process."""
    from django.test import RequestFactory

    from config.wsgi import application

    headers = dict(asked.headers)
    if asked.fresh:
        headers["Idempotency-Key"] = f"here-{number}-{time.monotonic_ns()}"
    kind = headers.pop("Content-Type", "application/octet-stream")
    request = RequestFactory().generic(
        asked.method, asked.path, asked.body, content_type=kind, headers=headers
    )
    said: list[str] = []
    body = application(request.environ, lambda status, *_rest: said.append(status))
    try:
        whole = b"".join(body)
    finally:
        body.close()
    if not said[0].startswith("2"):
        raise SystemExit(f"{asked.name}: {said[0]}: {whole[:300]!r}")
    return whole


def queries(asked: Asked) -> str:
    """How many statements a request needs in each database, after one that warmed what is kept."""
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    answer(asked)
    with (
        CaptureQueriesContext(connections["default"]) as main,
        CaptureQueriesContext(connections["keystore"]) as keys,
    ):
        answer(asked)
    counted = [
        sum(not q["sql"].startswith(("BEGIN", "COMMIT")) for q in each.captured_queries)
        for each in (main, keys)
    ]
    return f"{counted[0]} queries of the main database, {counted[1]} of the keys'"


def parts(clock: Clock, asked: Asked, times: int) -> Times:
    """Median milliseconds by the clock and of the processor for each part of a request."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    whole = clock.inside(REST, answer)
    for number in range(times):
        clock.parts = {}
        whole(asked, number)
        for part in {REST, *PLACES.values()}:
            clocked, processor = clock.parts.get(part, (0.0, 0.0))
            found[part].append((clocked, processor))
    medians = {}
    for part, seen in found.items():
        clocked, processor = (statistics.median(column) for column in zip(*seen, strict=True))
        medians[part] = (clocked, processor)
    return medians


def tell(every: list[Asked], times: int) -> None:
    """A few lines for each request: its queries, then its parts, the dearest first."""
    counted = {asked.name: queries(asked) for asked in every}
    clock = Clock()
    clock.mark()
    for asked in every:
        found = parts(clock, asked, times)
        total = [sum(each[which] for each in found.values()) for which in (0, 1)]
        print(
            f"  {asked.name}: {counted[asked.name]}; {total[0]:.1f} ms by the clock, "
            f"{total[1]:.1f} of the processor"
        )
        dearest = sorted(found.items(), key=lambda each: -each[1][0])
        told = [
            f"{part} {clocked:.2f} ({processor:.2f})"
            for part, (clocked, processor) in dearest
            if clocked >= 0.005
        ]
        print(f"    {', '.join(told)}", flush=True)
