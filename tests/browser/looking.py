"""Looking at pages as a person would: at both widths, light and dark, in the pseudo-language too.

Every page that was looked at is written down, so that ``tools.pages`` can say which was forgotten.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import Resolver404, resolve
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.browser import pseudo


@dataclass(frozen=True)
class Shown:
    """One page to look at: what its picture is called, its address, and the status it answers.

    unfolded: whether to open everything that is folded up before.
    """

    name: str
    address: str
    status: int = 200
    unfolded: bool = False


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page to be looked at, if the folder CONSENTRY_SCREENSHOTS is set."""
    if folder := os.environ.get("CONSENTRY_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True, timeout=30_000)


def wear(context: BrowserContext, site: str, browser: Client) -> None:
    """Give the browser the session of a person of the cast."""
    name = settings.SESSION_COOKIE_NAME
    value = browser.cookies[name].value
    context.add_cookies([{"name": name, "value": value, "url": site}])


AXE = Axe().axe_script
"""Put into a page once; axe_playwright_python itself would send it again for each look."""


COMPLAINT = "Nobody told me how long my photographs are kept."
SEALED = f"{COMPLAINT} A disk was stolen. The lock was changed. It was not sealed."
"""What people of these tests type, and no table shows."""


LIGHT = {"resultTypes": ["violations"]}
"""All rules of axe-core; not telling what passes spares a sixth of the time."""
DARK = LIGHT | {"runOnly": ["color-contrast", "link-in-text-block"]}
"""The rules that ask about colours: by the style sheet nothing else differs in the dark."""


LOOSE = """() => [...document.querySelectorAll("td[data-label]")].filter(td =>
    [...td.childNodes].filter(node => node.nodeType === 1 || node.data && node.data.trim()).length > 1
    ).map(td => td.dataset.label)"""
"""The cells with several parts that are not wrapped: on a phone all but the first stand under the label."""


UNFOLD = """document.querySelectorAll("details").forEach(each => { each.open = true })"""
WEIGHT = """() => [performance.getEntriesByType("navigation")[0].encodedBodySize,
    performance.getEntriesByType("resource").map(one => new URL(one.name).pathname)]"""
HEAVIEST = 150_000
"""Bytes of a page with its styles and scripts, as they come over the network."""


def weight(page: Page) -> int:
    """What a page that was just loaded weighs before media; styles and scripts compressed, as WhiteNoise
    sends them in an installation and not in a test."""
    own, others = page.evaluate(WEIGHT)
    names = {path.removeprefix(settings.STATIC_URL) for path in others}
    files = (finders.find(name) for name in names if name.endswith((".css", ".js")))
    return int(own) + sum(len(gzip.compress(Path(str(file)).read_bytes())) for file in files)


def note(address: str, width: int, scheme: str) -> None:
    """Write down that the page at this address was looked at, in the folder that all processes share."""
    folder = os.environ.get("TEST_SHARED")
    try:
        name = resolve(urlsplit(address).path).url_name
    except Resolver404:
        return  # the page that says that there is none
    if folder:
        with Path(folder, "pages-looked-at").open("a", encoding="utf-8") as file:
            file.write(f"{name} {width} {scheme}\n")


class Looker:
    """Opens pages at both widths and in both schemes, and notes whatever is wrong with them.

    sealed: what somebody of the test has typed, and no table shows.
    """

    def __init__(self, context: BrowserContext, site: str, sealed: str = SEALED) -> None:
        self.page, self.site, self.sealed = context.new_page(), site, sealed
        self.troubles: list[str] = []
        self.expected = 200
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda asked: self.asked(asked.url))

    def heard(self, line: ConsoleMessage) -> None:
        # Chromium itself writes the status of a page that answers 403, 404 or 410.
        said_by_browser = f"status of {self.expected}" in line.text and self.expected >= 400
        if line.type == "error" and not said_by_browser:
            self.troubles.append(line.text)

    def asked(self, address: str) -> None:
        if not address.startswith((self.site, "data:", "blob:")):
            self.troubles.append(f"a request to another host: {address}")

    def look(self, shown: Shown) -> None:
        """Load once; width and scheme change in the loaded page, as when a device is turned."""
        self.expected = shown.status
        with pseudo.spoken(self.page, self.site):
            self.open(shown)
            self.troubles += pseudo.barriers(self.page, shown.name, self.sealed)
        for code in pseudo.others():
            with pseudo.spoken(self.page, self.site, code):
                self.open(shown)
                if not pseudo.is_english(self.page):
                    self.look_around(replace(shown, name=f"{shown.name}-{code}"), code)
        self.open(shown)
        if (found := weight(self.page)) > HEAVIEST:
            self.troubles.append(f"{shown.name} has {found} bytes")
        self.look_around(shown)

    def send(self, button: str) -> None:
        """Send a form, and wait for the page that answers it."""
        with self.page.expect_navigation():
            self.page.click(button)

    def open(self, shown: Shown) -> None:
        answer = self.page.goto(self.site + shown.address)
        assert answer is not None
        assert answer.status == shown.status, shown
        if shown.unfolded:
            self.page.evaluate(UNFOLD)

    def look_around(self, shown: Shown, language: str = "en") -> None:
        """Look at the page that is open, for instance after a form came back."""
        self.page.evaluate(AXE)
        for width in (360, 1280):
            self.page.set_viewport_size({"width": width, "height": 800})
            self.measure(shown, width, language)

    def measure(self, shown: Shown, width: int, language: str) -> None:
        page = self.page
        where = f"{shown.name} at {width}"
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            self.troubles.append(f"{where} is {wide} px too wide")
        if page.evaluate("document.documentElement.lang") != language:
            self.troubles.append(f"{where} does not say its language")
        for label in set(page.evaluate(LOOSE)):
            self.troubles.append(f"{where}: the parts of “{label}” are not wrapped")
        if page.locator("h1").count() != 1:
            self.troubles.append(f"{where} has no single heading")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            note(page.url, width, scheme)
            rules = DARK if scheme == "dark" else LIGHT
            found = page.evaluate("async rules => (await axe.run(rules)).violations", rules)
            self.troubles += [
                f"{where}, {scheme}: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in found
            ]
            keep_picture(page, f"{shown.name}-{width}-{scheme}")
