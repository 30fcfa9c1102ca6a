"""A client that asks too often is told to wait; others are not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.cast import api_get, open_study

pytestmark = pytest.mark.usefixtures("fresh_db")


def test_one_client_over_its_rate_waits_alone(settings: Any) -> None:
    settings.API_RATE = "3/min"
    study = open_study()
    busy, calm = study.key(), study.key()
    answers = [api_get(busy, "api_recording", uuid4()) for _number in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    last = answers[-1]
    assert last.json()["code"] == "throttled"
    assert last.headers["Content-Type"] == "application/problem+json"
    assert 0 < int(last.headers["Retry-After"]) <= 60
    assert api_get(calm, "api_recording", uuid4()).status_code == 404
