"""A small cast and a browser without scripting."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.actors import SYSTEM_SETUP
from accounts.models import Role, User
from accounts.operators import create_operator
from accounts.second_factor import code_now, enrol_app
from audit_log.models import PendingEntry

PASSWORD = "a long enough sentence"


@pytest.fixture(autouse=True)
def pages(settings: Any, fresh_db: None) -> None:
    settings.ROOT_URLCONF = "tests.accounts.urls"
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    # File names with content hashes need a collected folder; these tests need none.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture
def dpo() -> User:
    return create_operator(SYSTEM_SETUP, email="Dora@example.org", role=Role.DPO, password=PASSWORD)


@pytest.fixture
def researcher() -> User:
    return create_operator(
        SYSTEM_SETUP, email="rita@example.org", role=Role.RESEARCHER, password=PASSWORD
    )


@pytest.fixture
def administrator() -> User:
    return create_operator(
        SYSTEM_SETUP, email="ada@example.org", role=Role.ADMINISTRATOR, password=PASSWORD
    )


@pytest.fixture
def client() -> Client:
    return Client()


def password_step(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post("/account/login/", {"login": email, "password": password})


def code_step(client: Client, code: str) -> Any:
    return client.post("/account/2fa/authenticate/", {"code": code})


def sign_in(client: Client, user: User) -> None:
    """Through the real pages: password, then the code of a real app."""
    secret = enrol_app(user)
    assert password_step(client, user.email)["Location"] == "/account/2fa/authenticate/"
    assert code_step(client, code_now(secret))["Location"] == "/home/"


def entries() -> list[dict[str, Any]]:
    """What the log holds, oldest first."""
    return [json.loads(bytes(row.body)) for row in PendingEntry.objects.order_by("entry_id")]


def actions() -> list[tuple[str, str, str]]:
    return [(entry["action"], entry["outcome"], entry["actor"]) for entry in entries()]
