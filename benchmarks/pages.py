"""How soon a page is there, and how heavy it is: ``python -m benchmarks.pages [times]``.

A fresh installation with 10,000 recordings, served by gunicorn as ``make run`` starts it (no worker, no
keeper), and Debian's Chromium on the same machine. Each page is opened in a browser that has seen nothing
(*cold*: with style sheets, script and fonts) and again in the same one. Printed: the browser's own first
contentful paint and the server's share of it (until the first byte), medians with their range, and the
bytes that a cold page takes over the network, before media.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks._installation import INNER, run_on
from benchmarks.api import LIMITS, fill, server

GOAL_MS, GOAL_BYTES = 500, 150_000
TIMINGS = """() => new Promise(tell => new PerformanceObserver((_seen, watcher) => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  if (!paint) return;
  watcher.disconnect();
  const [page] = performance.getEntriesByType("navigation");
  const parts = [page, ...performance.getEntriesByType("resource")];
  tell([paint.startTime, page.responseStart, parts.reduce((sum, part) => sum + part.transferSize, 0)]);
}).observe({type: "paint", buffered: true}))"""


@dataclass
class Page:
    """What was measured of one page: milliseconds of each opening, and bytes of the last cold one."""

    name: str
    address: str
    cookies: list[Any]
    cold: list[float] = field(default_factory=list)
    first_byte: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    weight: float = 0.0

    def open(self, chromium: Any, site: str) -> None:
        """In a browser that has seen nothing, then once more in the same."""
        context = chromium.new_context()
        context.add_cookies(self.cookies)
        tab = context.new_page()
        paint, first_byte, self.weight = timings(tab, site + self.address)
        self.cold.append(paint)
        self.first_byte.append(first_byte)
        self.again.append(timings(tab, site + self.address)[0])
        context.close()

    def line(self) -> str:
        """Its row of the table."""
        columns = [middle(each) for each in (self.cold, self.first_byte, self.again)]
        shown = "".join(f"{column:>18}" for column in columns)
        return f"  {self.name:26}{shown}{self.weight / 1000:>9.0f}"


def middle(values: list[float]) -> str:
    """Median and range in milliseconds."""
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


def timings(tab: Any, address: str) -> tuple[float, float, float]:
    """Milliseconds until something was painted, and until the first byte came; bytes that came."""
    answer = tab.goto(address, wait_until="load")
    if answer.status != 200:
        raise SystemExit(f"{address}: {answer.status}")
    paint, first_byte, weight = tab.evaluate(TIMINGS)
    return paint, first_byte, weight


def prepare() -> tuple[dict[str, str], dict[str, str], Any, Any]:
    """A study with 10,000 recordings: the person's pages, the staff's, the person and an administrator."""
    from django.urls import reverse

    from tests.cast import analysed, consenting, open_study

    study = open_study()
    person = consenting(study)
    analysis = analysed(study)
    fill(analysis.recording)
    own = {
        "the person's start page": reverse("subject_home"),
        "notice": reverse("consent_notice", args=[study.purpose.id]),
        "own result": reverse("own_result", args=[analysis.id]),
        "who looked": reverse("access_history"),
    }
    staff = {
        "overview": reverse("operate_home"),
        "recordings": reverse("operate_recordings"),
        "people": reverse("operate_people"),
        "access log": reverse("operate_log"),
    }
    return own, staff, person, study.administrator


def cookies_of(chromium: Any, enter: Callable[[Any], None]) -> list[Any]:
    """The cookies of a browser in which somebody has come in."""
    context = chromium.new_context()
    enter(context)
    found = list(context.cookies())
    context.close()
    return found


def report(pages: list[Page]) -> None:
    """A row for each page, then the goals."""
    print(f"  {'':26}{'cold, ms':>18}{'first byte':>18}{'again, ms':>18}{'KB cold':>9}")
    for page in pages:
        print(page.line())
    slowest = max(statistics.median(page.cold) for page in pages)
    heaviest = max(page.weight for page in pages)
    fast = "met" if slowest < GOAL_MS else "missed"
    light = "met" if heaviest < GOAL_BYTES else "missed"
    print(f"  goal: painted within {GOAL_MS} ms, cold; the slowest median is {slowest:.0f}: {fast}")
    print(f"  goal: under {GOAL_BYTES // 1000} KB; the heaviest has {heaviest / 1000:.0f}: {light}")


def measure(times: int) -> None:
    """Inside a fresh installation: prepare, open every page in turn, report."""
    import django

    django.setup()
    from django.urls import reverse
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, CHROMIUM
    from tests.browser.test_operator_pages import sign_in
    from tests.browser.test_pages import wear

    own, staff, person, administrator = prepare()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread
    with server("{}") as (base, _process), sync_playwright() as playwright:
        site = base.replace("127.0.0.1", "localhost")
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), chromium_sandbox=False, args=ARGUMENTS
        )
        theirs = cookies_of(chromium, lambda made: wear(made, site, person.browser))
        ours = cookies_of(chromium, lambda made: sign_in(made.new_page(), site, administrator))
        pages = [Page("front page", reverse("front"), [])]
        pages += [Page(name, address, theirs) for name, address in own.items()]
        pages += [Page(name, address, ours) for name, address in staff.items()]
        for _round in range(times):
            for page in pages:
                page.open(chromium, site)
        chromium.close()
    print(f"  {times} rounds; 10,000 recordings, all but one copied into the tables")
    report(pages)


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if os.environ.get(INNER):
        measure(times)
        return
    run_on("SQLite", "benchmarks.pages", str(times), **LIMITS)


if __name__ == "__main__":
    main()
