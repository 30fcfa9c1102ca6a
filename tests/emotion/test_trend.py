"""One's own results over time: off by itself, known to nobody else, and nothing follows from it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bs4 import BeautifulSoup
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit_log.actions import Action
from audit_log.entries import parse
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from config import checks
from consent.models import OutboxMessage
from emotion import help_lines, trend
from emotion.disputes import dispute
from tests.broker import waiting_messages
from tests.cast import Person, analysed, consenting, open_study
from tests.emotion.inference.photographs import sad
from tests.emotion.test_comparison import once_more
from tests.faults.places import rows
from tests.processes import make_broker_folders

pytestmark = pytest.mark.usefixtures("fresh_db")


def page_of(person: Person, **headers: str) -> Any:
    return person.browser.get(reverse("own_trend"), headers=headers)


def turn(person: Person, how: str) -> Any:
    answer = person.browser.post(reverse("own_trend"), {"turn": how})
    assert answer.status_code == 302
    return answer


def blank() -> bytes:
    return bytes(cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1])


def said(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    (main,) = BeautifulSoup(answer.content, "html.parser").find_all("main")
    text = main.get_text(" ", strip=True)
    return re.sub(r"\s+", " ", text)


def columns(answer: Any) -> list[tuple[int, int]]:
    """For each of the seven rows of the chart: how many columns, and how many dashes."""
    found = BeautifulSoup(answer.content, "html.parser").select("svg.strip")
    return [(len(svg.select("path")), len(svg.select("rect.unknown"))) for svg in found]


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


def everything() -> dict[str, bytes]:
    return dict(rows())


def test_it_is_off_and_opens_nothing_until_the_person_turns_it_on() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study)
    before = entries()
    page = page_of(person)
    text = said(page)
    assert "It is off" in text
    assert "opens 1 result of the studies" in text
    assert "looked happy" not in text
    assert entries() == before
    turn(person, "sideways")
    assert "It is off" in said(page_of(person))
    turn(person, "on")
    page = page_of(person)
    text = said(page)
    assert "It is on in this browser" in text
    assert "The expression looked happy: 1" in text
    assert "An expression is no feeling" in text
    assert "the share that the models gave this word" in text
    assert "The program names one expression: happy." in text
    assert text.count("Calibrated on the validation part of FER2013: the numbers hold") == 1
    assert "Opening this page wrote 1 entry into the log" in text
    assert columns(page) == [(1, 0)] * 7
    assert "no-store" in page.headers["Cache-Control"]
    assert entries() == before + 1
    turn(person, "off")
    assert "It is off" in said(page_of(person))
    assert entries() == before + 1


def test_that_it_is_on_lies_in_the_persons_browser_and_nowhere_else() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study)
    integrate_once()
    before = everything()
    kept = turn(person, "on").cookies[trend.COOKIE]
    assert everything() == before, "no row of any table knows that it is on"
    assert kept["path"] == reverse("own_trend")
    assert kept["httponly"]
    for name in (person.subject.id, person.subject.user_id, "P-001"):
        assert str(name) not in kept.value
    gone = turn(person, "off").cookies[trend.COOKIE]
    assert (gone.value, gone["max-age"], gone["path"]) == ("", 0, kept["path"])
    assert everything() == before


def test_the_mark_of_one_person_turns_nothing_on_for_another() -> None:
    study = open_study()
    person, other = consenting(study), consenting(study, "P-002")
    analysed(study)
    analysed(study, "P-002")
    turn(person, "on")
    other.browser.cookies[trend.COOKIE] = person.browser.cookies[trend.COOKIE].value
    assert "It is off" in said(page_of(other))
    for browser in (study.administrator.sign_in(), study.officer.sign_in()):
        browser.cookies[trend.COOKIE] = person.browser.cookies[trend.COOKIE].value
        assert browser.get(reverse("own_trend")).status_code == 404
    stranger = Client()
    stranger.cookies[trend.COOKIE] = person.browser.cookies[trend.COOKIE].value
    assert stranger.get(reverse("own_trend")).status_code == 302


def test_its_entries_are_those_of_any_own_result() -> None:
    study = open_study()
    person = consenting(study)
    row = analysed(study)
    turn(person, "on")
    integrate_once()
    before = LogEntry.objects.count()
    person.browser.get(reverse("own_result", args=[row.id]))
    page_of(person)
    integrate_once()
    found = [parse(each.body) for each in LogEntry.objects.filter(index__gte=before)]
    assert len(found) == 2
    first, second = (json.loads(each.body) for each in LogEntry.objects.filter(index__gte=before))
    for each in (first, second):
        for own in ("id", "time", "permit"):
            each.pop(own)
    assert first == second
    assert first["action"] == Action.RESULT_READ


def test_nothing_follows_from_results_that_look_bad() -> None:
    make_broker_folders()
    study = open_study()
    person = consenting(study)
    for _number in range(3):
        analysed(study, photo=sad())
    turn(person, "on")
    integrate_once()
    before, waiting = everything(), waiting_messages()
    page = page_of(person)
    assert "The expression looked sad or fearful: 3" in said(page)
    changed = {name for name, content in everything().items() if before[name] != content}
    assert changed == {f"the table {PendingEntry._meta.db_table}"}, "entries, and nothing else"
    assert {parse(row.body).draft.action for row in PendingEntry.objects.all()} == {
        Action.RESULT_READ
    }
    assert waiting, "the uploads' own messages"
    assert waiting_messages() == waiting
    assert not OutboxMessage.objects.exists()
    help_of_the_sad = said(page).split("If you would like to talk", 1)[1]
    happy = consenting(study, "P-002")
    analysed(study, "P-002")
    turn(happy, "on")
    assert said(page_of(happy)).split("If you would like to talk", 1)[1] == help_of_the_sad


def test_only_studies_with_a_live_consent_are_in_it() -> None:
    study, other = open_study(), open_study(name="Second study")
    person = consenting(study)
    analysed(study)
    subject = person.subject
    second = consenting(other, "P-009")
    assert second.subject.id != subject.id
    turn(person, "on")
    assert "Story study" in said(page_of(person))
    pause = reverse("consent_change", args=[study.purpose.id])
    assert person.browser.post(pause, {"step": "pause"}).status_code == 302
    assert "The expression looked happy: 1" in said(page_of(person)), "a pause keeps it readable"
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    before = entries()
    text = said(page_of(person))
    assert "Nothing to show yet" in text
    assert entries() == before, "not even a refusal is written"


def test_what_was_not_analysed_or_not_measured_is_shown_as_that() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study)
    analysed(study, photo=blank())
    turn(person, "on")
    page = page_of(person)
    text = said(page)
    assert "2 photographs:" in text
    assert "This photograph was not analysed: 1" in text
    assert "No face was found in the photograph." in text
    assert columns(page) == [(1, 1)] * 7
    stop = reverse("consent_change", args=[study.purpose.id])
    answer = person.browser.post(stop, {"step": "stop:expression"})
    assert answer.status_code == 302, answer.content
    page = page_of(person)
    assert "looked happy" not in said(page)
    assert columns(page) == [(0, 2)] * 7


def test_a_photograph_that_was_measured_again_is_one_moment() -> None:
    study = open_study(keep_media=True)
    person = consenting(study)
    row = analysed(study)
    for _turn in range(2):
        newest = once_more(study, row.recording)
    assert "opens 1 result of the studies" in said(page_of(person))
    turn(person, "on")
    before = entries()
    page = page_of(person)
    assert "1 photograph:" in said(page)
    assert columns(page) == [(1, 0)] * 7
    assert reverse("own_result", args=[newest.id]) in page.content.decode()
    assert entries() == before + 1


def test_a_disputed_photograph_is_not_in_it() -> None:
    study = open_study()
    person = consenting(study)
    row = analysed(study)
    turn(person, "on")
    dispute(person.actor, row.recording_id)
    before = entries()
    assert "Nothing to show yet" in said(page_of(person))
    assert entries() == before


def test_without_a_log_nothing_is_shown() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study)
    turn(person, "on")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_log_pendingentry RENAME TO away")
    page = page_of(person)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO audit_log_pendingentry")
    assert page.status_code == 503
    assert b"looked happy" not in page.content
    assert "looked happy" in said(page_of(person))


def test_it_opens_the_newest_and_no_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    study = open_study()
    person = consenting(study)
    for _number in range(3):
        newest = analysed(study)
    monkeypatch.setattr(trend, "MOST", 2)
    turn(person, "on")
    before = entries()
    page = page_of(person)
    assert "2 photographs:" in said(page)
    assert reverse("own_result", args=[newest.id]) in page.content.decode()
    assert entries() == before + 2


# --- numbers to call ------------------------------------------------------------------------------


def places(person: Person, **headers: str) -> list[str]:
    section = BeautifulSoup(page_of(person, **headers).content, "html.parser")
    return [term.get_text() for term in section.select("section[aria-labelledby=help] dt")]


def test_the_places_of_the_readers_languages_come_first() -> None:
    person = consenting(open_study())
    assert places(person, accept_language="de-AT,de;q=0.9,en;q=0.5")[0] == "Deutschland"
    assert places(person, accept_language="en-US,es;q=0.5")[:2] == ["United States", "Spain"]
    assert len(set(places(person))) == len(help_lines.read(help_lines.OUR_OWN)[1])
    person.browser.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    assert places(person)[0] == "中国大陆"


def test_every_place_has_all_languages_and_the_list_its_date() -> None:
    checked, found = help_lines.read(help_lines.OUR_OWN)
    assert checked.isoformat() == "2026-11-27"
    for place in found:
        for words in (place.names, *(who for _number, who in place.lines)):
            assert set(words) == {"en", "zh-hans", "es", "de"}
        for number, _who in place.lines:
            assert re.fullmatch(r"[0-9 ]{3,}", number)


def test_an_installation_can_have_a_list_of_its_own(settings: Any, tmp_path: Path) -> None:
    own = tmp_path / "lines.json"
    line = {"number": "0800 123", "who": {"en": "the clinic next door"}}
    place = {"locales": [], "place": {"en": "Example City"}, "lines": [line]}
    own.write_text(json.dumps({"checked": "2026-11-01", "places": [place]}))
    settings.HELP_LINES_FILE = own
    person = consenting(open_study())
    assert places(person) == ["Example City"]
    assert "0800 123 the clinic next door" in said(page_of(person))
    assert checks.help_lines_are_there(None) == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"places": []}',
        '{"checked": "2026-01-01", "places": [1]}',
        '{"checked": "2026-01-01", "places": [{"locales": [], "place": "X"}]}',
    ],
)
def test_a_broken_list_stops_the_start_and_never_leaves_people_without_one(
    settings: Any, tmp_path: Path, body: str
) -> None:
    own = tmp_path / "lines.json"
    own.write_text(body)
    settings.HELP_LINES_FILE = own
    assert [each.id for each in checks.help_lines_are_there(None)] == ["consentry.E010"]
    assert "Germany" in places(consenting(open_study()))


def test_the_list_of_the_program_is_the_one_that_is_used_by_itself() -> None:
    assert help_lines.OUR_OWN == settings.HELP_LINES_FILE
