"""Results, media and identity are three classes of reading; each read is one entry, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from accounts.actors import Actor, actor_for_client
from accounts.models import ApiClient
from audit_log.actions import Action
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from emotion.analyses import run_analysis
from emotion.errors import NotFound, ReasonRequired
from emotion.models import Analysis
from emotion.results import read_media, read_result
from tests.cast import PHOTO, Person, Study, api_get, consenting, open_study, upload
from tests.faults.roles import House, address, addresses, build, written
from vault.models import DataKey
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")
HEADING = "Addresses that write an entry when they are only opened"
LOOKING = {"administrator", "researcher", "DPO", "subject", "client"}
# As a script that polls would ask, and as a machine that states a reason.
ASKED: tuple[dict[str, str], ...] = ({}, {"HX-Request": "true", "Access-Reason": "quality-check"})


@dataclass
class Files:
    """Two people's analysed photographs in one study that keeps them."""

    study: Study
    desk: Client
    key: str
    people: list[Person]
    analyses: list[Analysis]


@pytest.fixture
def files() -> Files:
    study = open_study(keep_media=True)
    people = [consenting(study, "P-001"), consenting(study, "P-002")]
    key = study.key()
    for person in people:
        assert (
            upload(key, person.reference, study.purpose.id, PHOTO.read_bytes()).status_code == 202
        )
    for row in Analysis.objects.all():
        run_analysis(row.id)
    analyses = [
        Analysis.objects.select_related("recording").get(recording__subject=person.subject)
        for person in people
    ]
    return Files(study, study.administrator.sign_in(), key, people, analyses)


def look_at(actor: Actor, analysis: Analysis, stated: str = "") -> None:
    with read_media(actor, analysis.recording_id, stated) as media:
        assert media.blob.read().startswith(b"\x89PNG")


def by_form(files: Files, number: int, name: str, reason: str) -> Any:
    """The administrator states a reason on a page."""
    purpose, subject = files.study.purpose.id, files.people[number].subject.id
    given = [files.analyses[number].id] if name == "operate_result" else [purpose, subject]
    page = files.desk.post(reverse(name, args=given), {"reason": reason})
    assert page.status_code == 200, page.content
    return page


def by_api(files: Files, number: int) -> None:
    answer = api_get(
        files.key, "api_result", files.analyses[number].id, Access_Reason="quality-check"
    )
    assert answer.status_code == 200


Read = Callable[[Files, int], object]
READS: dict[str, tuple[Read, Action, str]] = {
    "a result, by an operator": (
        lambda files, number: by_form(files, number, "operate_result", "study-analysis"),
        Action.RESULT_READ, "study-analysis",
    ),
    "a result, by a client": (by_api, Action.RESULT_READ, "quality-check"),
    "a result, one's own": (
        lambda files, number: read_result(files.people[number].actor, files.analyses[number].id),
        Action.RESULT_READ, "own-access",
    ),
    "media, by an operator": (
        lambda files, number: look_at(
            files.study.researcher.actor, files.analyses[number], "incident-investigation"
        ),
        Action.MEDIA_READ, "incident-investigation",
    ),
    "media, one's own": (
        lambda files, number: look_at(files.people[number].actor, files.analyses[number]),
        Action.MEDIA_READ, "own-access",
    ),
    "identity, by an operator": (
        lambda files, number: by_form(files, number, "operate_identity", "subject-request"),
        Action.IDENTITY_READ, "subject-request",
    ),
}  # fmt: skip
CLASSES = {Action.RESULT_READ, Action.MEDIA_READ, Action.IDENTITY_READ}


def test_every_read_is_one_entry_of_its_class_about_its_person(files: Files) -> None:
    for name, (read, action, reason) in READS.items():
        for number, person in enumerate(files.people):
            integrate_once()
            before = LogEntry.objects.count()
            read(files, number)
            integrate_once()
            new = list(LogEntry.objects.filter(index__gte=before, action__in=CLASSES))
            assert len(new) == 1, name
            assert (new[0].action, new[0].reason, new[0].outcome) == (action, reason, "ok"), name
            tag = tagger(person.subject.id, files.study.purpose.id).subject()
            assert bytes(new[0].subject_tag or b"") == tag, name


def test_identity_is_not_in_the_other_two(files: Files) -> None:
    result = by_form(files, 0, "operate_result", "study-analysis").content.decode()
    assert "P-001" not in result
    assert "P-001" in by_form(files, 0, "operate_identity", "subject-request").content.decode()


def test_only_whom_it_is_about_needs_no_reason(files: Files) -> None:
    study, analysis = files.study, files.analyses[0]
    integrate_once()
    before = LogEntry.objects.count()
    for stated in ("", "because I want to", "own-access"):
        for actor in (study.administrator.actor, study.researcher.actor):
            with pytest.raises(ReasonRequired):
                read_result(actor, analysis.id, stated)
        with pytest.raises(ReasonRequired):
            look_at(study.researcher.actor, analysis, stated)
    integrate_once()
    assert LogEntry.objects.count() == before
    assert read_result(files.people[0].actor, analysis.id).parts["summary"]


def test_media_are_a_stricter_class_than_results(files: Files) -> None:
    """No administrator and no machine looks at faces, and of course nobody else."""
    study, client = files.study, ApiClient.objects.get()
    others = [study.administrator.actor, study.officer.actor, files.people[1].actor]
    for actor in [*others, actor_for_client(client)]:
        with pytest.raises(NotFound):
            look_at(actor, files.analyses[0], "quality-check")


def test_the_entry_is_committed_before_the_key_is_fetched(files: Files) -> None:
    """Seen from the database: the row of the entry, its commit, and only then the wrapped key."""
    seen: list[str] = []
    entry, key = PendingEntry._meta.db_table, DataKey._meta.db_table

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT") and entry in sql:
            inside = connections["default"].in_atomic_block
            seen.append("an entry that is not committed" if inside else "entry")
        if key in sql and context["connection"].alias == "keystore":
            seen.append("key")
        return execute(sql, params, many, context)

    for name, (read, _action, _reason) in READS.items():
        seen.clear()
        with ExitStack() as stack:
            for alias in ("default", "keystore"):
                stack.enter_context(connections[alias].execute_wrapper(watch))
            read(files, 0)
        assert seen[0] == "entry", f"{name}: {seen}"
        assert set(seen[1:]) == {"key"}, f"{name}: {seen}"


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


def appended(house: House, role: str, name: str) -> set[str]:
    """What this role writes into the log by only opening this address."""
    found = set()
    path = address(name, house.arguments)
    for headers in ASKED:
        before = entries()
        answer: Any = house.browsers[role].get(path, headers=headers)
        answer.getvalue()  # an archive opens what it holds while it is sent
        if entries() > before:
            integrate_once()
            new = LogEntry.objects.filter(index__gte=before)
            found |= set(new.values_list("action", flat=True))
    return found


def opened() -> Iterator[str]:
    """Every address that can be opened, by name."""
    posted = {name for name, (asked, *_cells) in written("Addresses").items() if asked != "GET"}
    yield from (str(each.name) for each in addresses() if each.name not in posted)


def test_only_the_listed_addresses_write_an_entry_when_they_are_opened() -> None:
    house = build()
    wrote: dict[str, tuple[str, str]] = {}
    for name in opened():
        by_role = {role: appended(house, role, name) for role in house.browsers if role in LOOKING}
        actions = sorted(set().union(*by_role.values()))
        if actions:
            roles = sorted(role for role, found in by_role.items() if found)
            wrote[name] = (", ".join(roles), ", ".join(f"`{each}`" for each in actions))
    listed = {name: tuple(cells[:2]) for name, cells in written(HEADING).items()}
    assert wrote == listed
