"""Every address, task and command against docs/roles.md, as every role."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from accounts.models import Scope
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from config.celery import app
from tests.cast import consenting, open_study
from tests.faults.roles import (
    MAY,
    NO,
    ROLES,
    SIGN_IN,
    UNINVOLVED,
    House,
    address,
    addresses,
    build,
    word,
    written,
)

OPENED = {"GET": "get", "HEAD": "head"}


def test_every_address_is_listed() -> None:
    found = [pattern.name for pattern in addresses()]
    assert None not in found, "an address without a name"
    assert len(set(found)) == len(found), "two addresses with one name"
    assert set(found) == set(written("Addresses"))


def test_every_task_is_listed() -> None:
    app.loader.import_default_modules()
    ours = {name for name in current_app.tasks if not name.startswith("celery.")}
    assert ours == set(written("Tasks"))


def test_every_command_is_listed() -> None:
    labels = {
        config.name
        for config in apps.get_app_configs()
        if Path(config.path).parent == settings.BASE_DIR
    }
    assert labels == {"config", "emotion", "consent", "accounts", "vault", "audit_log"}
    ours = {name for name, label in get_commands().items() if label in labels}
    assert ours == set(written("Commands"))


def leaks(house: House, role: str, name: str, answer: Any) -> list[str]:
    """What stands in a page that must not; the address that was asked for is known to the asker."""
    text = answer.getvalue().decode(errors="replace").replace(address(name, house.arguments), "")
    hidden = house.named + (house.opaque if role in UNINVOLVED else [])
    return [each for each in hidden if each in text]


def told(house: House, name: str, asked: str, role: str, expected: str) -> list[str]:
    """Ask as one role at one address; what differs from the table."""
    wrong = []
    if asked in OPENED and expected != MAY:
        answer = getattr(house, OPENED[asked])(role, name)
        if word(answer) != expected:
            wrong.append(f"{name} as {role}: expected {expected}, told {word(answer)}")
        wrong += [f"{name} shows {role} {what}" for what in leaks(house, role, name, answer)]
    if expected in {NO, SIGN_IN} or (asked == "POST" and expected != MAY):
        answer = house.post(role, name)
        refused = {NO, SIGN_IN, "405"} if asked in OPENED else {expected}
        if word(answer) not in refused:
            wrong.append(f"{name} takes the form of {role}: {word(answer)}")
    return wrong


def test_every_role_at_every_address(fresh_db: None) -> None:
    house = build()
    wrong = []
    for name, (asked, *cells) in written("Addresses").items():
        for role, expected in zip(ROLES, cells, strict=True):
            wrong += told(house, name, asked, role, expected)
    assert not wrong, "\n".join(wrong)


def test_a_client_needs_the_scope_of_each_address(fresh_db: None) -> None:
    study = open_study()
    checked = set()
    for pattern in addresses():
        scopes = getattr(getattr(pattern.callback, "cls", None), "scopes", {})
        for method, scope in scopes.items():
            key = study.key(*(each for each in Scope if each != scope))
            wanted = pattern.pattern.regex.groupindex
            # Of a class that several addresses share; and any live key may ask what an address can do.
            if not hasattr(pattern.callback.cls, method.lower()) or method == "OPTIONS":
                continue
            answer = Client().generic(
                method,
                reverse(str(pattern.name), kwargs=dict.fromkeys(wanted, uuid4())),
                headers={"Authorization": f"Bearer {key}"},
            )
            assert answer.status_code == 403, pattern.name
            checked.add(pattern.name)
    # The documents are for everybody; to obey, and to see to one's own keys, needs no scope.
    free = {"api_schema", "api_docs", "api_erasures", "api_erasure_acknowledge"}
    free |= {"api_client", "api_client_keys", "api_client_key"}
    free |= {"api_purposes", "api_purpose"}  # what every person may read too
    free |= {"api_log_entry", "api_log_entry_proof"}  # only what the client did itself
    assert checked == {name for name in written("Addresses") if name.startswith("api_")} - free


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


def test_a_task_with_the_id_of_nothing_does_nothing(fresh_db: None) -> None:
    consenting(open_study())
    before = entries()
    app.loader.import_default_modules()
    for name in written("Tasks"):
        current_app.tasks[name](str(uuid4()))
    assert entries() == before


def test_demo_commands_refuse_a_real_installation(fresh_db: None) -> None:
    assert not settings.DEMO
    for name in ("demo_study", "demo_code"):
        with pytest.raises(CommandError, match="not a demo"):
            call_command(name)


def test_the_verdict_on_the_log_names_nobody(fresh_db: None) -> None:
    study = open_study()
    person = consenting(study, "Visible-Alice")
    integrate_once()
    output = StringIO()
    call_command("verify_log", stdout=output)
    assert output.getvalue().strip()
    for secret in ("Visible", str(person.subject.id), str(person.subject.user_id)):
        assert secret not in output.getvalue()
