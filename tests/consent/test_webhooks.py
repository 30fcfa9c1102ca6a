"""Webhooks: signed, at least once, tried for three days, and never into a private network."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiClient
from audit_log.actions import Action
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from consent import webhook_sending
from consent.errors import InvalidWebhook
from consent.last_entries import destroy_ended_tags, write_last_entry
from consent.models import ErasureRequest, Telling, TellingKind, WebhookEndpoint
from consent.recipients import recipients_of
from consent.webhook_addresses import resolve
from consent.webhook_sending import BACK_OFF, tell_next
from consent.webhooks import (
    create_webhook,
    disable_webhook,
    put_webhook,
    rotate_secret,
    secrets_of,
    send_again,
)
from emotion.erasure import drain
from tests.cast import Study, api, consenting, leave, open_study
from tests.processes import KEEPER, running, wait_for
from tests.recipients import is_signed, receiver

pytestmark = pytest.mark.usefixtures("fresh_db")


CHANGES = [TellingKind.PAUSED, TellingKind.RESUMED, TellingKind.NARROWED]


def hook(study: Study, url: str) -> tuple[WebhookEndpoint, str]:
    """A client of the study with a webhook that wants few kinds: (webhook, its secret)."""
    study.key()
    client = ApiClient.objects.latest("id")
    return create_webhook(study.administrator.actor, client, url, CHANGES)


def tell_all(**options: Any) -> int:
    """Tell until nothing is due: how often something was."""
    number = 0
    while tell_next(**options):
        number += 1
    return number


def test_a_withdrawal_arrives_signed_and_names_nobody(study: Study, settings: Any) -> None:
    with receiver(settings) as lab:
        _webhook, secret = hook(study, lab.url)
        person = consenting(study)
        leave(person, study)
        assert tell_all() == 2
    assert [event["type"] for event in lab.events] == ["consent.withdrawn", "erasure.required"]
    reference = person.subject.references.get()
    for (headers, body), event in zip(lab.received, lab.events, strict=True):
        assert is_signed(secret, headers, body)
        assert not is_signed(secret, headers | {"webhook-timestamp": "1"}, body)
        assert headers["content-type"] == "application/json"
        assert headers["host"] == f"localhost:{lab.port}"
        assert headers[":path"] == "/hooks?lab=1"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
        assert event["data"]["subject"] == str(reference.id)
        said = body.decode()
        assert not [word for word in (person.reference, str(person.subject.id)) if word in said]
    told = Telling.objects.erasures().get()
    assert lab.events[1]["data"]["erasure"] == lab.ids[1] == str(told.id)
    assert (told.last_status, bool(told.delivered_at), told.acknowledged_at) == (204, True, None)
    integrate_once()
    entry = LogEntry.objects.get(action=Action.ERASURE_TOLD)
    assert entry.actor == "system:keeper"
    page = person.browser.get(reverse("access_history")).content.decode()
    assert "A program was told to erase what it has of you" in page


def test_each_change_of_a_consent_is_told(study: Study, settings: Any) -> None:
    with receiver(settings) as lab:
        hook(study, lab.url)
        person = consenting(study)
        change = reverse("consent_change", args=[study.purpose.id])
        for step in ("pause", "resume", "stop:blendshapes"):
            assert person.browser.post(change, {"step": step}).status_code == 302
        tell_all()
    assert [event["type"] for event in lab.events] == [
        "erasure.required", "consent.paused", "consent.resumed", "consent.narrowed",
    ], "what is mandatory before news"  # fmt: skip
    assert lab.events[0]["data"]["category"] == "blendshapes"


def test_a_refusal_is_tried_again_under_the_same_id_until_it_is_taken(
    study: Study, settings: Any
) -> None:
    with receiver(settings, 500, 500, 404, 200) as lab:
        hook(study, lab.url)
        leave(consenting(study), study)
        Telling.objects.exclude(kind=TellingKind.ERASURE).delete()
        begun = timezone.now()
        for wait in (0, *BACK_OFF[:3]):
            if wait:
                with time_machine.travel(timezone.now() + wait - timedelta(seconds=2), tick=False):
                    assert tell_all() == 0, "not before its time"
            begun += wait or timedelta(0)
            with time_machine.travel(begun + timedelta(seconds=1), tick=False):
                assert tell_all() == 1
                begun = timezone.now()
        assert len(lab.received) == 4
    assert len(set(lab.ids)) == 1
    assert Telling.objects.get().delivered_at


def test_after_three_days_it_is_given_up_and_can_be_sent_again(study: Study, settings: Any) -> None:
    assert sum(BACK_OFF, timedelta(0)) >= timedelta(days=2.9)
    admin = study.administrator.sign_in()
    with receiver(settings, 503) as lab:
        hook(study, lab.url)
        leave(consenting(study), study)
        Telling.objects.exclude(kind=TellingKind.ERASURE).delete()
        for _each in range(len(BACK_OFF) + 1):
            Telling.objects.update(next_attempt_at=timezone.now())
            WebhookEndpoint.objects.update(quiet_until=None)
            assert tell_all() == 1
        row = Telling.objects.get()
        assert (row.attempts, row.last_status) == (len(BACK_OFF) + 1, 503)
        assert row.given_up_at
        Telling.objects.update(next_attempt_at=timezone.now())
        assert tell_all() == 0
        assert "could not be told" in admin.get(reverse("operate_home")).content.decode()
        lab.answers[:] = [200]
        send_again(study.administrator.actor, row)
        assert tell_all() == 0, "it failed just now, and is left in peace"
        with time_machine.travel(timezone.now() + timedelta(seconds=31)):
            assert tell_all() == 1
    assert len(set(lab.ids)) == 1
    row.refresh_from_db()
    assert row.delivered_at
    assert not row.given_up_at


def test_sent_again_it_arrives_again_and_was_told_when_it_was_first(
    study: Study, settings: Any
) -> None:
    admin = study.administrator.sign_in()
    with receiver(settings) as lab:
        webhook, _secret = hook(study, lab.url)
        leave(consenting(study), study)
        assert tell_all() == 2
        row = Telling.objects.erasures().get()
        request = ErasureRequest.objects.get()
        (before,) = recipients_of(request)
        assert before.told_at
        page = reverse("operate_webhook", args=[webhook.client_id])
        again = {"step": "again", "telling": str(row.id)}
        answer = admin.post(page, again, follow=True)
        assert "It is sent again" in answer.content.decode()
        assert recipients_of(request) == [before], "what was told stays told"
        assert tell_all() == 1
        assert lab.ids.count(str(row.id)) == 2
        assert recipients_of(request) == [before]
        integrate_once()
        assert LogEntry.objects.filter(action=Action.ERASURE_TOLD).count() == 1

        def refused(because: str) -> None:
            changes = LogEntry.objects.count() + PendingEntry.objects.count()
            answer = admin.post(page, again)
            assert answer.status_code == 422
            assert because in answer.content.decode()
            assert "It is sent again" not in answer.content.decode()
            assert LogEntry.objects.count() + PendingEntry.objects.count() == changes
            assert tell_all() == 0

        Telling.objects.filter(pk=row.pk).update(acknowledged_at=timezone.now())
        refused("confirmed already")
        Telling.objects.filter(pk=row.pk).update(acknowledged_at=None, reference_id=None)
        refused("whom this is about")
        disable_webhook(study.administrator.actor, webhook)
        refused("There is no webhook")


def test_what_is_told_after_the_tags_are_gone_still_says_about_whom(
    study: Study, settings: Any
) -> None:
    with receiver(settings) as lab:
        hook(study, lab.url)
        person = consenting(study)
        reference = str(person.subject.references.get().id)
        leave(person, study)
        drain()
        ErasureRequest.objects.update(
            final_at=timezone.now() - timedelta(days=40), receipt_taken_at=timezone.now()
        )
        write_last_entry(person.subject.id, study.purpose.id)
        destroy_ended_tags()
        assert tell_all() == 2
        assert [each["data"]["subject"] for each in lab.events] == [reference] * 2
    left = dict(Telling.objects.values_list("kind", "reference_id"))
    assert left[TellingKind.WITHDRAWN] is None, "told, and of no more use"
    assert str(left[TellingKind.ERASURE]) == reference, "it can still be confirmed"
    ApiClient.objects.update(revoked_at=timezone.now())
    destroy_ended_tags()
    assert not Telling.objects.exclude(reference_id=None).exists(), "nobody can confirm it any more"


def test_a_redirect_is_not_followed(study: Study, settings: Any) -> None:
    with receiver(settings) as secret_place:
        with receiver(settings, 307, location=secret_place.url) as lab:
            hook(study, lab.url)
            leave(consenting(study), study)
            assert tell_all() == 1
        assert not secret_place.received
    assert Telling.objects.exclude(last_status=None).get().last_status == 307


def test_a_dead_recipient_is_left_in_peace_and_holds_up_nobody_else(
    study: Study, settings: Any
) -> None:
    with receiver(settings) as lab:
        closed = socket.create_server(("127.0.0.1", 0))
        hook(study, f"http://localhost:{closed.getsockname()[1]}/")
        closed.close()
        hook(study, lab.url)
        leave(consenting(study), study)
        assert tell_all() == 3, "one attempt at the dead one, two events to the other"
        assert len(lab.received) == 2
    failed = Telling.objects.get(attempts=1, delivered_at=None)
    assert failed.last_status == 0


@pytest.mark.parametrize("status", [500, 204])
def test_a_client_that_has_everything_sent_again_holds_up_nobody_else(
    study: Study, settings: Any, status: int
) -> None:
    """Whether its webhook fails or only takes its time: the others have their turns."""
    with receiver(settings, status) as greedy, receiver(settings) as lab:
        key = study.key()
        client = ApiClient.objects.latest("id")
        create_webhook(study.administrator.actor, client, greedy.url, [])
        for number in range(2):
            leave(consenting(study, f"P-{number}"), study)
        assert tell_next()
        other = open_study()
        hook(other, lab.url)
        person = consenting(other)
        change = reverse("consent_change", args=[other.purpose.id])
        person.browser.post(change, {"step": "pause"})
        leave(person, other)
        Telling.objects.filter(kind=TellingKind.WITHDRAWN, purpose=other.purpose).delete()
        replay = reverse("api_webhook_replay", args=greedy.ids)
        assert api(key).post(replay).status_code == 200
        assert tell_next()
        assert [event["type"] for event in lab.events] == ["erasure.required"], "before its news"
        too_soon = api(key).post(replay)
        assert (too_soon.status_code, too_soon.json()["code"]) == (429, "replayed-too-soon")
        assert 50 < int(too_soon.headers["Retry-After"]) <= 60
        quiet = WebhookEndpoint.objects.get(client=client).quiet_until
        assert (quiet is not None) == (status == 500), "an order to send is no answer"
        with time_machine.travel(timezone.now() + timedelta(seconds=61)):
            assert api(key).post(replay).status_code == 200


def test_a_new_address_is_not_left_in_peace_and_has_no_turn_before_others(
    study: Study, settings: Any
) -> None:
    with receiver(settings, 500) as broken, receiver(settings) as lab:
        hook(study, lab.url)
        hook(study, broken.url)
        moving = ApiClient.objects.latest("id")
        leave(consenting(study), study)
        assert tell_next()
        assert tell_next()
        assert (len(lab.ids), len(broken.ids)) == (1, 1)
        assert WebhookEndpoint.objects.get(client=moving).quiet_until
        waiting_longer = Telling.objects.filter(client=moving, attempts=0)
        waiting_longer.update(next_attempt_at=timezone.now() - timedelta(minutes=5))
        put_webhook(study.administrator.actor, moving, lab.url)
        order = [row.client_id == moving.id for row in Telling.objects.to_send()]
        assert order == [False, True], "of two that are due the other one is next"


def test_a_recipient_that_drips_does_not_hold_the_sender(
    study: Study, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sending, "WHOLE", 1.0)
    settings.WEBHOOK_PRIVATE_HOSTS = ["localhost"]
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        peer, _address = server.accept()
        try:
            while True:
                peer.sendall(b"H")
                time.sleep(0.2)
        except OSError:
            peer.close()

    try:
        threading.Thread(target=drip, daemon=True).start()
        hook(study, f"http://localhost:{server.getsockname()[1]}/")
        leave(consenting(study), study)
        begun = time.monotonic()
        assert tell_next()
        assert time.monotonic() - begun < 5
    finally:
        server.close()
    assert Telling.objects.filter(last_status=0).count() == 1


def test_two_secrets_are_valid_for_a_day(study: Study, settings: Any) -> None:
    with receiver(settings) as lab:
        webhook, old = hook(study, lab.url)
        new = rotate_secret(study.administrator.actor, webhook)
        person = consenting(study)
        leave(person, study)
        tell_all()
        headers, body = lab.received[0]
        assert is_signed(old, headers, body)
        assert is_signed(new, headers, body)
        webhook.refresh_from_db()
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            assert len(secrets_of(webhook)) == 1
    assert old.removeprefix("whsec_") not in str(WebhookEndpoint.objects.values_list())
    disable_webhook(study.administrator.actor, webhook)
    assert WebhookEndpoint.objects.values_list("secret_sealed", "previous").get() == ("", [])


def test_two_keepers_send_each_once(study: Study, settings: Any) -> None:
    with receiver(settings) as lab:
        hook(study, lab.url)
        for number in range(4):
            leave(consenting(study, f"P-{number}"), study)

        def keeper() -> None:
            tell_all()
            connections.close_all()

        threads = [threading.Thread(target=keeper) for _each in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tell_all()
    assert len(lab.ids) == len(set(lab.ids)) == 8
    assert not Telling.objects.filter(delivered_at=None).exists()


def test_a_kill_between_sending_and_noting_sends_the_same_id_again(
    study: Study, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_args: Any) -> None:
        raise KeyboardInterrupt

    with receiver(settings) as lab:
        hook(study, lab.url)
        leave(consenting(study), study)
        Telling.objects.exclude(kind=TellingKind.ERASURE).delete()
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(webhook_sending, "note", killed)
            tell_next()
        assert tell_all() == 0, "the minute of its claim"
        with time_machine.travel(timezone.now() + timedelta(seconds=61)):
            assert tell_all() == 1
    assert len(lab.ids) == 2
    assert len(set(lab.ids)) == 1
    assert Telling.objects.get().delivered_at is not None
    integrate_once()
    assert LogEntry.objects.filter(action=Action.ERASURE_TOLD).count() == 1, "sent twice, told once"


def test_what_is_acknowledged_is_not_sent_any_more(study: Study, settings: Any) -> None:
    with receiver(settings) as lab:
        hook(study, lab.url)
        leave(consenting(study), study)
        Telling.objects.erasures().update(acknowledged_at=timezone.now())
        tell_all()
        assert [event["type"] for event in lab.events] == ["consent.withdrawn"]


def test_a_name_that_begins_to_lead_here_is_refused_at_the_next_attempt(
    study: Study, settings: Any
) -> None:
    asked: list[str] = []
    with receiver(settings) as lab:
        hook(study, f"https://rebinding.example.org:{lab.port}/")
        leave(consenting(study), study)

        def resolver(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        assert tell_all(resolve=resolver) == 1
        assert asked == ["rebinding.example.org"], "asked once for an attempt"
        Telling.objects.update(next_attempt_at=timezone.now())
        WebhookEndpoint.objects.update(quiet_until=None)
        assert tell_all(resolve=resolver) == 1
        assert len(asked) == 2, "and anew for the next"
        assert lab.connections == 0, "nobody was even called"
    assert resolve("localhost", 1)


def test_a_client_has_one_webhook_and_no_wrong_one(study: Study) -> None:
    webhook, _secret = hook(study, "https://lab.example.org/")
    actor = study.administrator.actor
    with pytest.raises(InvalidWebhook):
        create_webhook(actor, webhook.client, "https://other.example.org/")
    disable_webhook(actor, webhook)
    with pytest.raises(InvalidWebhook):
        rotate_secret(actor, webhook)
    create_webhook(actor, webhook.client, "https://other.example.org/")


def test_an_administrator_makes_rotates_replays_and_disables(study: Study, settings: Any) -> None:
    admin = study.administrator.sign_in()
    study.key()
    client = ApiClient.objects.get()
    page = reverse("operate_webhook", args=[client.id])
    assert admin.post(page).status_code == 422
    wrong = admin.post(page, {"step": "create", "url": "http://lab.example.org/"})
    assert wrong.status_code == 422
    assert "Only https" in wrong.content.decode()
    with receiver(settings, 500, 200) as lab:
        made = admin.post(page, {"step": "create", "url": lab.url})
        secret = re.search(r"whsec_[A-Za-z0-9+/=]{44}", made.content.decode())
        assert secret
        assert "no-store" in made.headers["Cache-Control"]
        assert secret[0] not in admin.get(page).content.decode()
        leave(consenting(study), study)
        Telling.objects.exclude(kind=TellingKind.ERASURE).delete()
        assert tell_all() == 1
        telling = Telling.objects.get()
        assert "HTTP 500" in admin.get(page).content.decode()
        again = {"step": "again", "telling": str(telling.id)}
        assert admin.post(page, again).status_code == 302
        with time_machine.travel(timezone.now() + timedelta(seconds=6)):
            too_soon = admin.post(page, again)
            assert too_soon.status_code == 422
            assert "less than a minute ago" in too_soon.content.decode()
            assert tell_all() == 1
        assert is_signed(secret[0], *lab.received[-1])
    for wrong_id in ("", "x", str(client.id)):
        assert admin.post(page, again | {"telling": wrong_id}).status_code == 404
    renewed = admin.post(page, {"step": "rotate"}).content.decode()
    assert "whsec_" in renewed
    assert secret[0] not in renewed
    assert admin.post(page, {"step": "disable"}).status_code == 302
    assert WebhookEndpoint.objects.get().disabled_at
    integrate_once()
    written = LogEntry.objects.filter(action__startswith="webhook:").order_by("index")
    assert list(written.values_list("action", flat=True)) == [
        "webhook:create", "webhook:change", "webhook:change", "webhook:change",
    ]  # fmt: skip


def certificate_for(host: str, folder: Path) -> tuple[Path, Path]:
    """A certificate that signs itself: (certificate, key) as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.mark.parametrize(
    ("host", "trusted", "status"),
    [("lab.example.org", True, 204), ("other.example.org", True, 0), ("lab.example.org", False, 0)],
)
def test_the_certificate_must_be_that_of_the_host(
    study: Study, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    host: str, trusted: bool, status: int,
) -> None:  # fmt: skip
    certificate, key = certificate_for("lab.example.org", tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiver(settings) as lab:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        lab.server.socket = context.wrap_socket(lab.server.socket, server_side=True)
        settings.WEBHOOK_PRIVATE_HOSTS = [host]
        hook(study, f"https://{host}:{lab.port}/")
        leave(consenting(study), study)
        assert tell_next(resolve=lambda *_: ["127.0.0.1"])
    assert Telling.objects.exclude(last_status=None).get().last_status == status
    assert len(lab.received) == (1 if status else 0)


def test_the_keeper_sends_by_itself_while_a_recipient_is_dead(
    study: Study, settings: Any, tmp_path: Path
) -> None:
    with receiver(settings) as lab:
        silent = socket.create_server(("127.0.0.1", 0))
        hook(study, f"http://localhost:{silent.getsockname()[1]}/")
        hook(study, lab.url)
        leave(consenting(study), study)
        with running(KEEPER, tmp_path / "keeper.log", WEBHOOK_PRIVATE_HOSTS="localhost"):
            wait_for(lambda: len(lab.ids) == 2)
            wait_for(lambda: ErasureRequest.objects.exclude(rows_removed_at=None).exists())
        silent.close()
        said = (tmp_path / "keeper.log").read_text()
        assert said
        assert "localhost:" not in said, "no address is written down"
