"""Uploads from the pages over a line that breaks: they go on where they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import BrowserContext, FilePayload, Page, Route, expect

from consent.models import MediaKind
from emotion.models import PartialUpload, Recording, Upload
from tests.browser.cutting import Line, line_to
from tests.browser.looking import wear
from tests.browser.test_camera import Launch, camera_page, status, with_camera
from tests.cast import consenting, open_study
from tests.emotion.stored import stored_bytes
from tests.emotion.test_tus_kill import large
from tests.faults.leftovers import NOTHING, rows

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]
PIECE = 500_000
__all__ = ["with_camera"]  # a fixture


@pytest.fixture
def line(site: str, settings: Any) -> Iterator[Line]:
    settings.UPLOAD_PART_BYTES = PIECE
    with line_to(site) as made:
        yield made


def offsets(page: Page) -> list[int]:
    """Fills with where each request with bytes began."""
    found: list[int] = []
    page.on(
        "request",
        lambda asked: (
            found.append(int(asked.headers["upload-offset"])) if asked.method == "PATCH" else None
        ),
    )
    return found


def arrives(page: Page) -> None:
    """It leads to the recording's page; it was tried again after pauses, so this takes a while."""
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Recording", timeout=30_000)


def choose(page: Page, content: bytes) -> None:
    """Choose a file of this content, which calls itself a PNG."""
    file = FilePayload(name="me.png", mimeType="image/png", buffer=content)
    page.get_by_label("Photograph").set_input_files(files=[file])


def upload_page(line: Line, context: BrowserContext) -> Page:
    """A consenting person with a large file chosen."""
    study = open_study()
    wear(context, line.address, consenting(study).browser)
    page = context.new_page()
    page.goto(line.address + reverse("upload", args=[study.purpose.id]))
    choose(page, large())
    return page


def test_a_large_file_goes_on_where_the_line_broke(line: Line, context: BrowserContext) -> None:
    page = upload_page(line, context)
    began, before = offsets(page), line.sent
    line.cut_at = line.sent + len(large()) // 2
    page.get_by_role("button", name="Send the photograph").click()
    arrives(page)
    assert line.cuts == 1
    # A place can come twice: what was begun while the line was down is begun again.
    assert began == sorted(began) and began.count(0) == 1, "it does not begin anew"
    assert any(begin % PIECE for begin in began), "what came of the broken piece is kept"
    assert line.sent - before < 1.5 * len(large())
    assert stored_bytes(Recording.objects.get()) == large()
    assert not PartialUpload.objects.exists()


def test_what_is_stopped_leaves_nothing(line: Line, context: BrowserContext) -> None:
    """The line stays down: it is tried again, then the person is told, and may end it."""
    page = upload_page(line, context)
    line.cut_at = line.sent + len(large()) // 2
    page.route("**/me/uploads/*/", lambda route: (
        route.continue_() if route.request.method == "DELETE" or not line.cuts else route.abort()
    ))  # fmt: skip
    page.get_by_role("button", name="Send the photograph").click()
    expect(status(page)).to_have_text("The connection broke. It is tried again.", timeout=30_000)
    assert Upload.objects.get().state == "partial"
    page.get_by_role("button", name="Stop sending").click()
    expect(status(page)).to_have_text("Stopped. What had been sent is erased.")
    page.wait_for_timeout(1000)
    assert rows() == NOTHING
    expect(page.get_by_role("button", name="Send the photograph")).to_be_focused()


def test_what_could_not_be_stopped_is_not_called_erased(
    line: Line, context: BrowserContext
) -> None:
    """The server has not heard of it, so what had been sent is there until its time is over."""
    page = upload_page(line, context)
    page.route("**/me/uploads/*/", lambda route: route.abort())
    page.get_by_role("button", name="Send the photograph").click()
    expect(status(page)).to_have_text("The connection broke. It is tried again.", timeout=30_000)
    page.get_by_role("button", name="Stop sending").click()
    expect(status(page)).to_have_text(
        "Stopped. The connection is gone: what had been sent is erased within 24 hours."
    )
    assert Upload.objects.get().state == "partial"
    expect(page.get_by_role("button", name="Send the photograph")).to_be_focused()


def test_what_the_study_does_not_take_is_told_in_words(line: Line, context: BrowserContext) -> None:
    page = upload_page(line, context)
    choose(page, bytes(600_000))
    page.get_by_role("button", name="Send the photograph").click()
    expect(status(page)).to_contain_text("It was not taken: The file is neither a photograph")
    assert rows() == NOTHING


def test_what_a_session_left_unfinished_goes_on_in_the_next(
    line: Line, context: BrowserContext
) -> None:
    """What is answered meanwhile is another page, which says nothing about the upload."""
    page = upload_page(line, context)
    sessions = list(Session.objects.all())
    cookies = context.cookies()

    def sign_out(route: Route) -> None:
        if route.request.method == "PATCH":
            Session.objects.all().delete()
            route.abort()
        else:
            route.continue_()

    page.route("**/me/uploads/*/", sign_out)
    page.get_by_role("button", name="Send the photograph").click()
    expect(status(page)).to_contain_text("It was not taken:", timeout=30_000)
    assert Upload.objects.get().state == "partial"
    page.unroute("**/me/uploads/*/")
    Session.objects.bulk_create(sessions)  # in another tab, say
    context.add_cookies(
        [{"name": each["name"], "value": each["value"], "url": line.address} for each in cookies]
    )
    page.get_by_role("button", name="Send the photograph").click()
    arrives(page)
    assert Upload.objects.get().state == "stored"


def test_a_film_of_oneself_goes_on_where_the_line_broke(
    line: Line, with_camera: Launch, settings: Any
) -> None:
    settings.UPLOAD_PART_BYTES = 10_000
    study = open_study(takes=MediaKind.FILMS)
    person = camera_page(study, line.address, with_camera())
    page = person.page
    began = offsets(page)
    person.press("button", "Start the film")
    expect(page.get_by_role("timer")).to_contain_text("0:03 / ")
    person.press("button", "Stop the film")
    expect(status(page)).to_contain_text("nothing has been sent yet")
    before = line.sent
    line.cut_at = line.sent + 30_000
    person.press("button", "Send the film")
    arrives(page)
    assert line.cuts == 1
    assert began.count(0) == 1, "it does not begin anew"
    size = Recording.objects.get().size
    assert size > 50_000, "the line broke in the middle"
    assert line.sent - before < 1.9 * size
