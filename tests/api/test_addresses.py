"""Addresses in answers are those that Django would look up, whatever host and folder the server is on."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.test import RequestFactory
from django.urls import get_script_prefix, reverse, set_script_prefix
from rest_framework.request import Request

from accounts.addresses import address

NAMES = ("api_recording", "api_analysis", "api_upload", "api_export_content")


@pytest.fixture(params=["/", "/faces/"])
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    before = get_script_prefix()
    set_script_prefix(request.param)
    yield request.param
    set_script_prefix(before)


@pytest.mark.parametrize("host", ["testserver", "localhost:8000"])
def test_an_address_is_the_one_that_is_looked_up(prefix: str, host: str) -> None:
    request = Request(RequestFactory().get("/api/v1/recordings/", headers={"host": host}))
    for name in NAMES:
        for id in (uuid4(), uuid4()):
            found = address(request, name, id)
            assert found == request.build_absolute_uri(reverse(name, args=[id]))
            assert found.startswith(f"http://{host}{prefix}api/v1/")
            assert str(id) in found
