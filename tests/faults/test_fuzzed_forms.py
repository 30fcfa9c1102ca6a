"""Every form of every page, filled in as nobody would: an answer, and never a fault.

The forms are found where a person finds them, on the pages that each role may open. Dates, numbers,
addresses and what is hidden are tried with everything of their kind, text with what is drawn:
``FORM_EXAMPLES`` values (default 1; 20 make a long run), from a fixed seed, so that what fails once fails
again. The API has its own in ``tests/api/test_schemathesis``.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import resolve

from tests.faults.roles import ROLES, YES, House, address, build, word, written

EXAMPLES = int(os.environ.get("FORM_EXAMPLES", "1"))
SEED = 20261129
# Whoever sends these is signed out, or signs in otherwise, and sees no further page.
ENDS = {
    "account_logout", "close_account", "subject_sign_out", "mfa_deactivate_totp", "mfa_activate_totp",
}  # fmt: skip
DAYS = (
    "0001-01-01", "9999-12-31", "10000-01-01", "2027-02-30", "2027-13-45", "0001-01-01T00:00", "24:61",
    "9999-12-31T23:59:59", "9999-12-31T23:59:59+14:00", "0000-05",
)  # fmt: skip
NUMBERS = ("-1", "0", "1.5", "1e400", "NaN", "Infinity", "9" * 30, "\u0663", "\u00b2", "1_000")
MAIL = (
    "a@b",
    "a@[1.2.3.4]",
    '"a b"@example.org',
    "a@\u00e9\u00e9.example",
    "a\r\nBcc: x@example.org",
)
PLACES = (
    "https://a@b@c/", "http://\x7f/", "https://xn--/", "https://" + "a" * 70 + ".example/", "https://[::1",
    "10.0.0.0/33", "::/0", "1.2.3.4/ 8", "../../etc/passwd",
)  # fmt: skip
HIDDEN = (
    "0", "false", "null", "[]", "{}", "[" * 20_000, '{"a":' * 50, "00000000-0000-0000-0000-000000000000",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
)  # fmt: skip
TEXT = (
    "", " ", "\t\r\n", "\x00", "a\x00b", "A" * 300, "A" * 70_000, "\U0001f600" * 99, "\u202eabc",
    "\u200b", "on", "true", "<script>alert(1)</script>", "{{ 7 }}", "%s%(a)s", "' OR 1=1 --", "en", "zz",
    "zh-hans",
)  # fmt: skip
NASTY = DAYS + NUMBERS + MAIL + PLACES + HIDDEN + TEXT
OF_ITS_KIND = {
    "date": DAYS, "datetime-local": DAYS, "number": NUMBERS, "email": MAIL, "url": PLACES, "hidden": HIDDEN,
}  # fmt: skip
FILES = (b"", b"%PDF-1.4", b"\xff\xd8\xff", b"GIF89a", b"x" * 1000)
NAMES = ("a.jpg", "x" * 300 + ".png", "\u202e.pdf", "../a", "CON")
TYPES = ("image/jpeg", "application/pdf", "text/plain", "x")
BODIES = (b"", b"\xff", b"a=%zz&b=%", b"a=%ED%A0%80", b"{", b"--x\r\n", b"a" * 100)
KINDS = (
    "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
    "text/plain", "application/json", "application/x-www-form-urlencoded; charset=utf-7", "x",
)  # fmt: skip
QUERY = [
    "page",
    "q",
    "cursor",
    "next",
    "state",
    "since",
    "until",
    "reason",
    "kind",
    "sort",
    "token",
]
HEADERS = (
    {"Accept-Language": "zz;q=x, \xe9"}, {"Accept": "a/b/c,;q="}, {"Range": "bytes=5-2"},
    {"Range": "bytes=-" + "9" * 50}, {"If-Modified-Since": "Thu, 32 Jan 99999"}, {"Origin": "null"},
    {"Cookie": "a;;=; csrftoken=\xe9; django_language=\x00z"},
    {"HX-Request": "true", "HX-Current-URL": "["},
    {"If-None-Match": '"'}, {"X-Forwarded-For": "a, b"},
)  # fmt: skip


@dataclass
class Form:
    """One form of a page: where it goes, and its fields with what they hold."""

    path: str
    method: str
    fields: dict[str, str]
    kinds: dict[str, str]

    @property
    def files(self) -> list[str]:
        """The fields that take a file."""
        return [name for name, kind in self.kinds.items() if kind == "file"]

    @property
    def name(self) -> str:
        """The address that it is sent to."""
        return str(resolve(self.path).view_name)

    @classmethod
    def read(cls, tag: Tag, page: str) -> Form:
        path = str(tag.get("action") or page).split("?")[0]
        form = cls(path, str(tag.get("method", "get")).lower(), {}, {})
        for control in tag.select("input[name], select[name], textarea[name], button[name]"):
            name, kind = str(control["name"]), str(control.get("type", control.name))
            form.kinds[name] = kind
            if control.name == "select":
                chosen = control.select_one("option[selected]") or control.select_one("option")
                form.fields[name] = str(chosen.get("value", "")) if chosen else ""
            elif kind not in {"radio", "checkbox"} or control.has_attr("checked"):
                held = control.text if control.name == "textarea" else control.get("value", "")
                form.fields[name] = str(held)
            else:
                form.fields.setdefault(name, str(control.get("value", "on")))
        for named in (form.fields, form.kinds):
            named.pop("csrfmiddlewaretoken", None)
        return form


@dataclass
class Fuzzer:
    """Asks and sends what is drawn; keeps what was wrong."""

    house: House
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    sent: set[tuple[str, ...]] = field(default_factory=set)
    wrong: dict[str, str] = field(default_factory=dict)
    answers: int = 0

    def ask(self, role: str, method: str, path: str, **request: Any) -> Any:
        """The answer, or None where there was a fault instead of one."""
        try:
            browser = self.house.browsers[role]
            if isinstance(request.get("data"), bytes):
                answer = browser.generic(method.upper(), path, **request)
            else:
                answer = getattr(browser, method)(path, **request)
            body = answer.getvalue()
            answer.close()
        except Exception as fault:  # whatever it is, it is what this looks for
            self.note(role, method, path, f"{type(fault).__name__}: {fault}", request)
            return None
        self.answers += 1
        if word(answer).startswith("5"):
            self.note(role, method, path, str(answer.status_code), request)
        return body if "html" in answer.headers.get("Content-Type", "") else None

    def note(self, role: str, method: str, path: str, what: str, request: dict[str, Any]) -> None:
        told = f"{method} {resolve(path).view_name} as {role}: {what[:200]}"
        self.wrong.setdefault(told, repr(request)[:400])

    def open(self, role: str, name: str) -> None:
        """Open a page rightly and wrongly, and send each of its forms that was not sent yet."""
        path = address(name, self.house.arguments)
        page = self.ask(role, "get", path)
        names = self.chance.sample(QUERY, 4)
        self.ask(role, "get", path, data={each: self.chance.choice(NASTY) for each in names})
        self.ask(role, "get", path, headers=self.chance.choice(HEADERS))
        for form in self.forms(page, path):
            for data in self.filled(form):
                self.ask(role, form.method, form.path, data=data)
            if form.method == "post":
                body, kind = self.chance.choice(BODIES), self.chance.choice(KINDS)
                self.ask(role, "post", form.path, data=body, content_type=kind)

    def forms(self, page: bytes | None, path: str) -> Iterator[Form]:
        for tag in BeautifulSoup(page or b"", "html.parser").select("form"):
            form = Form.read(tag, path)
            known = (form.name, *sorted(form.fields))
            if form.name not in ENDS and known not in self.sent:
                self.sent.add(known)
                yield form

    def filled(self, form: Form) -> Iterator[dict[str, Any]]:
        """One field after the other is nasty; then several are, or are missing, or are there twice."""
        for name, kind in form.kinds.items():
            for value in OF_ITS_KIND.get(kind) or self.chance.sample(NASTY, EXAMPLES):
                yield self.with_files(form, form.fields | {name: value})
        for _number in range(EXAMPLES):
            several: dict[str, Any] = {}
            for name, held in form.fields.items():
                twice = self.chance.choices(NASTY, k=2)
                several[name] = self.chance.choice([held, held, twice[0], twice, None])
            told = {name: value for name, value in several.items() if value is not None}
            yield self.with_files(form, told)

    def with_files(self, form: Form, data: dict[str, Any]) -> dict[str, Any]:
        for name in form.files:
            named, kind = self.chance.choice(NAMES), self.chance.choice(TYPES)
            data[name] = SimpleUploadedFile(named, self.chance.choice(FILES), kind)
        return data


@pytest.mark.timeout(1800)  # a long run is long
def test_every_form_of_every_page_answers(fresh_db: None) -> None:
    fuzzer = Fuzzer(build())
    for name, (_asked, *cells) in written("Addresses").items():
        if name.startswith("api_") or name in ENDS:
            continue
        for role, cell in zip(ROLES, cells, strict=True):
            if cell == YES and not role.startswith("other"):
                fuzzer.open(role, name)
    assert len(fuzzer.sent) > 60, "otherwise this test would be blind"
    assert fuzzer.answers > 800
    assert not fuzzer.wrong, "\n".join(f"{told}\n  {how}" for told, how in fuzzer.wrong.items())
