"""Prepared questions: put together once, asked each time, and the same as Django would ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import DateTimeField, Exists, OuterRef, QuerySet, UUIDField
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from accounts.clients import create_client
from accounts.models import ApiClient, ApiKey, Scope
from audit_log.prepared import Columns, Given, Prepared, Whole
from tests.cast import open_study

pytestmark = pytest.mark.usefixtures("fresh_db")
LATER = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Found(NamedTuple):
    """A column of each kind that databases keep in their own ways."""

    id: UUID
    scopes: list[str]
    expires_at: datetime
    revoked_at: datetime | None
    has_key: bool


def clients() -> QuerySet[ApiClient]:
    keys = ApiKey.objects.filter(client=OuterRef("pk"), revoked_at=None)
    rows = ApiClient.objects.filter(
        id=Given("id", UUIDField()), expires_at__gt=Given("now", DateTimeField())
    )
    return rows.annotate(has_key=Exists(keys))


@pytest.fixture
def client_id() -> UUID:
    study = open_study()
    client, _key = create_client(
        study.administrator.actor,
        name="Laboratory",
        purpose_id=study.purpose.id,
        scopes=[Scope.RESULTS_READ],
        expires_at=LATER,
    )
    return client.id


def test_rows_are_what_the_orm_would_give(client_id: UUID) -> None:
    asked = Prepared(Columns(Found), clients)
    found = asked.all(id=client_id, now=LATER - timedelta(microseconds=1))
    assert found == [Found(client_id, ["results:read"], LATER, None, True)]
    assert asked.first(id=client_id, now=LATER) is None
    assert asked.first(id=uuid7(), now=datetime.now(UTC)) is None


def test_every_asking_asks_the_database_and_only_the_first_needs_the_compiler(
    client_id: UUID,
) -> None:
    asked = Prepared(Columns(Found), clients)
    asked.first(id=client_id, now=datetime.now(UTC))
    ApiClient.objects.update(scopes=["subjects:read"], revoked_at=LATER)
    ApiKey.objects.update(revoked_at=LATER)
    with (
        patch.object(SQLCompiler, "as_sql", side_effect=AssertionError("compiled again")),
        CaptureQueriesContext(connection) as questions,
    ):
        found = asked.first(id=client_id, now=datetime.now(UTC))
    assert found == Found(client_id, ["subjects:read"], LATER, LATER, False)
    assert len(questions) == 1


def test_models_come_with_all_columns_and_with_what_is_joined(client_id: UUID) -> None:
    rows = ApiKey.objects.order_by("created_at")
    asked = Prepared(
        Whole(ApiKey, "client"), lambda: rows.filter(client_id=Given("client_id", UUIDField()))
    )
    with CaptureQueriesContext(connection) as questions:
        (key,) = asked.all(client_id=client_id)
        client = key.client
    assert len(questions) == 1
    for found, kept in ((key, ApiKey.objects.get()), (client, ApiClient.objects.get())):
        names = [field.attname for field in kept._meta.concrete_fields]
        assert [getattr(found, name) for name in names] == [getattr(kept, name) for name in names]
        assert not found.get_deferred_fields()
        assert (found._state.db, found._state.adding) == ("default", False)


def test_a_value_that_the_question_does_not_name_is_an_error(client_id: UUID) -> None:
    """A filter that gets lost is noticed by whoever gives it its value, and not by what opens."""
    asked = Prepared(Columns(Found), clients)
    now = datetime.now(UTC)
    with pytest.raises(TypeError, match="expected"):
        asked.all(id=client_id)
    with pytest.raises(TypeError, match="expected"):
        asked.all(id=client_id, now=now, purpose_id=uuid7())


def test_none_is_like_no_value(client_id: UUID) -> None:
    asked = Prepared(Columns(Found), clients)
    assert asked.first(id=None, now=datetime.now(UTC)) is None
