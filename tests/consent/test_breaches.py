"""Breach records: 72 hours, the people concerned out of the log, and each of them told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_WORKER
from accounts.models import ApiClient, Role
from audit_log.actions import Action
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from consent.account_closing import close_account
from consent.breach_reach import Span
from consent.breach_telling import KEPT_FOR, erase_old_breaches, tell_people
from consent.breach_texts import Words
from consent.breaches import (
    Notification,
    close_breach,
    draw_again,
    notify,
    record_breach,
    tell,
)
from consent.errors import InvalidBreach
from consent.holds import place_hold
from consent.messages import open_message
from consent.models import (
    Breach,
    BreachKind,
    BreachPerson,
    DataSubject,
    HoldReason,
    OutboxMessage,
)
from consent.templatetags.operate import short
from emotion.erasure import drain
from emotion.results import read_result
from tests.breaches import breach_told
from tests.cast import (
    Operator,
    Person,
    Study,
    analysed,
    api_get,
    come_in,
    consent,
    consenting,
    open_study,
    operator,
)
from vault.keyring import data_key_ids
from vault.models import TagKey
from vault.tags import destroy_tag_key

pytestmark = pytest.mark.usefixtures("fresh_db")
HAPPENED, TOLD = "Somebody guessed a password.", "Somebody has read your results. We are sorry."
KINDS = ["confidentiality"]


def minutes(**ago: float) -> str:
    """A moment as the form's field sends it."""
    return (timezone.now() - timedelta(**ago)).isoformat()


def form(**fields: Any) -> dict[str, Any]:
    return {
        "noticed_at": minutes(minutes=5),
        "kinds": KINDS,
        "begins_at": minutes(hours=1),
        "ends_at": minutes(),
        "purpose": "",
        "actor": "",
        "happened": HAPPENED,
        "effects": "Others may know.",
        "measures": "The password was changed.",
    } | fields


def record(desk: Client, **fields: Any) -> Breach:
    """The officer sends the form; reads of the last hour, up to now."""
    integrate_once()
    page = desk.post(reverse("operate_breach_new"), form(**fields))
    assert page.status_code == 302, page.content.decode()
    return Breach.objects.latest("recorded_at")


def concerned(breach: Breach) -> dict[Any, int]:
    return dict(breach.people.values_list("subject_id", "entries"))


def send(desk: Client, step: str, breach: Breach, **fields: Any) -> Any:
    return desk.post(reverse(f"operate_breach_{step}", args=[breach.id]), fields)


def page_of(desk: Client, breach: Breach) -> str:
    page = desk.get(reverse("operate_breach", args=[breach.id]))
    assert page.status_code == 200
    return " ".join(BeautifulSoup(page.content, "html.parser").get_text(" ").split())


def actions(breach: Breach) -> list[str]:
    integrate_once()
    rows = LogEntry.objects.filter(action__startswith="breach:").order_by("index")
    return list(rows.values_list("action", flat=True))


def test_whom_it_concerns_is_drawn_from_the_log_by_span_purpose_and_actor(study: Study) -> None:
    other = open_study(name="Another study")
    alice, bob, carol = (consenting(study, f"P-{name}") for name in "ABC")
    dora = consenting(other, "P-D")
    rows = {each: analysed(study, f"P-{each}") for each in "ABC"}
    theirs = analysed(other, "P-D")
    key = study.key()
    api_get(key, "api_result", rows["A"].id, Access_Reason="quality-check")
    client = ApiClient.objects.filter(purpose_id=study.purpose.id).latest("id")
    for _each in range(2):
        read_result(study.researcher.actor, rows["A"].id, "study-analysis")
    read_result(study.researcher.actor, rows["B"].id, "study-analysis")
    read_result(other.researcher.actor, theirs.id, "study-analysis")
    assert carol.browser.get(reverse("own_result", args=[rows["C"].id])).status_code == 200
    refused = api_get(key, "api_result", theirs.id, Access_Reason="quality-check")
    assert refused.status_code == 404
    desk = study.officer.sign_in()
    a, b, d = alice.subject.id, bob.subject.id, dora.subject.id
    assert concerned(record(desk)) == {a: 3, b: 1, d: 1}, "not who read their own"
    assert concerned(record(desk, purpose=str(study.purpose.id))) == {a: 3, b: 1}
    by_client = record(desk, actor=f"client:{client.id}")
    assert concerned(by_client) == {a: 1}
    by_hand = record(desk, actor=study.researcher.actor.log_name())
    assert concerned(by_hand) == {a: 2, b: 1}
    before = {"begins_at": minutes(hours=3), "ends_at": minutes(hours=2)}
    assert concerned(record(desk, **before)) == {}
    all_of_one = record(desk, purpose=str(study.purpose.id), everybody="on", **before)
    assert concerned(all_of_one) == {}, "nobody was asked before that"
    all_of_one = record(desk, purpose=str(study.purpose.id), everybody="on")
    assert concerned(all_of_one) == {a: 3, b: 1, carol.subject.id: 0}
    text = page_of(desk, by_hand)
    assert f"{short(a)} 2" in text
    assert "2 people, 3 entries" in text
    assert str(a) not in text, "opaque, and short"
    assert LogEntry.objects.filter(action=Action.LOG_READ).count() >= 5, "reading the log is logged"


def test_whose_key_is_gone_is_counted_and_named_no_more(study: Study) -> None:
    alice = consenting(study, "P-A")
    consenting(study, "P-B")
    for each in "AB":
        read_result(study.researcher.actor, analysed(study, f"P-{each}").id, "study-analysis")
    desk = study.officer.sign_in()
    first = record(desk)
    destroy_tag_key(alice.subject.id, study.purpose.id)
    second = record(desk)
    assert second.unlinked == 1
    assert alice.subject.id not in concerned(second)
    assert "1 more tag can no longer be linked to anybody" in page_of(desk, second)
    assert send(desk, "draw", first).status_code == 302
    assert alice.subject.id in concerned(first), "who was on a list stays on it"


def test_what_has_no_place_in_the_log_yet_is_said_and_drawn_later(study: Study) -> None:
    alice = consenting(study, "P-A")
    row, desk = analysed(study, "P-A"), study.officer.sign_in()
    integrate_once()
    read_result(study.researcher.actor, row.id, "study-analysis")
    page = desk.post(reverse("operate_breach_new"), form())
    assert page.status_code == 302
    breach = Breach.objects.get()
    assert concerned(breach) == {}
    assert "no place in the log yet" in page_of(desk, breach)
    integrate_once()
    send(desk, "draw", breach)
    assert concerned(breach) == {alice.subject.id: 1}
    assert "no place in the log yet" not in page_of(desk, breach)


def test_the_clock_says_how_long_the_authority_can_be_told_in_time(study: Study) -> None:
    desk = study.officer.sign_in()
    breach = record(desk, noticed_at=minutes(hours=70))
    assert breach.notify_by == breach.noticed_at + timedelta(hours=72)
    assert "1 hour left" in page_of(desk, breach)
    assert "1 hour left" in desk.get(reverse("operate_home")).content.decode()
    at, number = minutes(), "LfDI 26/117-3"
    for wrong in (
        {},
        {"at": at},
        {"at": at, "reference": "Mr. Müller said: no"},
        {"at": at, "reference": number, "late": "extent-unknown"},
        {"at": minutes(hours=71), "reference": number},
        {"at": minutes(hours=-1), "reference": number},
        {"at": at, "reference": number, "ground": "risk-unlikely"},
    ):
        assert send(desk, "notify", breach, **wrong).status_code == 422, wrong
    assert send(desk, "notify", breach, at=at, reference=number).status_code == 302
    assert number in page_of(desk, breach)
    assert send(desk, "notify", breach, at=at, reference=number).status_code == 422, "once"


def test_told_late_it_needs_a_reason(study: Study) -> None:
    desk = study.officer.sign_in()
    breach = record(desk, noticed_at=minutes(hours=73))
    assert breach.is_late
    assert "72 hours ended" in page_of(desk, breach)
    told = {"at": minutes(), "reference": "A-1"}
    refused = send(desk, "notify", breach, **told)
    assert refused.status_code == 422
    assert "After 72 hours the reason for the delay is given" in refused.content.decode()
    assert send(desk, "notify", breach, late="extent-unknown", **told).status_code == 302
    assert "Its extent was not known in time" in page_of(desk, breach)
    integrate_once()
    assert LogEntry.objects.get(action=Action.BREACH_NOTIFY).reason == "extent-unknown"


def test_everybody_on_the_list_is_told_once_in_the_officers_words(study: Study) -> None:
    alice = come_in(study, "P-A", email="alice@example.org")
    consent(alice, study.purpose)
    bob, carol = consenting(study, "P-B"), consenting(study, "P-C")
    for each in "AB":
        read_result(study.researcher.actor, analysed(study, f"P-{each}").id, "study-analysis")
    desk = study.officer.sign_in()
    breach = record(desk)
    assert send(desk, "tell", breach, text=TOLD).status_code == 422, "the authority comes first"
    send(desk, "notify", breach, at=minutes(), reference="A-1")
    own = reverse("own_breach", args=[breach.id])
    for wrong in ({}, {"text": " "}, {"text": TOLD, "ground": "risk-not-high"}):
        assert send(desk, "tell", breach, **wrong).status_code == 422
    assert alice.browser.get(own).status_code == 404
    assert send(desk, "tell", breach, text=TOLD).status_code == 302
    assert send(desk, "close", breach).status_code == 422, "nobody is told yet"
    assert (tell_people(), tell_people()) == (2, 0)
    message = OutboxMessage.objects.get(kind="breach")
    address, heading, text, _language = open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)
    assert (address, heading) == ("alice@example.org", "A data breach concerned you")
    assert TOLD in text
    assert own in text
    for person in (alice, bob):
        assert own in person.browser.get(reverse("subject_home")).content.decode()
        assert TOLD in person.browser.get(own).content.decode()
        integrate_once()
        history = person.browser.get(reverse("access_history")).content.decode()
        assert "You were told of a data breach" in history
    assert carol.browser.get(own).status_code == 404
    assert own not in carol.browser.get(reverse("subject_home")).content.decode()
    assert "2 of 2 told, 1 of them by message" in page_of(desk, breach)
    assert send(desk, "close", breach).status_code == 302
    breach.refresh_from_db()
    assert breach.state == "closed"
    found = [each for each in actions(breach) if each != Action.BREACH_READ]
    assert found == [
        "breach:record", "breach:notify", "breach:tell",
        "breach:person-told", "breach:person-told", "breach:close",
    ]  # fmt: skip


def test_a_closed_account_stands_in_nobodys_way(study: Study) -> None:
    alice = consenting(study, "P-A")
    read_result(study.researcher.actor, analysed(study, "P-A").id, "study-analysis")
    desk = study.officer.sign_in()
    breach = record(desk)
    send(desk, "notify", breach, ground="risk-unlikely")
    close_account(alice.actor, alice.subject)
    drain()
    send(desk, "tell", breach, text=TOLD)
    assert tell_people() == 0
    assert "1 has closed their account" in page_of(desk, breach)
    assert send(desk, "close", breach).status_code == 302


def test_the_words_are_sealed_and_each_opening_is_an_entry(study: Study) -> None:
    desk = study.officer.sign_in()
    breach = record(desk)
    assert HAPPENED.encode() not in bytes(breach.words_sealed)
    for staff in (desk, study.administrator.sign_in()):
        before = LogEntry.objects.count() + PendingEntry.objects.count()
        assert HAPPENED in page_of(staff, breach)
        assert LogEntry.objects.count() + PendingEntry.objects.count() == before + 1
        listed = staff.get(reverse("operate_breaches")).content.decode()
        assert short(breach.id) in listed
        assert HAPPENED not in listed
    assert actions(breach).count(Action.BREACH_READ) == 2


def test_only_the_officer_writes_and_nobody_else_reads(study: Study) -> None:
    office = study.officer.sign_in()
    person, breach = consenting(study), record(office)
    read_result(study.researcher.actor, analysed(study, "P-001").id, "study-analysis")
    integrate_once()
    Breach.objects.update(ends_at=timezone.now())  # drawn anew, somebody would be on the list
    admin = study.administrator.sign_in()
    for desk in (admin, study.researcher.sign_in(), person.browser):
        for step in ("draw", "notify", "tell", "close"):
            answer = send(desk, step, breach, ground="risk-unlikely")
            assert answer.status_code in {302, 404}, step
        assert desk.post(reverse("operate_breach_new"), form()).status_code in {302, 404}
    breach.refresh_from_db()
    assert (breach.state, Breach.objects.count()) == ("open", 1)
    assert concerned(breach) == {}
    address = reverse("operate_breach", args=[breach.id])
    assert person.browser.get(address).status_code == 404
    wrong = operator(Role.ADMINISTRATOR)
    now = timezone.now()
    with pytest.raises(InvalidBreach):
        record_breach(
            wrong.actor,
            wrong.user,
            noticed_at=now,
            kinds=[BreachKind.INTEGRITY],
            span=Span(now - timedelta(hours=1), now),
            words=Words("a", "b", "c"),
        )
    for do in (
        lambda: draw_again(wrong.actor, wrong.user, breach.id),
        lambda: notify(wrong.actor, wrong.user, breach.id, Notification()),
        lambda: tell(wrong.actor, wrong.user, breach.id, TOLD),
        lambda: close_breach(wrong.actor, wrong.user, breach.id),
    ):
        with pytest.raises(InvalidBreach):
            do()
    assert actions(breach) == [Action.BREACH_RECORD]
    send(office, "draw", breach)
    assert concerned(breach) == {person.subject.id: 1}


def test_a_form_that_contradicts_itself_or_the_clock_is_refused(study: Study) -> None:
    desk = study.officer.sign_in()
    for wrong in (
        {"noticed_at": minutes(hours=-1)},
        {"ends_at": minutes(hours=-1)},
        {"begins_at": minutes(), "ends_at": minutes(hours=1)},
        {"kinds": []},
        {"kinds": ["theft"]},
        {"actor": "operator:nobody"},
        {"happened": ""},
        {"noticed_at": "yesterday"},
    ):
        page = desk.post(reverse("operate_breach_new"), form(**wrong))
        assert page.status_code == 422, wrong
    assert not Breach.objects.exists()
    assert page.content.decode().count("The password was changed.") == 1, "words are not lost"


@pytest.mark.parametrize(
    ("zone", "called", "now"),
    [("UTC", "UTC", "02:43"), ("Asia/Kolkata", "Asia/Kolkata (IST)", "08:13")],
)
def test_times_say_in_which_zone_they_are_read(
    study: Study, settings: Any, zone: str, called: str, now: str
) -> None:
    breach = record(study.officer.sign_in())
    settings.TIME_ZONE = zone
    moment = (timezone.now() + timedelta(days=2)).replace(hour=2, minute=43)

    def typed(hours: int) -> str:
        return f"{timezone.localtime(moment + timedelta(hours=hours)):%Y-%m-%dT%H:%M}"

    with time_machine.travel(moment, tick=False):
        desk = study.officer.sign_in()
        said = f"Times are {called}; it is now {now}."
        assert desk.get(reverse("operate_breach_new")).content.decode().count(said) == 2
        step = reverse("operate_breach_notify", args=[breach.id])
        assert desk.get(step).content.decode().count(said) == 1
        # what a clock says that is an hour ahead of this zone
        for page in (
            desk.post(reverse("operate_breach_new"), form(noticed_at=typed(1))),
            desk.post(reverse("operate_breach_new"), form(begins_at=typed(-1), ends_at=typed(1))),
            desk.post(step, {"at": typed(1), "reference": "A-1"}),
        ):
            assert page.status_code == 422
            said = f"This time is in the future (times here are {called}; it is now {now})."
            assert said in page.content.decode()
        before = desk.post(step, {"at": typed(-1000), "reference": "A-1"})
        assert f"noticed (times here are {called})." in before.content.decode()
    assert Breach.objects.get().notified_at is None


def test_three_years_after_it_was_closed_it_is_gone(study: Study) -> None:
    officer: Operator = study.officer
    person: Person = consenting(study)
    read_result(study.researcher.actor, analysed(study, "P-001").id, "study-analysis")
    desk = officer.sign_in()
    breach = record(desk)
    send(desk, "notify", breach, ground="risk-unlikely")
    send(desk, "tell", breach, ground="risk-not-high")
    assert tell_people() == 0
    send(desk, "close", breach)
    assert data_key_ids(subject_id=breach.id)
    with time_machine.travel(timezone.now() + KEPT_FOR - timedelta(days=1)):
        assert erase_old_breaches() == 0
    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(days=1)):
        assert (erase_old_breaches(), erase_old_breaches()) == (1, 0)
    assert not BreachPerson.objects.exists()
    assert not data_key_ids(subject_id=breach.id)
    assert actions(breach)[-1] == "breach:erase"
    assert person.browser.get(reverse("own_breach", args=[breach.id])).status_code == 404


def closed(desk: Client) -> Breach:
    """A record of which everything is done."""
    breach = record(desk)
    send(desk, "notify", breach, ground="risk-unlikely")
    send(desk, "tell", breach, text=TOLD)
    assert send(desk, "close", breach).status_code == 302
    return breach


@pytest.mark.parametrize(
    "step",
    [
        "consent.breach_telling.destroy_data_keys",
        "consent.breach_telling.destroy_tag_key",
        "consent.models.Breach.delete",
    ],
)
def test_its_end_can_be_killed_anywhere_and_goes_on(
    study: Study, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breach = closed(study.officer.sign_in())

    def killed(*_given: object) -> None:
        raise KeyboardInterrupt

    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(days=1)):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(step, killed)
            erase_old_breaches()
        desk = study.officer.sign_in()
        for name in ("operate_breach", "operate_breach_close"):
            assert desk.get(reverse(name, args=[breach.id])).status_code == 404
        assert short(breach.id) not in desk.get(reverse("operate_breaches")).content.decode()
        assert (erase_old_breaches(), erase_old_breaches()) == (1, 0)
    assert not Breach.objects.exists()
    assert not data_key_ids(subject_id=breach.id)
    assert not TagKey.objects.filter(subject_id=breach.id, destroyed_at=None).exists()
    assert actions(breach).count(Action.BREACH_ERASE) == 1


def test_a_hold_keeps_a_record_whose_end_has_not_begun(study: Study) -> None:
    closed(study.officer.sign_in())
    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(days=1)):
        place_hold(
            study.officer.actor,
            study.officer.user,
            study.purpose,
            reason=HoldReason.COMPLAINT,
            ends_at=timezone.now() + timedelta(days=30),
        )
        assert erase_old_breaches() == 0


def test_both_texts_of_a_record_open_with_one_entry(study: Study) -> None:
    desk = study.officer.sign_in()
    breach = closed(desk)
    before = actions(breach).count(Action.BREACH_READ)
    text = page_of(desk, breach)
    assert HAPPENED in text
    assert TOLD in text
    assert actions(breach).count(Action.BREACH_READ) == before + 1


def test_the_page_names_one_account_and_asks_for_no_other(study: Study) -> None:
    study.key()
    client, desk = ApiClient.objects.get(), study.officer.sign_in()
    for name, words in (
        ("", ""),
        (study.researcher.actor.log_name(), study.researcher.user.email),
        (f"client:{client.id}", client.name),
    ):
        breach = record(desk, actor=name)
        with CaptureQueriesContext(connection) as asked:
            text = page_of(desk, breach)
        assert words in text
        queries = [each["sql"] for each in asked.captured_queries]
        clients = [sql for sql in queries if f'"{ApiClient._meta.db_table}"' in sql]
        assert len(clients) == name.startswith("client:")
        assert not [sql for sql in queries if 'ORDER BY "accounts_user"."email"' in sql]


def test_ones_own_page_looks_for_that_breach_alone(study: Study) -> None:
    person = consenting(study)
    first, _second = breach_told(study), breach_told(study)
    with CaptureQueriesContext(connection) as asked:
        page = person.browser.get(reverse("own_breach", args=[first.id]))
    assert page.status_code == 200
    table = f'"{BreachPerson._meta.db_table}"'
    assert len([each for each in asked.captured_queries if table in each["sql"]]) == 1


def test_everybody_means_whom_the_purpose_asked_by_then(study: Study) -> None:
    person = consenting(study)
    long_ago = timezone.now() - timedelta(hours=3)
    DataSubject.objects.filter(pk=person.subject.pk).update(created_at=long_ago)
    desk, purpose = study.officer.sign_in(), str(study.purpose.id)
    span = {"begins_at": minutes(hours=2), "ends_at": minutes(hours=1), "everybody": "on"}
    assert concerned(record(desk, purpose=purpose, **span)) == {}, "it had not asked them yet"
    assert concerned(record(desk, **span)) == {person.subject.id: 0}, "but they had an account"
