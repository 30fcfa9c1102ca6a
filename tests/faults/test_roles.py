"""Every address, task and command against docs/roles.md, as every role."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import unescape
from inspect import getclosurevars
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError
from django.test import Client
from django.urls import URLPattern, reverse

from accounts.languages import IN_ENGLISH
from accounts.models import Scope, User
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from config.celery import app
from emotion.management.commands import demo_study
from tests.cast import come_in, consenting, open_study
from tests.config.test_translations import entries as texts_of
from tests.faults.roles import (
    MAY,
    NO,
    ROLES,
    SIGN_IN,
    UNINVOLVED,
    House,
    address,
    addresses,
    build,
    word,
    written,
)

OPENED = {"GET": "get", "HEAD": "head"}
OPERATORS = {"administrator", "researcher", "other researcher", "DPO"}


def test_every_address_is_listed() -> None:
    found = [pattern.name for pattern in addresses()]
    assert None not in found, "an address without a name"
    assert len(set(found)) == len(found), "two addresses with one name"
    assert set(found) == set(written("Addresses"))


def test_every_task_is_listed() -> None:
    app.loader.import_default_modules()
    ours = {name for name in current_app.tasks if not name.startswith("celery.")}
    assert ours == set(written("Tasks"))


def test_every_command_is_listed() -> None:
    labels = {
        config.name
        for config in apps.get_app_configs()
        if Path(config.path).parent == settings.BASE_DIR
    }
    assert labels == {"config", "emotion", "consent", "accounts", "vault", "audit_log"}
    ours = {name for name, label in get_commands().items() if label in labels}
    assert ours == set(written("Commands"))


def leaks(house: House, role: str, name: str, answer: Any) -> list[str]:
    """What stands in a page that must not; the address that was asked for is known to the asker."""
    text = answer.getvalue().decode(errors="replace").replace(address(name, house.arguments), "")
    hidden = house.named + (house.opaque if role in UNINVOLVED else [])
    return [each for each in hidden if each in text]


@cache
def german() -> list[str]:
    """Texts of the German catalogue that are long enough not to be said in English by chance."""
    texts = texts_of("de")
    return [f for t in texts for f in t.forms if len(f) > 12 and "%" not in f != t.message.singular]


def tongue(name: str, role: str, answer: Any) -> list[str]:
    """Whether a page is whole in one language: English for operators, else that of the browser."""
    page = unescape(answer.getvalue().decode(errors="replace"))
    if '<html lang="' not in page:
        return []
    english = role in OPERATORS or name in IN_ENGLISH
    language = page.split('<html lang="')[1].split('"')[0]
    if language != ("en" if english else "de"):
        return [f"{name} says {role} that it is in {language}"]
    if ('class="languages"' in page) == english:
        return [f"{name} has a switch for {role} that does nothing, or none"]
    mixed = [form for form in german() if english and form in page]
    return [f"{name} says {role} in German: {form}" for form in mixed[:1]]


def told(house: House, name: str, asked: str, role: str, expected: str) -> list[str]:
    """Ask as one role at one address; what differs from the table."""
    wrong = []
    if asked in OPENED and expected != MAY:
        answer = getattr(house, OPENED[asked])(role, name)
        if word(answer) != expected:
            wrong.append(f"{name} as {role}: expected {expected}, told {word(answer)}")
        wrong += tongue(name, role, answer)
        wrong += [f"{name} shows {role} {what}" for what in leaks(house, role, name, answer)]
    if expected in {NO, SIGN_IN} or (asked == "POST" and expected != MAY):
        answer = house.post(role, name)
        refused = {NO, SIGN_IN, "405"} if asked in OPENED else {expected}
        if word(answer) not in refused:
            wrong.append(f"{name} takes the form of {role}: {word(answer)}")
    return wrong


def test_every_role_at_every_address(fresh_db: None) -> None:
    house = build()
    for browser in house.browsers.values():
        browser.cookies.pop(settings.LANGUAGE_COOKIE_NAME, None)
        browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    wrong = []
    for name, (asked, *cells) in written("Addresses").items():
        for role, expected in zip(ROLES, cells, strict=True):
            wrong += told(house, name, asked, role, expected)
    assert not wrong, "\n".join(wrong)


def methods_of(view: Callable[..., Any] | None) -> list[str]:
    """What Django's guard around a page lets through; nothing where there is none."""
    while view is not None:
        if listed := getclosurevars(view).nonlocals.get("request_method_list"):
            return list(listed)
        view = getattr(view, "__wrapped__", None)
    return []


def of_nothing(pattern: URLPattern) -> str:
    """An address with arguments of the right kind that name nothing."""
    kinds = {
        "level": 0,
        "number": 1,
        "pk": 1,
        "kind": "access",
        "prefix": "abcdefgh",
        "step": "reset",
    }
    wanted = pattern.pattern.regex.groupindex
    return reverse(str(pattern.name), kwargs={each: kinds.get(each, uuid4()) for each in wanted})


def taking_forms_only() -> list[str]:
    """Addresses that take a form and show nothing, each with arguments that name nothing."""
    listed = [(pattern, methods_of(pattern.callback)) for pattern in addresses()]
    return [
        of_nothing(each) for each, methods in listed if "POST" in methods and "GET" not in methods
    ]


def test_whoever_was_signed_out_comes_back_to_a_page(fresh_db: None) -> None:
    seen, home = reverse("retention_policy"), reverse("home")
    guarded = 0
    for place in taking_forms_only():
        for before, back in [
            (f"http://testserver{seen}?of=1", f"{seen}?of=1"),
            (f"http://elsewhere.example{seen}", home),
            ("http://testserver//elsewhere.example/", "/%2Felsewhere.example/"),
            ("http://[", home),
            ("elsewhere", home),
            ("", home),
        ]:
            answer = Client().post(place, headers={"Referer": before})
            if word(answer) == SIGN_IN:
                guarded += 1
                asked = parse_qs(urlsplit(answer["Location"]).query)
                assert asked == {"undone": ["1"], "next": [back]}, place
                page = BeautifulSoup(Client().get(answer["Location"]).content, "html.parser")
                assert page.select_one("[data-undone]"), place
    assert guarded > 50
    page = BeautifulSoup(Client().get(reverse("subject_sign_in")).content, "html.parser")
    assert page.select_one("[data-undone]") is None
    assert Client().post(home, headers={"Host": "elsewhere.example"}).status_code == 400


def test_a_page_that_asks_by_itself_is_sent_to_sign_in_as_a_whole(fresh_db: None) -> None:
    part = reverse("erasure", args=[uuid4()])
    for shown, back in (("http://testserver/me/", "/me/"), ("http://[", reverse("home"))):
        asking = {"HX-Request": "true", "HX-Current-URL": shown}
        answer = Client().get(part, headers=asking)
        assert answer.status_code == 200, "htmx does not see the header of an answer that leads on"
        assert answer["HX-Redirect"] == f"{reverse('subject_sign_in')}?next={back}"
        assert answer.content == b""


def test_an_address_without_a_page_says_so_and_leads_on(fresh_db: None) -> None:
    study = open_study()
    staff = (study.administrator, study.researcher, study.officer)
    browsers = [come_in(study).browser, *(each.sign_in() for each in staff)]
    for place in taking_forms_only():
        answers = [browser.get(place) for browser in browsers]
        empty = [answer for answer in answers if answer.status_code == 405]
        assert empty, place
        for answer in empty:
            page = BeautifulSoup(answer.content, "html.parser")
            assert (len(page.select("h1")), len(page.select("main a[href='/']"))) == (1, 1), place
            assert "POST" in answer["Allow"]
            assert answer["X-Frame-Options"] == "DENY"


def test_a_client_needs_the_scope_of_each_address(fresh_db: None) -> None:
    study = open_study()
    checked = set()
    for pattern in addresses():
        scopes = getattr(getattr(pattern.callback, "cls", None), "scopes", {})
        for method, scope in scopes.items():
            key = study.key(*(each for each in Scope if each != scope))
            wanted = pattern.pattern.regex.groupindex
            # Of a class that several addresses share; and any live key may ask what an address can do.
            if not hasattr(pattern.callback.cls, method.lower()) or method == "OPTIONS":
                continue
            answer = Client().generic(
                method,
                reverse(str(pattern.name), kwargs=dict.fromkeys(wanted, uuid4())),
                headers={"Authorization": f"Bearer {key}"},
            )
            assert answer.status_code == 403, pattern.name
            checked.add(pattern.name)
    # The documents are for everybody; to obey, and to see to one's own keys, needs no scope.
    free = {"api_schema", "api_docs", "api_erasures", "api_erasure_acknowledge"}
    free |= {"api_client", "api_client_keys", "api_client_key"}
    free |= {"api_purposes", "api_purpose"}  # what every person may read too
    free |= {"api_log_entry", "api_log_entry_proof"}  # only what the client did itself
    assert checked == {name for name in written("Addresses") if name.startswith("api_")} - free


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


def test_a_task_with_the_id_of_nothing_does_nothing(fresh_db: None) -> None:
    consenting(open_study())
    before = entries()
    app.loader.import_default_modules()
    for name in written("Tasks"):
        current_app.tasks[name](str(uuid4()))
    assert entries() == before


def test_demo_commands_refuse_a_real_installation(fresh_db: None) -> None:
    assert not settings.DEMO
    for name in ("demo_study", "demo_code"):
        with pytest.raises(CommandError, match="not a demo"):
            call_command(name)


def test_a_demo_that_was_stopped_while_it_was_made_says_so(
    fresh_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DEMO", True)

    def stopped(_user: User) -> None:
        """By Ctrl-C, when the first operator is there."""
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(demo_study, "enrol_app", stopped)
        call_command("demo_study")
    with pytest.raises(CommandError, match=r"Move .* and .* away, and start again"):
        call_command("demo_study")


def test_a_demo_is_made_once(fresh_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DEMO", True)
    logins = Path(settings.KEYS_DIR) / "demo_logins"
    call_command("demo_study", stdout=StringIO())
    logins.unlink()  # its reader knows them by heart
    call_command("demo_study")
    assert not logins.exists()


def test_the_verdict_on_the_log_names_nobody(fresh_db: None) -> None:
    study = open_study()
    person = consenting(study, "Visible-Alice")
    integrate_once()
    output = StringIO()
    call_command("verify_log", stdout=output)
    assert output.getvalue().strip()
    for secret in ("Visible", str(person.subject.id), str(person.subject.user_id)):
        assert secret not in output.getvalue()
