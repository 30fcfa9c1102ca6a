"""What the tests of the duties do over HTTP, again and again."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from consent.models import Purpose
from emotion.analyses import run_analysis
from emotion.models import Analysis
from tests.cast import PHOTO, Study, api_get, upload
from tests.consent.test_operator_pages import PURPOSE


def new_purpose(browser: Client, **changes: Any) -> Any:
    """The answer to an administrator's form of a new purpose."""
    return browser.post(reverse("operate_purpose_new"), PURPOSE | changes)


def refused_by(browser: Client, rule: str, **changes: Any) -> None:
    """The form is refused, the answer names the rule, and nothing was made."""
    before = Purpose.objects.count()
    page = new_purpose(browser, **changes)
    assert page.status_code == 422
    assert rule in page.content.decode().split("error-summary", 1)[1].split("<section", 1)[0]
    assert Purpose.objects.count() == before


def uploaded(key: str, study: Study, reference: str = "P-001") -> Any:
    """What the API says to an upload of the photograph."""
    return upload(key, reference, study.purpose.id, PHOTO.read_bytes())


def analysed(key: str, study: Study, reference: str = "P-001") -> Analysis:
    """An upload over HTTP, and its analysis."""
    answer = uploaded(key, study, reference)
    assert answer.status_code == 202, answer.content
    row = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == "done", row.reason
    return row


def result(key: str, analysis: Analysis) -> Any:
    """What the API says when a result is asked for, with a reason."""
    return api_get(key, "api_result", analysis.id, Access_Reason="study-analysis")


def words_of(value: Any) -> set[str]:
    """Every key, and every text that is a name, in nested JSON."""
    if isinstance(value, dict):
        return {str(key).lower() for key in value} | set().union(
            *map(words_of, value.values()), set()
        )
    if isinstance(value, list):
        return set().union(*map(words_of, value), set())
    return {value.lower()} if isinstance(value, str) else set()
