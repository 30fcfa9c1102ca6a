"""Who looked: nothing that happens besides hides a look from the person, and every entry can be proven."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from consent.history import PROVEN_AT_ONCE
from consent.last_entries import end_tags
from emotion.models import Analysis
from tests.cast import Person, Study, analysed, much_happens, text_of
from tests.consent.test_last_entries import receipt, withdraw_finally
from tests.counting import queries_of
from tools import verify_access_log

pytestmark = pytest.mark.usefixtures("fresh_db")
LIST = "access_history"
LOOK = "A result about you was read"
NOBODY = "Nobody has looked"
NOBODY_AT_HOME = "Nobody but you has looked at anything about you."


@pytest.fixture
def looked_at(study: Study, person: Person) -> Analysis:
    """A result that the researcher has read."""
    row = analysed(study)
    desk = study.researcher.sign_in()
    page = desk.post(reverse("operate_result", args=[row.id]), {"reason": "quality-check"})
    assert page.status_code == 200
    integrate_once()
    return row


def proofs_on(page: Any) -> list[str]:
    """The addresses of the proofs of the entries on a page, in their order."""
    found = BeautifulSoup(page.content, "html.parser").select(".timeline a[download]")
    return [str(link["href"]) for link in found]


def every_page(browser: Client, address: str) -> list[Any]:
    """All pages of a list, by the link to what is older."""
    pages = [browser.get(address)]
    while older := BeautifulSoup(pages[-1].content, "html.parser").select_one('a[rel="next"]'):
        pages.append(browser.get(reverse(LIST) + str(older["href"])))
    return pages


def test_a_look_is_shown_whatever_else_happened_since(
    study: Study, person: Person, looked_at: Analysis
) -> None:
    """A program that begins and discards uploads writes two entries each time: they bury nothing."""
    home, looks = reverse("subject_home"), reverse(LIST) + "?looks=1"
    for _time in range(2):  # what a browser asks for first is not asked again
        before = {each: queries_of(person.browser, each) for each in (home, looks)}
    much_happens(person, study.purpose, 1200)
    for address in (home, looks):
        said = text_of(person.browser.get(address))
        assert LOOK in said
        assert NOBODY not in said
        assert NOBODY_AT_HOME not in said
        assert queries_of(person.browser, address) <= before[address]


def test_every_entry_is_on_a_page_with_its_proof(
    study: Study, person: Person, looked_at: Analysis, tmp_path: Path
) -> None:
    much_happens(person, study.purpose, 230)
    pages = every_page(person.browser, reverse(LIST))
    proofs = [address for page in pages for address in proofs_on(page)]
    assert len(pages) == len(proofs) // 50 + 1
    assert len(proofs) == len(set(proofs)) > 230
    assert LOOK in text_of(pages[-1])
    assert "Newest" in text_of(pages[-1])
    (look,) = proofs_on(person.browser.get(reverse(LIST) + "?looks=1"))
    assert look in proofs
    path = tmp_path / "proof.json"
    path.write_bytes(person.browser.get(look).content)
    assert verify_access_log.main(["receipt", str(path), "--key", verifier_key()]) == 0


def test_all_proofs_are_in_files_of_a_thousand(
    study: Study, person: Person, looked_at: Analysis, tmp_path: Path
) -> None:
    address = reverse("entry_proofs")
    much_happens(person, study.purpose, PROVEN_AT_ONCE)
    page = person.browser.get(reverse(LIST))
    files = re.findall(rf'href="({address}[^"]*)" download', page.content.decode())
    assert files == [f"{address}?file=1", f"{address}?file=2"]
    proven = 0
    for number, file in enumerate(files):
        answer = person.browser.get(file)
        path = tmp_path / f"{number}.json"
        path.write_bytes(answer.content)
        assert verify_access_log.main(["receipt", str(path), "--key", verifier_key()]) == 0
        proven += len(answer.json()["entries"])
    listed = [
        each for each in every_page(person.browser, reverse(LIST)) for each in proofs_on(each)
    ]
    assert proven == len(listed) > PROVEN_AT_ONCE
    for odd in ("0", "3", "-1", "x", "", "9" * 30, "9" * 5000):
        assert person.browser.get(address, {"file": odd}).status_code == 404, odd


def test_nobody_has_looked_is_said_only_where_it_is_so(study: Study, person: Person) -> None:
    integrate_once()
    looks = reverse(LIST) + "?looks=1"
    assert NOBODY in text_of(person.browser.get(looks))
    assert NOBODY_AT_HOME in text_of(person.browser.get(reverse("subject_home")))
    beyond = text_of(person.browser.get(looks + "&before=0"))
    assert NOBODY not in beyond
    assert "Nothing further back" in beyond
    for odd in ("x", "1.5", "\0"):
        assert person.browser.get(reverse(LIST), {"before": odd}).status_code == 404


def test_what_nothing_links_to_the_person_any_more_is_not_called_unseen(
    study: Study, person: Person, looked_at: Analysis
) -> None:
    request = withdraw_finally(person, study)
    receipt(person, request)
    assert end_tags() == 1
    said = text_of(person.browser.get(reverse(LIST) + "?looks=1"))
    assert LOOK not in said
    assert NOBODY not in said
    assert "nothing links the entries to you any more" in said
    home = text_of(person.browser.get(reverse("subject_home")))
    assert NOBODY_AT_HOME not in home
    assert "Of what can still be told" in home


def test_own_looks_and_those_at_others_are_no_looks(study: Study, person: Person) -> None:
    row = analysed(study)
    assert person.browser.get(reverse("own_result", args=[row.id])).status_code == 200
    integrate_once()
    assert LogEntry.objects.filter(action="result:read", outcome="ok").exists()
    assert NOBODY in text_of(person.browser.get(reverse(LIST) + "?looks=1"))
    assert LOOK in text_of(person.browser.get(reverse(LIST)))
