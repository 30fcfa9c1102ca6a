"""Recording with one's own camera, in a Chromium whose camera shows a real face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.models import MediaKind
from emotion.models import Recording
from tests.browser.conftest import Launch
from tests.browser.looking import AXE, keep_picture, wear
from tests.browser.test_subject import Keyboard, heading
from tests.cast import PHOTO, Study, consenting, measured, open_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]

LIGHT = 1.0
DARK = 0.08


def moving(path: Path, light: float, window: bool) -> Path:
    """Four pictures of the face at 640 by 480, as a camera of JPEGs that begins again at its end.

    window: whether all around an oval a little larger than the page's is bright.
    """
    face = cv2.imdecode(np.fromfile(PHOTO, np.uint8), cv2.IMREAD_COLOR)
    assert face is not None
    near = cv2.resize(face[0:320, 50:477], (640, 480), interpolation=cv2.INTER_AREA)
    within = np.zeros((480, 640, 1), np.uint8)
    cv2.ellipse(within, (320, 240), (134, 178), 0, 0, 360, 1, -1)
    with path.open("wb") as film:
        for step in range(4):
            picture = np.roll(near, 2 * step, axis=1).astype(np.float32) * light
            picture = np.where(within, picture, 245) if window else picture
            film.write(cv2.imencode(".jpg", picture.astype(np.uint8))[1].tobytes())
    return path


@pytest.fixture
def with_camera(launch: Launch, tmp_path: Path) -> Launch:
    """Opens a browser that has a camera, which its user allows every page that may ask for it."""

    def start(light: float = LIGHT, *, window: bool = False) -> BrowserContext:
        return launch(
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={moving(tmp_path / 'camera.mjpeg', light, window)}",
        )

    return start


def camera_page(study: Study, site: str, context: BrowserContext) -> Keyboard:
    """A consenting person whose camera is open."""
    wear(context, site, consenting(study).browser)
    person = Keyboard(context, site)
    person.page.goto(site + reverse("upload", args=[study.purpose.id]))
    person.press("link", "Use the camera")
    person.press("button", "Open the camera")
    expect(status(person.page)).to_have_text(
        "Put your face into the oval. Nothing is recorded yet."
    )
    return person


def status(page: Page) -> Locator:
    return page.get_by_role("status")


def hint(page: Page) -> Locator:
    return page.locator("[data-part=hint]")


def accessible(page: Page) -> None:
    """No rule of axe-core is broken by what is on the page now."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")
    assert [each["id"] for each in found["violations"]] == []


def test_a_film_of_oneself_by_keyboard(site: str, with_camera: Launch) -> None:
    study = open_study(takes=MediaKind.FILMS)
    person = camera_page(study, site, with_camera())
    page = person.page
    expect(hint(page)).to_have_text("The light is good.")
    accessible(page)
    keep_picture(page, "camera-ready")

    person.press("button", "Start the film")
    expect(status(page)).to_have_text("The camera is filming.")
    expect(page.get_by_role("timer")).to_contain_text("0:02 / ")
    person.press("button", "Stop the film")
    expect(status(page)).to_contain_text("nothing has been sent yet")
    assert page.evaluate("document.querySelector('[data-part=live]').srcObject") is None
    assert not Recording.objects.exists()
    accessible(page)
    keep_picture(page, "camera-review")

    person.press("button", "Send the film")
    heading(page, "Recording")
    analysis = measured()
    assert analysis.recording.media_type == "video/webm"
    person.press("link", "Open the result")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert person.troubles == []

    integrate_once()
    about = LogEntry.objects.filter(action__in=[Action.CAMERA_ALLOW, Action.MEDIA_UPLOAD])
    actions = [entry.action for entry in about.order_by("index")]
    assert actions == [Action.CAMERA_ALLOW, Action.MEDIA_UPLOAD]


def test_a_photograph_is_looked_at_thrown_away_and_taken_again(
    site: str, with_camera: Launch
) -> None:
    study = open_study()
    person = camera_page(study, site, with_camera())
    page = person.page
    person.press("button", "Take the photograph")
    expect(page.get_by_alt_text("The photograph that you took")).to_be_visible()
    person.press("button", "Throw it away and try again")
    expect(status(page)).to_have_text("Put your face into the oval. Nothing is recorded yet.")
    person.press("button", "Take the photograph")
    expect(page.get_by_alt_text("The photograph that you took")).to_be_visible()
    person.press("button", "Send the photograph")
    heading(page, "Recording")
    assert measured().recording.media_type == "image/jpeg"
    assert person.troubles == []


def test_a_broken_connection_loses_nothing_and_doubles_nothing(
    site: str, with_camera: Launch
) -> None:
    study = open_study()
    person = camera_page(study, site, with_camera())
    page = person.page
    address = reverse("upload", args=[study.purpose.id])
    broken: list[str] = []

    def breaks_once_after_it_arrived(route: Route) -> None:
        if route.request.method == "POST" and not broken:
            broken.append(route.request.url)
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(f"**{address}", breaks_once_after_it_arrived)
    person.press("button", "Take the photograph")
    person.press("button", "Send the photograph")
    heading(page, "Recording")
    assert broken
    assert Recording.objects.count() == 1


def test_the_light_is_judged_before_anything_is_recorded(site: str, with_camera: Launch) -> None:
    study = open_study()
    person = camera_page(study, site, with_camera(DARK))
    expect(hint(person.page)).to_contain_text("It is too dark to read a face.")


def test_a_window_behind_the_face_is_no_light_on_it(site: str, with_camera: Launch) -> None:
    """It reaches into the corners around the oval, where the face is not."""
    study = open_study()
    person = camera_page(study, site, with_camera(0.3, window=True))
    expect(hint(person.page)).to_have_text(
        "The light is behind you. Turn round, so that it falls on your face."
    )


FINDER = """
window.faces = [];
window.FaceDetector = class {
  async detect() { return window.faces.map((boundingBox) => ({ boundingBox })); }
};
"""


def test_framing_is_judged_where_the_browser_finds_faces(site: str, with_camera: Launch) -> None:
    """Chromium for Linux finds none, so its interface is filled in; what is made of it is ours."""
    study = open_study()
    context = with_camera()
    context.add_init_script(FINDER)
    page = camera_page(study, site, context).page
    expect(hint(page)).to_have_text("No face is seen in the oval.")
    near = "{x: 220, y: 120, width: 200, height: 240}"
    boxes = {
        "Come nearer": "[{x: 270, y: 190, width: 100, height: 100}]",
        "The light is good.": f"[{near}]",
        "No face is seen": "[{x: 0, y: 120, width: 200, height: 240}]",
        "More than one face": f"[{near}, {{x: 0, y: 0, width: 60, height: 60}}]",
    }
    for said, faces in boxes.items():
        page.evaluate(f"window.faces = {faces}")
        expect(hint(page)).to_contain_text(said)


def test_no_other_page_may_open_the_camera(site: str, with_camera: Launch) -> None:
    """Its user allows everything here; what stops the page is its own policy."""
    study = open_study()
    context = with_camera()
    wear(context, site, consenting(study).browser)
    page = context.new_page()
    asks = "navigator.mediaDevices.getUserMedia({video: true}).then(() => 'open', e => e.name)"
    for name in (
        "camera",
        "upload",
        "camera_open",
    ):  # nothing was shown: the last leads to the first
        page.goto(site + reverse(name, args=[study.purpose.id]))
        assert page.evaluate(asks) == "NotAllowedError", name
    heading(page, "Photograph yourself")
    page.get_by_role("button", name="Open the camera").click()
    expect(page.get_by_role("button", name="Take the photograph")).to_be_visible()
    assert page.evaluate(asks) == "open"


def test_a_camera_that_stays_shut_leaves_a_way(site: str, context: BrowserContext) -> None:
    study = open_study()
    wear(context, site, consenting(study).browser)
    page = context.new_page()
    page.goto(site + reverse("camera", args=[study.purpose.id]))
    page.get_by_role("button", name="Open the camera").click()
    expect(status(page)).to_contain_text("No camera was found.")
    accessible(page)
    page.get_by_role("link", name="Choose a file instead").click()
    heading(page, "Add a photograph")
