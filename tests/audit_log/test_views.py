from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import verify
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.sequencer import integrate_once

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture(autouse=True)
def only_these_addresses() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="audit_log.urls", MIDDLEWARE=[]):
        yield


def test_checkpoint_is_the_latest_signed_note() -> None:
    for _ in range(3):
        append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
        integrate_once()
    answer = Client().get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert verify(answer.content.decode(), signing.public_key()).size == 3


def test_empty_log_has_no_checkpoint() -> None:
    answer = Client().get("/log/checkpoint")
    assert answer.status_code == 404
    assert "nothing is signed" in answer.content.decode()


def test_key_is_the_verifier_key() -> None:
    answer = Client().get("/.well-known/consentry-log-key")
    assert answer.content.decode() == f"{signing.verifier_key()}\n"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("address", ["/log/checkpoint", "/.well-known/consentry-log-key"])
def test_nothing_is_written_through_them(address: str) -> None:
    assert Client().post(address).status_code == 405
