"""A client's own keys over HTTP, an operator's page of them, and from where they are accepted."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connections
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.after_restore import end_access
from accounts.client_keys import add_key, revoke_key
from accounts.clients import change_networks, create_client
from accounts.errors import InvalidClient, TooManyKeys
from accounts.models import ApiClient, ApiKey, Scope
from accounts.networks import known_networks, sender, within
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from tests.cast import Study, client_of, open_study

KEYS = "/api/v1/client/keys/"


@pytest.fixture
def study(fresh_db: None) -> Study:
    return open_study()


def ask(key: str, method: str = "GET", path: str = KEYS, body: Any = None, **meta: str) -> Any:
    sent = "" if body is None else json.dumps(body)
    headers = {"Authorization": f"Bearer {key}"}
    return Client().generic(method, path, sent, "application/json", headers=headers, **meta)


def entries(action: str) -> list[dict[str, Any]]:
    found = [json.loads(bytes(row.body)) for row in PendingEntry.objects.order_by("entry_id")]
    return [entry for entry in found if entry["action"] == action]


def test_a_client_goes_over_to_a_new_key_by_itself(study: Study) -> None:
    old = study.key(Scope.RECORDINGS_READ)
    (first,) = ask(old).json()
    assert first["current"]
    assert first["prefix"] in old
    made = ask(old, "POST", body={})
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    new = made.json()["key"]
    secret = new.split("_", 2)[2]
    assert secret not in repr(list(ApiKey.objects.values_list()))
    assert [each["current"] for each in ask(new).json()] == [False, True]
    assert "key" not in ask(new).json()[0]
    for key in (old, new):
        refused = ask(key, "POST", body={})
        assert (refused.status_code, refused.json()["code"]) == (409, "too-many-keys")
    mine = f"{KEYS}{made.json()['prefix']}/"
    refused = ask(new, "DELETE", mine)
    assert (refused.status_code, refused.json()["code"]) == (409, "key-in-use")
    assert ask(new, "DELETE", f"{KEYS}{first['prefix']}/").status_code == 204
    assert ask(old).status_code == 401
    assert ask(new, "DELETE", f"{KEYS}{first['prefix']}/").status_code == 404
    client = ApiClient.objects.get()
    for action, prefix in (
        ("client:key-create", made.json()["prefix"]),
        ("client:key-revoke", first["prefix"]),
    ):
        (entry,) = entries(action)
        assert entry["actor"] == f"client:{client.id}"
        assert json.loads(bytes.fromhex(entry["detail"])) == {"key": prefix}
        assert secret not in json.dumps(entry)


def test_a_key_never_outlives_its_client(study: Study) -> None:
    key = study.key()
    client = ApiClient.objects.get()
    for end, status in (
        (client.expires_at + timedelta(seconds=1), 422),
        (timezone.now() - timedelta(seconds=1), 422),
        ("tomorrow", 422),
        (client.expires_at.replace(tzinfo=None), 422),  # nobody knows in which part of the world
        (client.expires_at, 201),
    ):
        body = {"expires_at": end if isinstance(end, str) else end.isoformat()}
        assert ask(key, "POST", body=body).status_code == status, end
    second = ApiKey.objects.latest("created_at")
    ApiKey.objects.filter(pk=second.pk).update(expires_at=client.expires_at + timedelta(days=9))
    with time_machine.travel(client.expires_at, tick=False):
        assert ask(key).status_code == 401
        with pytest.raises(InvalidClient):
            add_key(study.administrator.actor, client.id)


def test_keys_of_others_are_not_there(study: Study) -> None:
    mine, other = study.key(), open_study().key()
    prefix = other.split("_")[1]
    told = [ask(mine, "DELETE", f"{KEYS}{each}/") for each in (prefix, "0123456789")]
    assert [each.status_code for each in told] == [404, 404]
    assert told[0].content == told[1].content
    assert ask(other).status_code == 200


def test_the_client_says_who_it_is_and_how_much_it_may(study: Study) -> None:
    key = study.key(Scope.RESULTS_READ)
    client = ApiClient.objects.get()
    found = ask(key, path="/api/v1/client/").json()
    assert (found["id"], found["purpose"]) == (str(client.id), str(study.purpose.id))
    assert (found["scopes"], found["networks"]) == (["results:read"], [])
    assert found["limits"]["requests"]["left"] == 2999
    assert found["limits"]["analyses"] | {"reset": 0} == {
        "quota": 20_000, "window": 86_400, "left": 20_000, "reset": 0
    }  # fmt: skip


NETWORKS = {
    "192.0.2.7": "192.0.2.7/32",
    " 192.0.2.0/24 ": "192.0.2.0/24",
    "192.0.2.0/255.255.255.0": "192.0.2.0/24",
    "2001:DB8::/32": "2001:db8::/32",
    "2001:db8::1": "2001:db8::1/128",
    "0.0.0.0/0": "0.0.0.0/0",
}


def test_networks_are_kept_in_one_notation() -> None:
    assert known_networks(NETWORKS) == list(dict.fromkeys(NETWORKS.values()))
    assert known_networks(["", " "]) == []


@pytest.mark.parametrize(
    "text",
    ["lab.example.org", "192.0.2", "192.0.2.0/33", "192.0.2.256", "::/129", "10.0.0.0-9", "*"],
)
def test_what_is_no_network_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(InvalidClient, match=r"Line 2: expected .* 2001:db8::/32"):
        known_networks(["192.0.2.1", text])


def test_a_network_that_begins_in_its_middle_is_refused_with_the_right_one() -> None:
    with pytest.raises(InvalidClient, match=r"did you mean 192\.0\.2\.0/24"):
        known_networks(["192.0.2.7/24"])
    with pytest.raises(InvalidClient, match="At most 20"):
        known_networks(f"192.0.2.{number}" for number in range(21))


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "expected"),
    [
        (0, "198.51.100.7", None, "198.51.100.7"),
        (0, "198.51.100.7", "192.0.2.7", "198.51.100.7"),  # nobody added that but the client
        (1, "127.0.0.1", "192.0.2.7", "192.0.2.7"),
        (1, "127.0.0.1", "10.0.0.1, 192.0.2.7", "192.0.2.7"),  # the first is the client's own word
        (2, "127.0.0.1", "10.0.0.1, 192.0.2.7, 203.0.113.1", "192.0.2.7"),
        (2, "127.0.0.1", "192.0.2.7", None),  # fewer proxies than said: nobody knows
        (1, "127.0.0.1", "unknown", None),
        (1, "198.51.100.7", None, "198.51.100.7"),
        (0, "", None, None),
        (0, "::ffff:192.0.2.7", None, "192.0.2.7"),
        (0, "2001:db8::7", None, "2001:db8::7"),
    ],
)
def test_the_address_is_what_the_own_proxies_say(
    settings: Any, proxies: int, peer: str, forwarded: str | None, expected: str | None
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    found = sender(request)
    assert (str(found) if found else None) == expected
    assert within(["192.0.2.7/32"], request) == (expected == "192.0.2.7")
    assert within([], request)


def test_a_key_from_elsewhere_is_a_wrong_key_and_a_line_in_the_log(study: Study) -> None:
    key = study.key()
    client = ApiClient.objects.get()
    change_networks(study.administrator.actor, client.id, ["192.0.2.0/24", "2001:db8::/32"])
    assert ask(key, REMOTE_ADDR="192.0.2.9").status_code == 200
    assert ask(key, REMOTE_ADDR="2001:db8::9").status_code == 200
    used = ApiKey.objects.get().last_used_at
    elsewhere, wrong = ask(key, REMOTE_ADDR="198.51.100.1"), ask(key + "x")
    assert elsewhere.status_code == wrong.status_code == 401
    assert elsewhere.content == wrong.content
    assert dict(elsewhere.headers) == dict(wrong.headers)
    assert ask(key, REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="192.0.2.9").status_code == 401
    assert ApiKey.objects.get().last_used_at == used
    entry = entries("login:fail")[-1]
    assert (entry["actor"], entry["reason"]) == (f"client:{client.id}", "bad-credentials")
    assert json.loads(bytes.fromhex(entry["detail"])) == {
        "key": key.split("_")[1],
        "why": "network",
    }
    assert "198.51" not in json.dumps(entry)
    assert [each["detail"] != "" for each in entries("client:change")] == [True]


def test_a_key_that_is_tried_for_ever_does_not_fill_the_log(study: Study) -> None:
    key, other = study.key(), study.key()
    for each in (key, other):
        change_networks(study.administrator.actor, client_of(each).id, ["192.0.2.0/24"])
    noon = timezone.now().replace(hour=12, minute=0, second=10)

    def tried(key: str, times: int) -> int:
        """How many entries that many tries make; every answer is that of a wrong key."""
        before = len(entries("login:fail"))
        for _each in range(times):
            answer, wrong = ask(key), ask(key + "x")
            assert (answer.status_code, answer.content) == (401, wrong.content)
            assert dict(answer.headers) == dict(wrong.headers)
        return len(entries("login:fail")) - before

    with time_machine.travel(noon, tick=False) as clock:
        assert tried(key, 13) == 10
        assert tried(other, 2) == 2, "another key is heard of all the same"
        ApiKey.objects.filter(client=client_of(key)).update(revoked_at=timezone.now())
        assert tried(key, 12) == 10, "and so is another reason"
        clock.shift(3600)
        assert tried(key, 1) == 1


def test_an_operator_makes_a_second_key_revokes_one_and_names_networks(study: Study) -> None:
    first = study.key()
    admin, client = study.administrator.sign_in(), ApiClient.objects.get()
    page = reverse("operate_client", args=[client.id])
    assert "Never" in admin.get(page).content.decode()
    made = admin.post(page, {"step": "key"})
    found = re.search(r"cns_[0-9a-f]{10}_[\w-]{40,}", made.content.decode())
    assert found
    assert "no-store" in made["Cache-Control"]
    assert found[0] not in admin.get(page).content.decode()
    assert ask(found[0]).status_code == 200
    assert admin.post(page, {"step": "key"}).status_code == 422
    prefix = first.split("_")[1]
    revoke = reverse("operate_client_key", args=[client.id, prefix])
    assert admin.post(revoke, {"name": "wrong"}).status_code == 422
    assert ask(first).status_code == 200
    assert admin.post(revoke, {"name": prefix}).status_code == 302
    assert ask(first).status_code == 401
    assert ask(found[0]).status_code == 200
    assert admin.get(revoke).status_code == 404
    wrong = admin.post(page, {"step": "networks", "networks": "192.0.2.7\nlab.example.org"})
    assert wrong.status_code == 422
    assert "Line 2" in wrong.content.decode()
    assert admin.post(page, {"step": "networks", "networks": "192.0.2.7"}).status_code == 302
    assert ApiClient.objects.get().networks == ["192.0.2.7/32"]
    assert ask(found[0]).status_code == 401
    assert admin.post(page, {"step": "something"}).status_code == 422
    assert admin.get(reverse("operate_client", args=[uuid4()])).status_code == 404
    revoke_key(study.administrator.actor, client.id, found[0].split("_")[1])
    assert "No key is accepted" in admin.get(page).content.decode()


def test_a_restored_key_or_list_that_was_ended_does_not_live_again(study: Study) -> None:
    """The rows as an older backup has them, and the log that is newer."""
    actor = study.administrator.actor
    kept, rotated, moved = study.key(), study.key(), study.key()
    clients = {key: client_of(key) for key in (kept, rotated, moved)}
    integrate_once()
    before = LogEntry.objects.count()
    second = add_key(actor, clients[rotated].id)[1]
    revoke_key(actor, clients[rotated].id, rotated.split("_")[1])
    change_networks(actor, clients[moved].id, ["192.0.2.0/24"])
    integrate_once()
    ApiKey.objects.update(revoked_at=None)
    ApiClient.objects.update(networks=[])
    ended = end_access(LogEntry.objects.filter(index__gte=before))
    assert ended.clients == 2
    assert [ask(key).status_code for key in (kept, rotated, second, moved)] == [200, 401, 200, 401]


def test_two_who_make_a_second_key_at_once_make_one(study: Study) -> None:
    from threading import Barrier, Thread

    study.key()
    client, barrier, made = ApiClient.objects.get(), Barrier(4), []

    def race() -> None:
        barrier.wait()
        try:
            made.append(add_key(study.administrator.actor, client.id)[1])
        except TooManyKeys:
            pass
        finally:
            connections.close_all()

    threads = [Thread(target=race) for _number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 1
    assert ApiKey.objects.count() == 2


def test_a_client_begins_with_its_networks(study: Study) -> None:
    values = {
        "name": "Lab", "purpose_id": study.purpose.id, "scopes": [Scope.RESULTS_READ],
        "expires_at": timezone.now() + timedelta(days=1),
    }  # fmt: skip
    with pytest.raises(InvalidClient):
        create_client(study.administrator.actor, networks=["here"], **values)
    made, _key = create_client(study.administrator.actor, networks=["192.0.2.7"], **values)
    assert made.networks == ["192.0.2.7/32"]
