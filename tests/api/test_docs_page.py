"""The page of the API: drawn from the document, complete, small, and without any script of its own."""

from __future__ import annotations

import gzip
import re
import shlex
from typing import Any

from bs4 import BeautifulSoup
from django.conf import settings
from django.test import Client
from django.urls import reverse

from config.schema import document
from tools.openapi import operations

PAGE_AT_MOST = 150_000
"""Bytes that a page may weigh with its style sheets and scripts: issue and docs/ui.md."""


def page() -> tuple[Any, BeautifulSoup]:
    answer = Client().get(reverse("api_docs"), headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    return answer, BeautifulSoup(gzip.decompress(answer.content), "html.parser")


def test_it_shows_every_operation_with_all_that_it_has(fresh_db: None) -> None:
    _answer, soup = page()
    for name, each in operations(document()).items():
        section = soup.find(id=each["operationId"])
        assert section is not None, name
        text = section.get_text(" ", strip=True)
        method, path = name.split(" ")
        assert each["summary"] in text
        assert f"{method} {path.removeprefix('/api/v1')}" in text
        for scope in each["x-required-scopes"]:
            assert scope in text, name
        for status, codes in each["x-codes"].items():
            assert status in text, name
            assert all(code in text for code in codes), name
        for parameter in each.get("parameters", ()):
            assert parameter["name"] in text, name
        assert soup.find("a", href=f"#{each['operationId']}"), name
    links = [a["href"][1:] for a in soup.find_all("a", href=re.compile("^#"))]
    assert [link for link in links if not soup.find(id=link)] == []
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_each_command_can_be_run_as_it_stands(fresh_db: None) -> None:
    _answer, soup = page()
    for name, each in operations(document()).items():
        command = soup.find(id=each["operationId"]).find("pre").get_text()
        words = shlex.split(command)
        assert words[0] == "curl"
        assert words[-1].startswith(f"{settings.SITE_URL}/api/v1/"), name
        assert "{" not in words[-1], name
        brings = bool({"-d", "-F", "--data-binary"} & set(words))
        assert ("-X" in words) == (name.split(" ")[0] != ("POST" if brings else "GET")), name
        for parameter in each.get("parameters", ()):
            if parameter.get("required") and parameter["in"] == "header":
                assert any(word.startswith(f"{parameter['name']}: ") for word in words), name


def test_it_weighs_little_and_brings_no_script(fresh_db: None) -> None:
    answer, soup = page()
    static = settings.BASE_DIR / "static"
    files = [tag["href"] for tag in soup.find_all("link", rel="stylesheet")]
    files += [tag["src"] for tag in soup.find_all("script")]
    sizes = [
        (static / re.sub(r"^/static/", "", re.sub(r"\.[0-9a-f]{12}(?=\.)", "", file)))
        .stat()
        .st_size
        for file in files
    ]
    assert len(answer.content) + sum(sizes) < PAGE_AT_MOST
    assert not [tag for tag in soup.find_all("script") if "api" in tag["src"]]
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_it_is_the_same_for_everybody_and_holds_no_key(fresh_db: None) -> None:
    _answer, soup = page()
    text = soup.get_text()
    found = set(re.findall(r"cns_\w+", text))
    assert found <= {"cns_", "cns_0123456789_ZkD2l0Yq9wH3o8c1u5t7bXJ4s6vRNaPmKeGfQyTiLxE"}
