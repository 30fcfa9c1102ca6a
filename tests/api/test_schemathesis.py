"""Every operation against its own description, as every kind of client, asked what nobody would ask.

``API_EXAMPLES`` (default 2) is how many requests are drawn for each operation, beside those
that cover its schema by rule; 200 make a long run.
The requests are drawn from a fixed seed, so that what fails once fails again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import schemathesis
import werkzeug
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.utils import timezone
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from accounts.clients import change_networks, revoke_client
from accounts.models import ApiKey, Scope
from tests.cast import Study, client_of, consenting, open_study

EXAMPLES = int(os.environ.get("API_EXAMPLES", "2"))
SEED = 20261128
SCHEMA = "/api/v1/schema/?format=json"


class Installation:
    """The WSGI application; connections belong to the thread of one request, as in a server."""

    def __init__(self) -> None:
        self.app = WSGIHandler()
        self.told: Counter[str] = Counter()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        def counted(status: str, *rest: Any) -> Any:
            self.told[status[:3]] += 1
            return start(status, *rest)

        answer = self.app(environ, counted)
        try:
            return [b"".join(answer)]
        finally:
            answer.close()
            connections.close_all()


# What is not asked of an answer, and why. All other checks of schemathesis run, each for every answer.
UNTOLD: dict[str, Any] = {
    # It wants a second set of credentials per operation to compare with; tests/faults/test_others.py and
    # test_errors.py hold that what is not yours answers like what does not exist.
    "object_level_authorization": {"enabled": False},
}
# A schema cannot say everything that makes a request a right one.
REJECTED_ALTHOUGH_VALID = {
    "recordings_create": "the order of the parts, and that the file is a picture of a face",
    "client_keys_create": "that an end lies between now and the client's own",
    "consent_requests_create": "that the address can be written to, and what a key may be",
    "exports_create": "that the ids are those of people of the purpose",
    "recordings_create_batch": "the order of the parts",
    "recordings_analyse": "what a key may be",
    "uploads_create": "what the metadata hold",
    "uploads_append": "that the bytes go on where the upload is",
    "uploads_standing": "which version is spoken",
    "uploads_terminate": "which version is spoken",
    "webhook_put": "that the address is a public one with https",
}
LISTS = ("analyses", "consent_requests", "exports", "purposes", "recordings", "subjects")
REJECTED_ALTHOUGH_VALID |= {
    f"{name}_list": "that a cursor is one that was given" for name in (*LISTS, "webhook_deliveries")
}
# The tus protocol has a status of its own for a version that is not spoken.
TUS = {
    check: {"expected-statuses": ["4xx", "5xx"]}
    for check in ("negative_data_rejection", "missing_required_header")
}
WHOLE: dict[str, Any] = {"generation": {"max-examples": EXAMPLES}}
ONCE: dict[str, Any] = {
    "generation": {"max-examples": 1, "mode": "positive"},
    "phases": {name: {"enabled": False} for name in ("examples", "coverage", "stateful")},
}
"""For keys that open little: one right request for each operation."""


FOR_HTTP = {"max_redirects", "verify", "cert", "proxies", "stream", "allow_redirects"}


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schemathesis 4.32 hands its client for WSGI arguments that are meant for the one for HTTP."""
    plain = werkzeug.Client.open

    def opened(client: werkzeug.Client, *args: Any, **kwargs: Any) -> Any:
        meant = {name: each for name, each in kwargs.items() if name not in FOR_HTTP}
        return plain(client, *args, **meant)

    monkeypatch.setattr(werkzeug.Client, "open", opened)


@schemathesis.serializer("application/offset+octet-stream")
def as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Bytes of a resumable upload."""
    return value if isinstance(value, bytes) else str(value).encode()


def configured(key: str, more: dict[str, Any]) -> SchemathesisConfig:
    unsure = {"positive_data_acceptance": {"enabled": False}}
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            "checks": UNTOLD,
            "operations": [
                {
                    "include-operation-id": name,
                    "checks": unsure | (TUS if name.startswith("uploads_") else {}),
                }
                for name in REJECTED_ALTHOUGH_VALID
            ],
            **more,
            "generation": {"deterministic": True, "no-shrink": True, **more["generation"]},
        }
    )


def asked(key: str, more: dict[str, Any]) -> tuple[Counter[str], list[str]]:
    """Ask every operation with this key: how often each status came, and what was wrong."""
    app = Installation()
    config = configured(key, more)
    schema = schemathesis.openapi.from_wsgi(SCHEMA, app, config=config)
    wrong: dict[str, None] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            wrong[f"{event.label}: {event.info.message}"] = None
        if isinstance(event, events.ScenarioFinished):
            wrong |= dict.fromkeys(failures(event))
    return app.told, list(wrong)


def failures(event: events.ScenarioFinished) -> Iterator[str]:
    """What was wrong in one scenario, with the request that shows it."""
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                sample = event.recorder.cases[case].value.as_curl_command()
                told = f"{failure.title}: {failure.message}"
                yield f"{event.recorder.label}: {check.name}: {told}\n  {sample}"


def keys(study: Study) -> dict[str, str]:
    """One key for each scope alone, and such as open nothing."""
    found = {str(scope): study.key(scope) for scope in Scope}
    shut = {name: study.key() for name in ("expired", "revoked", "elsewhere")}
    clients = {name: client_of(key) for name, key in shut.items()}
    past = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.filter(client=clients["expired"]).update(expires_at=past)
    revoke_client(study.administrator.actor, clients["revoked"].id)
    change_networks(study.administrator.actor, clients["elsewhere"].id, ["192.0.2.0/24"])
    return found | shut | {"none": "", "wrong": "cns_0123456789_x"}


@pytest.mark.timeout(1800)  # many operations, on a machine that others use
def test_every_operation_does_what_its_description_says(
    fresh_db: None, settings: Any, probes: None
) -> None:
    settings.API_RATE = "1000000/min"
    study = open_study()
    consenting(study)
    statuses, wrong = asked(study.key(), WHOLE)
    # Otherwise this test would be blind.
    everything = {"200", "201", "204", "400", "401", "404", "405", "409", "415", "422"}
    assert everything <= statuses.keys(), statuses
    for name, key in keys(study).items():
        statuses, found = asked(key, ONCE)
        wrong += [f"as {name}: {each}" for each in found]
        if name not in Scope.values:
            # The document itself is for everybody, and no address has a letter for an id.
            assert statuses.pop("200") == 1, name
            assert statuses.keys() <= {"401", "404"}, name
            assert statuses["401"] > statuses["404"], name
    assert not wrong, "\n".join(wrong)
