"""A small scripted browser on the standard library, for walks without hands: cookies, forms, uploads."""

from __future__ import annotations

import http.cookiejar
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

Pairs = list[tuple[str, str]]


@dataclass
class Page:
    """An answer: status, final address, headers and body."""

    status: int
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Form:
    """One form of a page: where it goes and the hidden fields it carries."""

    action: str = ""
    hidden: Pairs = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class FormReader(HTMLParser):
    """Collects the POST forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A form begins, or a field of it."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = given.get("method", "").lower() == "post"
            if self.inside:
                self.forms.append(Form(given.get("action", "")))
        elif self.inside and tag in {"input", "select", "textarea", "button"}:
            name = given.get("name", "")
            self.forms[-1].names.add(name)
            if tag == "input" and given.get("type") == "hidden":
                self.forms[-1].hidden.append((name, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        """A form ends."""
        if tag == "form":
            self.inside = False


class Browser:
    """One person's browser, or one client's program."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar), urllib.request.ProxyHandler({})
        )

    def open(
        self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Page:
        """A request; redirects are followed, and an error status is an answer like any other."""
        url = urllib.parse.urljoin(self.base, path)
        request = urllib.request.Request(url, data=data, headers=headers or {})  # noqa: S310  # http only
        try:
            with self.opener.open(request, timeout=60) as answer:
                return Page(answer.status, answer.url, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.url, dict(error.headers), error.read())

    def form(self, path: str, name: str = "") -> tuple[Page, Form]:
        """The page, and its form that has a field of this name; without a name, the page's own form.

        A page's own form is the one that goes back to the page: those of the frame around it, such as
        signing out, go elsewhere.
        """
        page = self.open(path)
        reader = FormReader()
        reader.feed(page.text)
        own = {"", urllib.parse.urlsplit(page.url).path}
        for form in reader.forms:
            if (name and name in form.names) or (not name and form.action in own):
                return page, form
        raise LookupError(f"{path} answered {page.status} and has no form {name!r} ({page.url})")

    def submit(self, path: str, fields: Pairs) -> Page:
        """Fill in and send the form of a page that has the first of these fields."""
        page, form = self.form(path, fields[0][0] if fields else "")
        data = urllib.parse.urlencode([*form.hidden, *fields]).encode()
        target = urllib.parse.urljoin(page.url, form.action or page.url)
        return self.open(target, data, {"Referer": page.url})

    def press(self, path: str, action: str) -> Page:
        """Press the button of that form of a page which goes to ``action``."""
        page = self.open(path)
        reader = FormReader()
        reader.feed(page.text)
        for form in reader.forms:
            if form.action == action:
                data = urllib.parse.urlencode(form.hidden).encode()
                return self.open(action, data, {"Referer": page.url})
        raise LookupError(f"{path} has no form that goes to {action}")

    def upload(self, path: str, fields: Pairs, photo: bytes, headers: dict[str, str]) -> Page:
        """Send multipart/form-data with the file last."""
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="photo"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = "".join(parts).encode() + photo + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.open(path, body, headers | kind)
