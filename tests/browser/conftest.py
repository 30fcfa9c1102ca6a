"""A site over the databases of the test, and a Chromium to look at it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import BrowserContext, sync_playwright

from tests.absent import absent
from tests.browser import pseudo
from tests.browser.server import serving

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def site(fresh_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a running installation, which speaks the pseudo-language besides the others."""
    pseudo.learn(settings, monkeypatch)
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    # File names with content hashes need a collected folder; these tests need none.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    with serving() as address:
        yield address


Launch = Callable[..., BrowserContext]


@pytest.fixture
def launch(fresh_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    """Starts a browser without any history, with these arguments besides the usual ones.

    Playwright runs an event loop in the thread of the test, which Django takes for asynchronous
    code: it would refuse to touch the database, and it keeps a second set of connections there,
    which must be closed lest a test goes on with the database of the test before it.
    """
    if not CHROMIUM.exists():
        absent(f"a browser at {CHROMIUM}")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        started = []

        def start(*arguments: str) -> BrowserContext:
            browser = playwright.chromium.launch(
                executable_path=str(CHROMIUM),
                chromium_sandbox=False,
                args=[*ARGUMENTS, *arguments],
            )
            started.append(browser)
            made = browser.new_context()
            made.set_default_timeout(10_000)
            return made

        yield start
        for browser in started:
            browser.close()
        connections.close_all()


@pytest.fixture
def context(launch: Launch) -> BrowserContext:
    """A browser as it comes."""
    return launch()


@pytest.fixture
def unscripted(context: BrowserContext) -> Iterator[BrowserContext]:
    """The same browser with scripting switched off."""
    assert context.browser is not None
    made = context.browser.new_context(java_script_enabled=False)
    made.set_default_timeout(10_000)
    yield made
    made.close()
