"""A client manages its own webhook, and is told of the news that it wants and may know."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiClient, Scope
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent import webhooks
from consent.ending_soon import ask_before_the_end
from consent.holds import place_hold
from consent.models import (
    MANDATORY,
    ConsentState,
    Delivery,
    HoldReason,
    Telling,
    TellingKind,
    WebhookEndpoint,
)
from consent.narrowing import pause, resume
from consent.notifications import forget_old_news, kinds_open_to, tell_of_analysis
from consent.recipients import About
from consent.webhook_sending import tell_next
from consent.webhooks import create_webhook, secrets_of
from emotion.analyses import run_analysis
from emotion.disputes import dispute
from emotion.models import MAX_TRIES, Analysis
from emotion.sweeping import requeue_stale
from tests.cast import (
    PHOTO,
    Person,
    Study,
    api,
    come_in,
    consent,
    consenting,
    leave,
    open_study,
    upload,
)
from tests.counting import queries_of
from tests.recipients import is_signed, receiver

pytestmark = pytest.mark.usefixtures("fresh_db")
HOOK = "https://lab.example.org/hook"


def put(key: str, url: str = HOOK, **body: Any) -> Any:
    return api(key).put(
        reverse("api_webhook"), {"url": url} | body, content_type="application/json"
    )


def kinds_told(client: ApiClient) -> list[str]:
    return list(Telling.objects.filter(client=client).order_by("id").values_list("kind", flat=True))


def waiting(client: ApiClient) -> list[str]:
    """What is sent to this client next."""
    rows = Telling.objects.to_send().filter(client=client)
    return [row.kind for row in rows]


def last_client() -> ApiClient:
    return ApiClient.objects.latest("id")


def test_a_client_makes_changes_moves_and_deletes_its_webhook(study: Study) -> None:
    key = study.key(Scope.WEBHOOKS_MANAGE, Scope.SUBJECTS_READ)
    assert api(key).get(reverse("api_webhook")).status_code == 404
    assert api(key).post(reverse("api_webhook_rotate_secret")).status_code == 404
    made = put(key)
    assert made.status_code == 201, made.content
    assert "no-store" in made.headers["Cache-Control"]
    secret = made.json()["secret"]
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert set(made.json()["types"]) == {
        kind for kind in TellingKind.values if not kind.startswith("analysis.")
    }, "of analyses it may not know"
    seen = api(key).get(reverse("api_webhook")).json()
    assert seen == {name: value for name, value in made.json().items() if name != "secret"}
    assert secret.removeprefix("whsec_") not in str(WebhookEndpoint.objects.values_list())

    changed = put(key, types=["consent.given"])
    assert (changed.status_code, changed.json()["secret"]) == (200, None)
    assert set(changed.json()["types"]) == {*MANDATORY, "consent.given"}, "these cannot be unchosen"
    moved = put(key, "https://other.example.org/hook", types=[])
    assert moved.status_code == 200
    assert moved.json()["secret"] not in {None, secret}, (
        "whoever is behind the old one knows its secret"
    )
    assert set(moved.json()["types"]) == MANDATORY
    rotated = api(key).post(reverse("api_webhook_rotate_secret"))
    assert rotated.status_code == 200
    assert rotated.json()["secret"] not in {secret, moved.json()["secret"]}
    assert rotated.json()["old_secrets_until"]
    assert "no-store" in rotated.headers["Cache-Control"]
    assert api(key).delete(reverse("api_webhook")).status_code == 204
    assert api(key).delete(reverse("api_webhook")).status_code == 404
    assert not WebhookEndpoint.objects.exclude(secret_sealed="", previous=[]).exists()
    integrate_once()
    rows = LogEntry.objects.filter(action__startswith="webhook:").order_by("index")
    assert {row.actor for row in rows} == {f"client:{last_client().id}"}
    assert [row.action for row in rows] == [
        "webhook:create", "webhook:change", "webhook:change", "webhook:create", "webhook:change",
        "webhook:change",
    ]  # fmt: skip


def test_wrong_webhooks_are_refused_and_change_nothing(study: Study) -> None:
    key = study.key(Scope.WEBHOOKS_MANAGE)
    wrong: list[dict[str, Any]] = [
        {"url": url}
        for url in (
            "http://lab.example.org/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/",
            "https://169.254.169.254/latest/", "https://10.0.0.1:8443/", "https://me:pw@lab.example.org/",
            "ftp://lab.example.org/", "", "x" * 501,
        )
    ]  # fmt: skip
    wrong += [
        {"url": HOOK, "types": ["consent.invented"]}, {"url": HOOK, "types": "consent.given"},
        {"url": HOOK, "types": ["analysis.done"]}, {"url": HOOK, "types": ["consent.given"]},
        {}, {"types": []},
    ]  # fmt: skip
    for body in wrong:
        answer = api(key).put(reverse("api_webhook"), body, content_type="application/json")
        assert answer.status_code == 422, body
        assert answer.json()["code"] in {"invalid", "invalid-webhook"}
        assert "pw@" not in answer.content.decode()
        assert "invented" not in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()
    assert put(key).json()["types"] == ["consent.withdrawn", "erasure.required"], "all that it may"
    assert put(key, "https://10.0.0.1/").status_code == 422
    assert WebhookEndpoint.objects.get(disabled_at=None).url == HOOK, "what was stays"


def test_of_two_addresses_at_once_the_later_is_the_webhook(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, sealing = study.key(), webhooks.new_secret

    def slow(webhook: WebhookEndpoint) -> tuple[str, str]:
        assert not connection.in_atomic_block, "nothing is sealed under a lock"
        monkeypatch.setattr(webhooks, "new_secret", sealing)
        assert put(key, "https://other.example.org/hook").status_code == 201
        return sealing(webhook)

    monkeypatch.setattr(webhooks, "new_secret", slow)
    later = put(key)
    assert (later.status_code, later.json()["url"]) == (200, HOOK)
    assert WebhookEndpoint.objects.get(disabled_at=None).url == HOOK
    assert WebhookEndpoint.objects.exclude(url=HOOK).get().secret_sealed == ""


def test_a_rotation_whose_answer_was_lost_is_repeated_without_a_break(
    study: Study, settings: Any
) -> None:
    key = study.key()
    with receiver(settings) as lab:
        first = put(key, lab.url, types=[]).json()["secret"]
        lost, new = (
            api(key).post(reverse("api_webhook_rotate_secret")).json()["secret"] for _ in range(2)
        )
        leave(consenting(study), study)
        assert tell_next()
        for secret in (first, lost, new):
            assert is_signed(secret, *lab.received[0])
    webhook = WebhookEndpoint.objects.get()
    assert len(secrets_of(webhook)) == 3
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert len(secrets_of(webhook)) == 1
        assert webhook.previous_until is None
    for _each in range(8):
        api(key).post(reverse("api_webhook_rotate_secret"))
    webhook.refresh_from_db()
    assert len(secrets_of(webhook)) == 6, "a header has an end"


def test_news_of_a_consent_goes_to_who_wants_it_and_may_know_it(study: Study) -> None:
    keys = {
        "all": study.key(),
        "chosen": study.key(),
        "blind": study.key(Scope.WEBHOOKS_MANAGE),
        "without": study.key(),
        "elsewhere": open_study().key(),
    }
    clients = dict(zip(keys, ApiClient.objects.order_by("id"), strict=True))
    for name in ("all", "blind", "elsewhere"):
        assert put(keys[name]).status_code == 201
    put(keys["chosen"], types=["consent.changed"])
    person = consenting(study)
    consent(person, study.purpose, ["media", "expression"])
    leave(person, study)
    told = [
        "consent.given", "consent.changed", "erasure.required", "consent.withdrawn",
        "erasure.required",
    ]  # fmt: skip
    assert sorted(kinds_told(clients["all"])) == sorted(told)
    assert sorted(kinds_told(clients["chosen"])) == sorted(told[1:])
    assert sorted(kinds_told(clients["blind"])) == sorted(told[2:]), "no scope shows it the state"
    # Its key was used, but only to the others: who has no webhook collects no news.
    assert "consent.given" not in kinds_told(clients["without"])
    assert kinds_told(clients["elsewhere"]) == []
    ApiClient.objects.filter(pk=clients["all"].pk).update(scopes=[Scope.WEBHOOKS_MANAGE])
    consenting(study, "P-2")
    assert kinds_told(clients["all"]).count("consent.given") == 1, (
        "what it may know is asked each time"
    )


@pytest.mark.parametrize("ended", ["taken back", "over"])
def test_a_client_that_has_ended_hears_only_of_what_it_must_erase(study: Study, ended: str) -> None:
    """Whoever took its webhook over hears nothing of how people's consents and analyses go on."""
    put(study.key())
    client, person = last_client(), consenting(study)
    assert waiting(client) == ["consent.given"]
    if ended == "over":
        ApiClient.objects.filter(pk=client.pk).update(expires_at=timezone.now())
    else:
        desk = study.administrator.sign_in()
        page = desk.post(reverse("operate_client_revoke", args=[client.id]), {"name": client.name})
        assert page.status_code == 302, page.content
        assert Telling.objects.get(client=client).state == Delivery.DROPPED
    assert waiting(client) == [], "also what was filed before is not sent any more"
    pause(person.actor, person.subject, study.purpose)
    resume(person.actor, person.subject, study.purpose)
    assert kinds_told(client) == ["consent.given"]
    leave(person, study)
    assert sorted(waiting(client)) == ["consent.withdrawn", "erasure.required"]


def test_a_no_is_news_too(study: Study) -> None:
    key = study.key()
    put(key)
    person = come_in(study)
    notice = reverse("consent_notice", args=[study.purpose.id])
    person.browser.get(notice)
    form = {"notice": study.purpose.notices.get().id, "decision": "refuse"}
    assert person.browser.post(notice, form).status_code == 302
    assert kinds_told(last_client()) == ["consent.refused"]


def test_the_end_that_comes_is_told_once(study: Study) -> None:
    key = study.key()
    put(key, types=["consent.expiring"])
    ApiClient.objects.update(expires_at=timezone.now() + timedelta(days=1000))
    consenting(study)
    state = ConsentState.objects.get()
    assert state.remind_at
    assert ask_before_the_end() == 0
    with time_machine.travel(state.remind_at + timedelta(minutes=1), tick=False):
        assert ask_before_the_end() == 1
        assert ask_before_the_end() == 0
        assert kinds_told(last_client()) == ["consent.expiring"]


def test_each_end_of_an_analysis_is_told(study: Study, settings: Any) -> None:
    key = study.key()
    person = consenting(study)
    for _each in range(3):
        assert upload(key, "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    done, refused, failed = Analysis.objects.select_related("recording").order_by("queued_at")
    with receiver(settings) as lab:
        put(key, lab.url, types=["analysis.done", "analysis.failed", "analysis.refused"])
        dispute(person.actor, refused.recording_id)
        Analysis.objects.filter(pk=failed.pk).update(
            tries=MAX_TRIES, queued_at=timezone.now() - timedelta(hours=1)
        )
        requeue_stale()
        run_analysis(done.id)
        while tell_next():
            pass
        told = {event["type"]: event["data"] for event in lab.events}
    for kind, row in (("done", done), ("refused", refused), ("failed", failed)):
        row.refresh_from_db()
        assert row.state == kind
        data = told.pop(f"analysis.{kind}")
        assert (data["analysis"], data["recording"]) == (str(row.id), str(row.recording_id))
        assert data["subject"] == str(person.subject.references.get().id)
    assert not told, "and nothing else"


def test_deliveries_are_ones_own_and_listed_with_few_questions(study: Study) -> None:
    keys = study.key(), study.key()
    clients = list(ApiClient.objects.order_by("id"))
    for key in keys:
        put(key, types=["analysis.done"])
    person = consenting(study)
    leave(person, study)
    for client in clients:
        many_of(client, person, study, 1)
    address = reverse("api_webhook_deliveries")
    few = queries_of(api(keys[0]), f"{address}?limit=3")
    many_of(clients[0], person, study, 57)
    assert queries_of(api(keys[0]), f"{address}?limit=60") == few
    rows = api(keys[0]).get(f"{address}?limit=60").json()["results"]
    assert len(rows) == 60
    assert {row["state"] for row in rows} == {"waiting"}
    mine = {
        str(row) for row in Telling.objects.filter(client=clients[0]).values_list("id", flat=True)
    }
    assert {row["id"] for row in rows} == mine
    erasures = api(keys[0]).get(f"{address}?type=erasure.required").json()["results"]
    assert [row["event"]["type"] for row in erasures] == ["erasure.required"]
    assert erasures[0]["event"]["data"]["erasure"] == erasures[0]["id"]
    for wrong in ("type=x", "state=x", "kind=erasure.required"):
        assert api(keys[0]).get(f"{address}?{wrong}").status_code == 422
    others = Telling.objects.filter(client=clients[1]).latest("id").id
    for id in (others, uuid4()):
        assert api(keys[0]).post(reverse("api_webhook_replay", args=[id])).status_code == 404


def many_of(client: ApiClient, person: Person, study: Study, number: int) -> None:
    for _each in range(number):
        tell_of_analysis_to(client, person, study)


def tell_of_analysis_to(client: ApiClient, person: Person, study: Study) -> None:
    reference = person.subject.references.get().id
    now = timezone.now()
    Telling.objects.create(
        client=client, subject=person.subject, purpose=study.purpose,
        kind=TellingKind.ANALYSIS_DONE, reference_id=reference, recording_id=uuid4(),
        analysis_id=uuid4(), created_at=now, next_attempt_at=now,
    )  # fmt: skip


def test_a_delivery_goes_through_its_states_and_is_replayed(study: Study, settings: Any) -> None:
    key = study.key()
    address = reverse("api_webhook_deliveries")

    def states() -> dict[str, str]:
        rows = api(key).get(address).json()["results"]
        for state in {row["state"] for row in rows}:
            listed = api(key).get(f"{address}?state={state}").json()["results"]
            assert [row["id"] for row in listed] == [r["id"] for r in rows if r["state"] == state]
        return {row["event"]["type"]: row["state"] for row in rows}

    with receiver(settings, 500, 200) as lab:
        put(key, lab.url, types=["consent.given"])
        person = consenting(study)
        assert states() == {"consent.given": "waiting"}
        assert tell_next()
        row = api(key).get(address).json()["results"][0]
        assert (row["last_status"], row["attempts"], row["state"]) == (500, 1, "waiting")
        assert row["next_attempt_at"]
        again = api(key).post(reverse("api_webhook_replay", args=[row["id"]]))
        assert (again.status_code, again.json()["attempts"]) == (200, 0)
        with time_machine.travel(timezone.now() + timedelta(seconds=6)):
            assert tell_next()
        assert states() == {"consent.given": "delivered"}
        assert len(set(lab.ids)) == 1
        leave(person, study)
        Telling.objects.exclude(kind="consent.given").update(given_up_at=timezone.now())
        assert states()["erasure.required"] == "given-up"
        erasure = Telling.objects.erasures().get()
        ack = reverse("api_erasure_acknowledge", args=[erasure.id])
        assert api(key).post(ack).status_code == 200
        assert states()["erasure.required"] == "confirmed"
        closed = api(key).post(reverse("api_webhook_replay", args=[erasure.id]))
        assert (closed.status_code, closed.json()["code"]) == (422, "invalid-webhook")
        consenting(study, "P-2")
        api(key).delete(reverse("api_webhook"))
        newest = api(key).get(address).json()["results"][0]
        assert (newest["event"]["type"], newest["state"]) == ("consent.given", "dropped")
        replay = api(key).post(reverse("api_webhook_replay", args=[newest["id"]]))
        assert replay.status_code == 422, "there is no webhook"
        put(key, lab.url)
        before = len(lab.ids)
        while tell_next():
            pass
        assert newest["id"] not in lab.ids[before:], (
            "news of before is not sent to the next webhook"
        )


def test_what_a_hold_postpones_is_in_no_list(study: Study) -> None:
    key = study.key()
    put(key)
    person = consenting(study)
    place_hold(
        study.officer.actor, study.officer.user, study.purpose, reason=HoldReason.COMPLAINT,
        ends_at=timezone.now() + timedelta(days=5), subject_id=person.subject.id,
    )  # fmt: skip
    leave(person, study)
    held = Telling.objects.erasures().get()
    rows = api(key).get(reverse("api_webhook_deliveries")).json()["results"]
    assert str(held.id) not in [row["id"] for row in rows]
    assert api(key).post(reverse("api_webhook_replay", args=[held.id])).status_code == 404


def test_old_news_is_forgotten_and_erasures_are_not(study: Study) -> None:
    put(study.key())
    leave(consenting(study), study)
    assert forget_old_news() == 0
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=False):
        assert forget_old_news() == 1
        assert forget_old_news() == 0
        integrate_once()
    assert set(kinds_told(last_client())) == {"consent.withdrawn", "erasure.required"}
    assert LogEntry.objects.filter(action=Action.WEBHOOK_FORGET).count() == 1


def test_news_that_could_not_be_told_alarms_nobody(study: Study) -> None:
    put(study.key())
    person = consenting(study)
    Telling.objects.update(given_up_at=timezone.now())
    assert not Telling.objects.missing().exists()
    leave(person, study)
    Telling.objects.update(given_up_at=timezone.now())
    assert Telling.objects.missing().count() == 2


def test_an_administrator_chooses_what_a_client_is_told(study: Study) -> None:
    admin = study.administrator.sign_in()
    study.key(Scope.SUBJECTS_READ)
    client = last_client()
    page = reverse("operate_webhook", args=[client.id])
    empty = admin.get(page).content.decode()
    assert 'value="consent.given"' in empty
    assert 'value="analysis.done"' not in empty, "its scopes do not cover it"
    assert 'value="consent.withdrawn"' not in empty, "it is no choice"
    wrong = {"step": "create", "url": HOOK, "kinds": ["analysis.done"]}
    assert admin.post(page, wrong).status_code == 422
    assert not WebhookEndpoint.objects.exists()
    form = {"step": "create", "url": HOOK, "kinds": ["consent.given", "consent.changed"]}
    assert "whsec_" in admin.post(page, form).content.decode()
    assert admin.post(page, {"step": "kinds", "kinds": ["consent.given"]}).status_code == 302
    kinds = WebhookEndpoint.objects.get().kinds
    assert kinds == ["consent.withdrawn", "consent.given", "erasure.required"]
    assert admin.post(page, {"step": "kinds", "kinds": ["x"]}).status_code == 422
    consenting(study)
    shown = admin.get(page).content.decode()
    assert "Consent given" in shown
    assert "Waits" in shown
    assert "Next try" in shown


def test_the_scopes_of_news_are_those_of_asking() -> None:
    assert kinds_open_to([]) == MANDATORY
    assert "analysis.done" in kinds_open_to([Scope.RECORDINGS_READ])
    assert "consent.given" not in kinds_open_to([Scope.RECORDINGS_READ])
    assert "consent.given" in kinds_open_to([Scope.CONSENT_REQUEST])


def test_of_a_person_whom_no_client_knows_nothing_is_told(study: Study) -> None:
    study.key()
    create_webhook(study.administrator.actor, last_client(), HOOK)
    about = About(
        subject_id=uuid4(), purpose_id=study.purpose.id, recording_id=uuid4(), analysis_id=uuid4()
    )
    tell_of_analysis(TellingKind.ANALYSIS_DONE, about)
    assert not Telling.objects.exists()
