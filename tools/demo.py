"""``make demo``: the whole main job without hands, on a real photograph, in a temporary folder.

It starts the real processes on a free port, walks from an empty installation to an erasure receipt,
checks every step by what the pages and the API answer, and stops at the first thing that is not so.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.browser import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "tools" / "data" / "astronaut.jpg"
FILM_SECONDS = 4
UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


class NotSo(Exception):
    """A step did not turn out as it should."""


def expect(condition: object, what: str) -> None:
    """Go on only if it is so."""
    if not condition:
        raise NotSo(what)


def answered(page: Page, status: int, what: str) -> Page:
    """The page, if it has this status."""
    expect(page.status == status, f"{what}: expected {status}, got {page.status} at {page.url}")
    return page


def found(pattern: str, text: str, what: str) -> str:
    """The first group of a pattern in a text."""
    match = re.search(pattern, text)
    if match is None:
        raise NotSo(f"{what} is not on the page")
    return match[1]


def wait_for(ask: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """The first true answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.02)
    raise NotSo(f"waited {seconds:.0f} s for {what}")


class Demo:
    """The installation under the walk, and what the steps hand on to each other."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.base = f"http://localhost:{port}"
        self.environment = os.environ | {
            "CONSENTRY_VAR": str(folder / "var"),
            "CONSENTRY_KEYS": str(folder / "keys"),
            "CONSENTRY_DEMO": "1",
            "SITE_URL": self.base,
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        for name in ("DATABASE_URL", "KEYSTORE_URL", "CELERY_BROKER_URL", "SECRET_KEY"):
            self.environment.pop(name, None)
        self.started = time.monotonic()
        self.step_started = self.started
        self.steps = 0

    def say(self, what: str, checked: str) -> None:
        """One line for a step that is done, with what was checked and how long it took."""
        now = time.monotonic()
        self.steps += 1
        print(
            f"{self.steps:2d}. {what} ({now - self.step_started:.2f} s)\n      {checked}",
            flush=True,
        )
        self.step_started = now

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        expect(done.returncode == 0, f"manage.py {arguments[0]}: {done.stderr[-800:]}")
        return done.stdout

    @contextmanager
    def running(self) -> Iterator[None]:
        """Web, worker and keeper under the supervisor, stopped at the end of the block."""
        with (self.folder / "supervisor.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "tools.supervise"],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            anybody = Browser(self.base)
            wait_for(lambda: self.ready(anybody, child), "the processes to be ready")
            yield
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            child.wait(30)

    def ready(self, browser: Browser, child: subprocess.Popen[bytes]) -> bool:
        """Whether /readyz says that everything works."""
        if child.poll() is not None:
            raise NotSo((self.folder / "supervisor.log").read_text()[-2000:])
        try:
            return browser.open("/readyz").status == 200
        except OSError:
            return False

    def sign_in(self, role: str) -> Browser:
        """An operator signs in with password and one-time code."""
        logins = (self.folder / "keys" / "demo_logins").read_text()
        email = f"{role}@example.org"
        password = found(rf"{re.escape(email)}\s+(\S+)", logins, f"the login of the {role}")
        browser = Browser(self.base)
        browser.submit("/account/login/", [("login", email), ("password", password)])
        code = found(rf"(\d{{6}})\s+{re.escape(email)}", self.manage("demo_code"), "the code")
        page = browser.submit("/account/2fa/authenticate/", [("code", code)])
        expect("/operate/" in page.url, f"{role} could not sign in: {page.url}")
        return browser

    def open_purpose(self) -> None:
        """Administrator and data protection officer open a purpose with a notice."""
        self.administrator = self.sign_in("administrator")
        refused = self.administrator.submit("/operate/purposes/new/", purpose_form("workplace"))
        expect(refused.status == 422, "a workplace purpose was not refused")
        page = self.administrator.submit("/operate/purposes/new/", purpose_form("research"))
        self.purpose = found(rf"/operate/purposes/({UUID})/", page.url, "the new purpose")
        here = f"/operate/purposes/{self.purpose}/"
        notice = [
            ("title_en", "Smiles at a space flight"),
            ("summary_en", "We photograph your face once and measure what it shows."),
            ("text_en", "Controller, purpose, recipients, retention, rights: all of it is here."),
        ]
        answered(self.administrator.submit(f"{here}notices/new/", notice), 200, "the notice")
        early = self.administrator.submit(f"{here}submit/", [])
        expect(early.status == 422, "a purpose without an impact assessment went into review")
        answered(
            self.administrator.submit(f"{here}assessment/new/", ASSESSMENT),
            200,
            "the impact assessment",
        )
        answered(self.administrator.submit(f"{here}submit/", []), 200, "the review")
        self.officer = self.sign_in("dpo")
        early = self.officer.submit(f"{here}open/", [])
        expect(early.status == 422, "a purpose opened before its assessment was approved")
        page = self.officer.open(f"{here}assessment/")
        approval = found(rf'action="({here}assessment/{UUID}/approve/)"', page.text, "the approval")
        answered(self.officer.press(f"{here}assessment/", approval), 200, "the approval")
        opened = answered(self.officer.submit(f"{here}open/", []), 200, "opening")
        expect(opened.url.endswith(here), f"the purpose was not opened: {opened.url}")
        page, _form = self.administrator.form(here, "researcher")
        option = found(rf'<option value="({UUID})"', page.text, "the researcher")
        answered(self.administrator.submit(here, [("researcher", option)]), 200, "the assignment")
        self.say(
            "an administrator opens a purpose with a notice",
            "a workplace purpose was refused (422); the officer approved the impact assessment of "
            "this one and opened it, not before; a researcher was assigned",
        )

    def consent(self) -> None:
        """A person accepts an invitation and consents to separate choices."""
        invite = [("reference", "ISS-114")]
        page = self.administrator.submit(f"/operate/purposes/{self.purpose}/invite/", invite)
        link = found(r'id="invitation-link">([^<]+)<', page.text, "the one-time link")
        self.subject = Browser(self.base)
        early = self.upload("too-early")
        expect(early.status == 403, f"an upload before consent answered {early.status}")
        page = answered(self.subject.submit(link, []), 200, "the invitation")
        expect("checked" not in page.text, "a choice was ticked beforehand")
        choices = [
            ("decision", "give"),
            ("categories", "media"),
            ("categories", "expression"),
            ("categories", "blendshapes"),
        ]
        done = answered(self.subject.submit(page.url, choices), 200, "the consent")
        expect("/done/" in done.url, "the consent was not recorded")
        again = Browser(self.base).open(link)
        expect(again.status == 410, f"the used link answered {again.status}")
        self.say(
            "a person accepts the invitation and consents",
            "uploads before were refused (403); nothing was pre-ticked; the link works once (410)",
        )

    def make_client(self) -> None:
        """The administrator makes an API client; its key is shown once."""
        fields = [("name", "Demo camera"), ("purpose", self.purpose), ("days", "30")]
        scopes = ("subjects:read", "recordings:upload", "recordings:read", "results:read")
        fields += [("scopes", scope) for scope in scopes]
        page = self.administrator.submit("/operate/clients/new/", fields)
        self.key = found(r"(cns_[A-Za-z0-9_-]{20,})", page.text, "the key")
        self.client = Browser(self.base)
        self.say("an API client gets its key", "shown once, bound to this purpose, four scopes")

    def upload(self, key: str, body: bytes = b"") -> Page:
        """The client uploads the photograph, or something else."""
        fields = [("subject", "ISS-114"), ("purpose", self.purpose)]
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key}
        body = body or PHOTO.read_bytes()
        return self.client.upload("/api/v1/recordings/", fields, body, headers)

    def api(self, path: str, **headers: str) -> Page:
        """The client asks something."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(path, headers={"Authorization": f"Bearer {self.key}"} | named)

    def analyse(self) -> None:
        """Upload, and wait for the worker."""
        begun = time.monotonic()
        answer = answered(self.upload("first"), 202, "the upload").json()
        taken = time.monotonic() - begun
        self.analysis = answer["analyses"][0]["id"]
        replay = answered(self.upload("first"), 202, "the replay").json()
        expect(replay["id"] == answer["id"], "the same idempotency key made a second recording")
        state = wait_for(self.ended, "the analysis")
        waited = time.monotonic() - begun
        expect(state == "done", f"the analysis ended {state}")
        self.say(
            "the API client uploads the photograph, the worker analyses it",
            f"202 after {taken:.2f} s; the replay found the same row; done after {waited:.2f} s",
        )

    def ended(self) -> str:
        """The state of the analysis once it has ended."""
        state = str(self.api(f"/api/v1/analyses/{self.analysis}/").json()["state"])
        return "" if state in {"queued", "running"} else state

    def read(self) -> None:
        """The researcher reads the result for a stated reason; others cannot."""
        path = f"/operate/analyses/{self.analysis}/result/"
        expect(self.officer.open(path).status == 404, "the officer can see a result")
        researcher = self.sign_in("researcher")
        page = answered(researcher.submit(path, [("reason", "study-analysis")]), 200, "the result")
        expect("happy" in page.text, "the page does not say that the expression looked happy")
        bare = self.api(f"/api/v1/analyses/{self.analysis}/result/")
        expect(bare.status == 400, f"a read without a reason answered {bare.status}")
        parts = answered(
            self.api(f"/api/v1/analyses/{self.analysis}/result/", Access_Reason="quality-check"),
            200,
            "the API's result",
        ).json()["parts"]
        smile = parts["blendshapes"]["values"]["mouthSmileLeft"]
        expect(
            parts["expression"]["top"] == "happy" and smile > 0.5, "the astronaut does not smile"
        )
        self.say(
            "the researcher reads the result, stating why",
            f"expression happy ({parts['expression']['probabilities']['happy']:.2f}), "
            f"mouthSmileLeft {smile:.2f}; the officer got 404, a read without reason 400",
        )

    def film(self) -> None:
        """A film of the photograph, read moment by moment."""
        answer = answered(self.upload("film", moving_photograph()), 202, "the film").json()
        self.analysis = answer["analyses"][0]["id"]
        expect(wait_for(self.ended, "the film's analysis") == "done", "the film was not analysed")
        parts = answered(
            self.api(f"/api/v1/analyses/{self.analysis}/result/", Access_Reason="quality-check"),
            200,
            "the film's result",
        ).json()["parts"]
        moments = parts["summary"]["figures"]["moments"]["value"]
        happy = parts["expression"]["figures"]["happy_foremost"]["value"]
        expect(moments == FILM_SECONDS * 10, f"{moments} moments of the film were looked at")
        expect(happy > FILM_SECONDS / 2, f"the film's face looked happy for {happy:.1f} s only")
        left = self.api(f"/api/v1/recordings/{answer['id']}/").json()["media_state"]
        expect(left == "erased", "the film was kept")
        self.say(
            "the API client uploads a film, the worker reads it",
            f"{moments} moments, foremost happy for {happy:.1f} of {FILM_SECONDS} s; the film is erased",
        )

    def verify(self, document: bytes) -> str:
        """Check a receipt with the one-file verifier that anybody can download."""
        verifier = self.folder / "verify_access_log.py"
        verifier.write_bytes(
            answered(self.subject.open("/me/verify_access_log.py"), 200, "it").body
        )
        receipt = self.folder / f"receipt-{secrets.token_hex(4)}.json"
        receipt.write_bytes(document)
        key = (self.folder / "keys" / "log" / "verifier_key").read_text().split("\n", 1)[0]
        done = subprocess.run(
            [sys.executable, "-I", str(verifier), "receipt", str(receipt), "--key", key],
            capture_output=True,
            text=True,
        )
        expect(done.returncode == 0, f"the receipt does not verify: {done.stdout}{done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def look(self) -> None:
        """The subject sees who looked and checks it."""

        def looks() -> str:
            page = self.subject.open("/me/access/?looks=1").text
            return page if "analysis for the study" in page and "quality check" in page else ""

        page = wait_for(looks, "the entries on the subject's page", 10)
        proof = found(rf'href="(/me/access/{UUID}/proof/)"', page, "the proof")
        verdict = self.verify(answered(self.subject.open(proof), 200, "the proof").body)
        stranger = Browser(self.base).open(proof)
        expect(b"entries" not in stranger.body, "a stranger can get the proof")
        self.say("the person sees who looked and checks the proof", verdict)

    def withdraw(self) -> None:
        """One step; then everything is gone, and the receipt says so."""
        begun = time.monotonic()
        page = self.subject.submit(f"/me/studies/{self.purpose}/withdraw/", [])
        answered(page, 200, "the withdrawal")
        result = f"/api/v1/analyses/{self.analysis}/result/"
        now = self.api(result, Access_Reason="study-analysis")
        expect(now.status in {403, 410}, f"after the withdrawal the result answered {now.status}")
        late = self.upload("too-late")
        expect(late.status == 403, f"after the withdrawal an upload answered {late.status}")
        receipt_path = found(rf"(/me/erasures/{UUID}/)", page.url, "the erasure") + "receipt/"

        def erased() -> Any:
            receipt = self.subject.open(receipt_path)
            claims = receipt.json()
            complete = claims["erasure"]["rows_removed_at"] and len(claims["entries"]) >= 4
            return receipt.body if complete else None

        document = wait_for(erased, "the erasure", 20)
        gone = self.api(result, Access_Reason="study-analysis")
        expect(gone.status == 410, f"after the erasure the result answered {gone.status}")
        blobs = [path for path in (self.folder / "var" / "blobs").rglob("*") if path.is_file()]
        expect(not blobs, f"{len(blobs)} sealed files are left")
        count = len(json.loads(document)["erasure"]["data_key_ids"])
        verdict = self.verify(document)
        self.say(
            "the person withdraws",
            f"result {now.status} then 410, uploads 403, no sealed file left, {count} keys "
            f"destroyed within {time.monotonic() - begun:.2f} s; receipt {verdict}",
        )

    def check_log(self) -> None:
        """The whole log, from the database."""
        verdict = self.manage("verify_log").strip().splitlines()[-1]
        self.say("the whole access log is verified", verdict)


NAME = "Space flight smiles"
ASSESSMENT = [
    ("necessity", "Portraits are what is studied; one photograph each is enough."),
    ("risks", "A wrong reading could be believed."),
    ("measures", "Sealed, read for a stated reason, erased; the product abstains when unsure."),
    ("consultation", "The data protection officer was heard."),
    ("residual_risk", "low"),
]


def moving_photograph() -> bytes:
    """A film in which the photograph moves from side to side."""
    import av
    import cv2

    photo: Any = cv2.imread(str(PHOTO))
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as film:
        video: Any = film.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        for number in range(FILM_SECONDS * 25):
            left = 64 + 40 * abs(number % 50 - 25) // 25
            picture: Any = cv2.copyMakeBorder(
                photo[:360], 0, 0, left, 128 - left, cv2.BORDER_REPLICATE
            )
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(video.encode())
    return held.getvalue()


def purpose_form(sector: str) -> list[tuple[str, str]]:
    """The fields of a new purpose."""
    return [
        ("name", NAME),
        ("description", "How faces look on official portraits."),
        ("necessity", "What a portrait shows cannot be asked for."),
        ("people", "Adult astronauts who volunteered"),
        ("controllers-0-kind", "controller"),
        ("controllers-0-name", "Example Space Agency"),
        ("controllers-0-address", "1 Launch Road, Example City"),
        ("controllers-0-contact", "privacy@example.org"),
        ("controllers-1-kind", "controller"),
        ("officer_contact", "officer@example.org"),
        ("authority", "Example Authority, 2 Law Street, Example City"),
        ("recipients", "The researchers of this study"),
        ("storage_location", "The agency's own machines"),
        ("jurisdiction", "Germany (EU)"),
        ("sector", sector),
        ("uses", "statistics"),
        ("categories", "media"),
        ("categories", "expression"),
        ("categories", "blendshapes"),
        ("takes", "photographs-and-films"),
        ("sample_rate", "10"),
        ("media_retention_days", "1"),
        ("result_retention_days", "30"),
        ("consent_validity_days", "30"),
        ("minimum_age", "18"),
    ]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Walk; 0 when everything was as it should be."""
    with tempfile.TemporaryDirectory(prefix="consentry-demo-") as name:
        demo = Demo(Path(name), free_port())
        try:
            with demo.running():
                demo.say("an empty installation is set up and started", "/readyz says ready")
                demo.open_purpose()
                demo.make_client()
                demo.consent()
                demo.analyse()
                demo.read()
                demo.film()
                demo.look()
                demo.withdraw()
                demo.check_log()
        except (NotSo, LookupError, OSError, KeyError, ValueError) as problem:
            print(f"demo: not ok: {problem}", file=sys.stderr)
            return 1
        print(f"demo: ok ({time.monotonic() - demo.started:.1f} s)")
        return 0


if __name__ == "__main__":
    sys.exit(main())
