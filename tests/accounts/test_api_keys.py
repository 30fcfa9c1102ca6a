"""Keys of API clients, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.actors import actor_for
from accounts.client_keys import find_key
from accounts.clients import create_client, revoke_client
from accounts.errors import InvalidClient, UnknownClient
from accounts.models import ApiClient, ApiKey, Scope, User
from accounts.second_factor import enrol_app
from tests.accounts.conftest import actions, entries

PURPOSE = UUID("0198c5a0-0000-7000-8000-000000000001")


@pytest.fixture
def made(administrator: User) -> tuple[ApiClient, str]:
    return create_client(
        actor_for(administrator),
        name="Laboratory",
        purpose_id=PURPOSE,
        scopes=[Scope.RESULTS_READ],
        expires_at=timezone.now() + timedelta(days=30),
    )


def get(key: str) -> object:
    return Client().get("/api/v1/results/", headers={"Authorization": f"Bearer {key}"})


def test_a_right_key_is_the_client_in_its_purpose(made: tuple[ApiClient, str]) -> None:
    client, key = made
    answer = get(key)
    assert answer.status_code == 200
    assert answer.json() == {"actor": f"client:{client.id}", "purpose": str(PURPOSE)}


def test_making_a_client_is_logged_with_its_purpose(
    made: tuple[ApiClient, str], administrator: User
) -> None:
    assert actions()[-1] == ("client:create", "ok", f"operator:{administrator.id}")
    assert entries()[-1]["purpose"] == str(PURPOSE)


def test_only_a_hash_of_the_secret_is_kept(made: tuple[ApiClient, str]) -> None:
    client, key = made
    secret = key.split("_", 2)[2]
    rows = [*ApiClient.objects.values_list().get(id=client.id), *ApiKey.objects.values_list().get()]
    stored = " ".join(str(value) for value in rows)
    assert secret not in stored
    assert len(secret) >= 43  # 256 bits


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key.replace("cns_", "cnx_"),
        lambda key: key.rsplit("_", 1)[0],
        lambda key: "cns_" + "0" * 10 + "_" + key.split("_", 2)[2],
        lambda key: "",
        lambda key: "cns__",
    ],
    ids=["secret", "mark", "no secret", "prefix", "empty", "hollow"],
)
def test_a_wrong_key_is_refused(made: tuple[ApiClient, str], change: object) -> None:
    answer = get(change(made[1]))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_no_key_at_all_is_refused() -> None:
    assert Client().get("/api/v1/results/").status_code in (401, 403)


def test_an_expired_key_is_refused_and_logged(made: tuple[ApiClient, str]) -> None:
    client, key = made
    with time_machine.travel(client.expires_at - timedelta(seconds=1), tick=False):
        assert get(key).status_code == 200
    with time_machine.travel(client.expires_at, tick=False):
        assert get(key).status_code == 401
    assert actions()[-1] == ("login:fail", "refused", f"client:{client.id}")


def test_a_revoked_key_is_refused_at_once(made: tuple[ApiClient, str], administrator: User) -> None:
    client, key = made
    revoke_client(actor_for(administrator), client.id)
    revoke_client(actor_for(administrator), client.id)
    assert [action for action, _, _ in actions()].count("client:revoke") == 1
    assert get(key).status_code == 401


def test_refusals_look_the_same(made: tuple[ApiClient, str], administrator: User) -> None:
    client, key = made
    wrong = get(key + "x").json()
    revoke_client(actor_for(administrator), client.id)
    assert get(key).json() == wrong


def test_scope_decides_what_the_key_opens(administrator: User) -> None:
    _client, key = create_client(
        actor_for(administrator),
        name="Uploader",
        purpose_id=PURPOSE,
        scopes=[Scope.RECORDINGS_UPLOAD],
        expires_at=timezone.now() + timedelta(days=1),
    )
    assert get(key).status_code == 403


def test_a_method_that_the_address_does_not_have_is_405_and_says_what_it_has(
    made: tuple[ApiClient, str],
) -> None:
    headers = {"Authorization": f"Bearer {made[1]}"}
    answer = Client().delete("/api/v1/results/", headers=headers)
    assert answer.status_code == 405
    assert answer.json()["code"] == "method-not-allowed"
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert Client().delete("/api/v1/results/").status_code == 401  # a stranger learns nothing


def test_a_method_without_a_scope_is_open_to_nobody(made: tuple[ApiClient, str]) -> None:
    headers = {"Authorization": f"Bearer {made[1]}"}
    assert Client().post("/api/v1/results/", headers=headers).status_code == 403


def test_a_session_is_no_key(client: Client, administrator: User) -> None:
    enrol_app(administrator)
    client.force_login(administrator)
    assert client.get("/api/v1/results/").status_code in (401, 403)


def test_last_use_is_noted_to_the_minute(made: tuple[ApiClient, str]) -> None:
    client, key = made
    start = timezone.now()
    noted = []
    for seconds in (0, 30, 61):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            get(key)
            noted.append(ApiClient.objects.get(id=client.id).last_used_at)
    assert noted[0] == noted[1] == start
    assert noted[2] == start + timedelta(seconds=61)


@pytest.mark.parametrize(
    "values",
    [
        {"name": " "},
        {"scopes": []},
        {"scopes": ["consent:give"]},
        {"expires_at": timezone.now() - timedelta(days=1)},
    ],
    ids=["name", "no scope", "the power to consent", "past"],
)
def test_what_is_no_client(administrator: User, values: dict[str, object]) -> None:
    wanted = {
        "name": "Laboratory",
        "purpose_id": PURPOSE,
        "scopes": [Scope.RESULTS_READ],
        "expires_at": timezone.now() + timedelta(days=30),
    }
    with pytest.raises(InvalidClient):
        create_client(actor_for(administrator), **(wanted | values))
    assert not ApiClient.objects.exists()


def test_no_scope_can_give_consent() -> None:
    assert not any("give" in scope or "grant" in scope for scope in Scope.values)


def test_revoking_what_does_not_exist(administrator: User) -> None:
    with pytest.raises(UnknownClient):
        revoke_client(actor_for(administrator), uuid7())


def test_a_key_finds_its_own_client_only(made: tuple[ApiClient, str], administrator: User) -> None:
    other, other_key = create_client(
        actor_for(administrator),
        name="Other",
        purpose_id=uuid7(),
        scopes=[Scope.RESULTS_READ],
        expires_at=timezone.now() + timedelta(days=1),
    )
    found = find_key(other_key)
    assert found is not None
    assert found.client == other
    mixed = f"cns_{made[0].keys.get().prefix}_{other_key.split('_', 2)[2]}"
    assert find_key(mixed) is None
