"""One person's way through real processes, marked at every step by what must stay nowhere."""

from __future__ import annotations

import base64
import re
import secrets
from datetime import timedelta
from typing import Any

import cv2
import httpx
import numpy as np
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localtime

from consent.models import OutboxMessage
from consent.subjects import register_subject
from tests.cast import PHOTO, Study
from tests.faults.canary import Pixels, Search
from tests.faults.pixels import stamped
from tests.processes import wait_for
from tests.tus import BYTES, SPEAKS, encoded

JSON = {"Content-Type": "application/json"}


def marked_photo(text: bytes, seed: int) -> bytes:
    """The photograph with a pattern in its pixels and a text in its EXIF (TIFF tag 0x010E)."""
    picture = cv2.imdecode(np.frombuffer(PHOTO.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    done, encoded = cv2.imencode(".jpg", stamped(picture, seed))
    assert done
    photo = encoded.tobytes()
    entry = b"\x0e\x01\x02\x00" + len(text).to_bytes(4, "little") + (26).to_bytes(4, "little")
    tiff = b"II*\x00" + (8).to_bytes(4, "little") + b"\x01\x00" + entry + b"\0\0\0\0" + text
    body = b"Exif\0\0" + tiff
    return photo[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + photo[2:]


class Marks:
    """What names or shows the person, or was typed about them: each unique to this walk."""

    def __init__(self, study: Study) -> None:
        unique, self.seed = secrets.token_hex(6), secrets.randbits(32)
        self.reference, self.name = f"Reference-{unique}", f"Name-of-{unique}"
        self.email, self.stranger = f"mail-{unique}@example.org", f"else-{unique}@example.org"
        self.file_name, self.idempotency = f"file-{unique}.jpg", f"Upload-of-{unique}"
        self.reason, self.field = f"because-{unique}-asked", f"field-{unique}"
        self.exif = f"exif-{unique}"
        self.breach, self.told_of = f"what-happened-{unique}", f"we-are-sorry-{unique}"
        self.asked, self.answered = f"my-wish-{unique}", f"our-answer-{unique}"
        self.photo = marked_photo(self.exif.encode(), self.seed)
        self.key, self.token, self.session = study.key(), "", ""
        self.operator = study.administrator

    def search(self) -> Search:
        """The search for all of them."""
        secret = self.operator.app_secret
        texts = {
            "the reference": self.reference,
            "the name": self.name,
            "the address": self.email,
            "an address that nobody has": self.stranger,
            "the file's name": self.file_name,
            "the idempotency key": self.idempotency,
            "the typed reason": self.reason,
            "a field's name": self.field,
            "EXIF": self.exif,
            "what is written about a breach": self.breach,
            "what people are told of it": self.told_of,
            "the text of a request": self.asked,
            "the answer to a request": self.answered,
            "the invitation": self.token,
            "the API key": self.key.split("_", 2)[2],
            "the key of a session": self.session,
            "the app secret": secret,
            "the password": self.operator.password,
        }
        markers = {name: text.encode() for name, text in texts.items()} | {
            "the app secret, raw": base64.b32decode(secret + "=" * (-len(secret) % 8)),
            "the photograph's bytes": self.photo[len(self.photo) // 2 :][:40],
        }
        return Search(markers, Pixels(self.seed, self.photo))

    def never_told(self) -> Search:
        """Those that no answer to anybody in this walk may hold, whatever went wrong."""
        search, typed = self.search(), {"the reference", "the address", "the typed reason"}
        typed |= {"the idempotency key", "the file's name", "a field's name"}
        return Search({name: search.markers[name] for name in typed})


class Walk:
    """Browsers and a machine on one address; everything that is asked and told is written down."""

    def __init__(self, address: str, study: Study) -> None:
        self.address, self.study = address, study
        self.marks = Marks(study)
        self.asked: list[str] = []
        self.told: list[httpx.Response] = []
        signed_in = study.administrator.sign_in()
        self.marks.session = signed_in.cookies[settings.SESSION_COOKIE_NAME].value
        self.desk = self.browser(signed_in)
        self.officer = self.browser(study.officer.sign_in())
        self.own = self.browser()
        self.machine = self.browser()
        self.machine.headers["Authorization"] = f"Bearer {self.marks.key}"

    def close(self) -> None:
        """Leave no connection open."""
        for browser in (self.desk, self.officer, self.own, self.machine):
            browser.close()

    def browser(self, signed_in: Client | None = None) -> httpx.Client:
        cookies = (
            {name: each.value for name, each in signed_in.cookies.items()} if signed_in else {}
        )
        hooks = {"response": [self.note]}
        return httpx.Client(base_url=self.address, cookies=cookies, event_hooks=hooks, timeout=60)

    def note(self, response: httpx.Response) -> None:
        response.read()
        self.asked += [str(response.request.url), response.headers.get("Location", "")]
        self.told.append(response)

    def send(self, browser: httpx.Client, path: str, **fields: Any) -> httpx.Response:
        """Open a page and send its form."""
        return browser.post(path, data={"csrfmiddlewaretoken": token_of(browser, path), **fields})


def token_of(browser: httpx.Client, path: str) -> str:
    """The token of the form on a page."""
    page = browser.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text
    return token[1]


def invite(walk: Walk) -> None:
    """The administrator files people on the page and hands a letter over; another one is only filed."""
    marks, study = walk.marks, walk.study
    path = reverse("operate_invite", args=[study.purpose.id])
    given = {"reference": marks.reference, "email": marks.email}
    assert walk.send(walk.desk, path, **given).status_code == 302
    letter = reverse("operate_message", args=[OutboxMessage.objects.get().id])
    found = re.search(
        r"/me/invitation/([\w-]+)/", walk.send(walk.desk, letter, reason="notify").text
    )
    assert found
    marks.token = found[1]
    mailed = {"reference": f"mailed-{marks.reference}", "email": f"mailed-{marks.email}"}
    assert walk.send(walk.desk, path, **mailed).status_code == 302
    register_subject(
        study.administrator.actor, study.purpose, reference=f"second-{marks.reference}",
        email=f"second-{marks.email}", name=marks.name,
    )  # fmt: skip
    for each in ("operate_people", "operate_outbox", "operate_log", "operate_home"):
        assert walk.desk.get(reverse(each)).status_code == 200


def come_in_and_consent(walk: Walk) -> None:
    """The person opens the link and says yes; somebody asks for a code for an unknown address."""
    entered = walk.send(walk.own, reverse("invitation", args=[walk.marks.token]))
    assert entered.status_code == 302
    path = entered.headers["Location"]
    notice = re.search(r'name="notice" value="([0-9a-f-]{36})"', walk.own.get(path).text)
    assert notice
    given = walk.send(
        walk.own, path, notice=notice[1], decision="give", categories=["media", "expression"]
    )
    assert given.status_code == 302
    assert walk.own.get(reverse("subject_home")).status_code == 200
    with walk.browser() as stranger:
        for address in (walk.marks.stranger, walk.marks.email):
            assert walk.send(stranger, reverse("subject_sign_in"), email=address).is_redirect


def upload(walk: Walk) -> str:
    """The machine sends the photograph under telling names; the id of its analysis."""
    marks = walk.marks
    answer = walk.machine.post(
        reverse("api_recordings"),
        data={"subject": marks.reference, "purpose": str(walk.study.purpose.id)},
        files={"file": (marks.file_name, marks.photo, "image/jpeg")},
        headers={"Idempotency-Key": marks.idempotency},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["analyses"][0]["id"])


def upload_in_parts(walk: Walk) -> None:
    """The machine sends it twice by the tus protocol, in two requests each; one is never finished."""
    marks = walk.marks
    half = len(marks.photo) // 2
    about = encoded(
        subject=marks.reference, purpose=str(walk.study.purpose.id), filename=marks.file_name
    )
    for number in (1, 2):
        given = SPEAKS | {"Idempotency-Key": f"{number}-{marks.idempotency}"}
        length = {"Upload-Length": str(len(marks.photo)), "Upload-Metadata": about}
        begun = walk.machine.post(reverse("api_uploads"), headers=given | length)
        assert begun.status_code == 201, begun.text
        for start in (0, half)[:number]:
            bytes_ = marks.photo[start : half if start == 0 else None]
            given = SPEAKS | {"Upload-Offset": str(start), "Content-Type": BYTES}
            sent = walk.machine.patch(begun.headers["Location"], headers=given, content=bytes_)
            assert sent.status_code == 204, sent.text
        assert ("Recording-Location" in sent.headers) == (number == 2)
    wrong = {"Upload-Metadata": encoded(subject=f"{marks.reference}-unknown", purpose=marks.reason)}
    refused = walk.machine.post(
        reverse("api_uploads"), headers=SPEAKS | {"Upload-Length": "5"} | wrong
    )
    assert refused.status_code == 400


def upload_oneself(walk: Walk) -> None:
    """The person sends it on their own page, whose hidden field holds a telling key too."""
    path = reverse("upload", args=[walk.study.purpose.id])
    fields = {
        "csrfmiddlewaretoken": token_of(walk.own, path),
        "idempotency_key": f"own-{walk.marks.idempotency}",
    }
    file = (walk.marks.file_name, walk.marks.photo, "image/jpeg")
    assert walk.own.post(path, data=fields, files={"file": file}).status_code == 302


def read(walk: Walk, analysis: str) -> None:
    """Everybody reads who may: the machine, the administrator and the person."""
    reason = "quality-check"
    answer = walk.machine.get(
        reverse("api_result", args=[analysis]), headers={"Access-Reason": reason}
    )
    assert answer.status_code == 200
    result = reverse("operate_result", args=[analysis])
    assert walk.send(walk.desk, result, reason=reason).status_code == 200
    assert walk.own.get(reverse("own_result", args=[analysis])).status_code == 200
    assert walk.own.get(reverse("access_history")).status_code == 200


def ask_and_answer(walk: Walk) -> None:
    """The person asks for something in words; a form comes back once; the officer reads and answers."""
    marks = walk.marks
    path = reverse("own_request_new", args=["rectification"])
    wrong = walk.send(walk.own, path, study=marks.field, text=marks.asked)
    assert wrong.status_code == 422
    sent = walk.send(walk.own, path, text=marks.asked)
    assert sent.status_code == 302
    own = sent.headers["Location"]
    page = walk.officer.get(reverse("operate_requests")).text
    found = re.search(r'href="(/operate/requests/[0-9a-f-]{36}/)"', page)
    assert found, page
    desk = found[1]
    taken = walk.officer.post(
        f"{desk}take/", data={"csrfmiddlewaretoken": token_of(walk.officer, desk)}
    )
    assert taken.status_code == 302
    read = walk.send(walk.officer, f"{desk}text/", reason="subject-request")
    assert marks.asked in read.text
    answer = {"outcome": "partly", "text": marks.answered}
    refused = walk.send(walk.officer, f"{desk}answer/", **(answer | {"outcome": "refused"}))
    assert refused.status_code == 422
    assert walk.send(walk.officer, f"{desk}answer/", **answer).status_code == 302
    assert marks.answered in walk.own.get(own).text
    withdrawn = walk.send(walk.own, path, text=f"again-{marks.asked}").headers["Location"]
    back = walk.own.post(
        f"{withdrawn}retract/", data={"csrfmiddlewaretoken": token_of(walk.own, withdrawn)}
    )
    assert back.status_code == 302


def record_a_breach(walk: Walk) -> None:
    """The officer writes one down that concerns the person, who is told in words."""
    marks, now = walk.marks, localtime()
    words = {name: f"{name} {marks.breach}" for name in ("happened", "effects", "measures")}
    span = {"begins_at": (now - timedelta(hours=1)).isoformat(), "ends_at": now.isoformat()}
    fields = span | words | {"noticed_at": now.isoformat(), "everybody": "on"}
    path = reverse("operate_breach_new")
    assert walk.send(walk.officer, path, **fields).status_code == 422, "no kind was ticked"
    made = walk.send(walk.officer, path, kinds="integrity", **fields)
    assert made.status_code == 302
    breach = made.headers["Location"]
    assert marks.breach in walk.officer.get(breach).text
    done = walk.send(walk.officer, f"{breach}authority/", ground="risk-unlikely")
    assert done.status_code == 302
    assert walk.send(walk.officer, f"{breach}tell/", text=marks.told_of).status_code == 302
    own = reverse("own_breach", args=[breach.rstrip("/").rsplit("/", 1)[1]])
    wait_for(lambda: walk.own.get(own).status_code == 200, 60, "the keeper to tell them")
    assert marks.told_of in walk.own.get(own).text


def state_reasons_in_words(walk: Walk, analysis: str) -> None:
    """A reason that is no code is refused, by the API and on both pages that ask for one."""
    typed = walk.marks.reason
    answer = walk.machine.get(
        reverse("api_result", args=[analysis]), headers={"Access-Reason": typed}
    )
    assert answer.status_code == 400
    people = walk.desk.get(reverse("operate_people")).text
    person = re.search(rf'href="(/[^"]*{walk.study.purpose.id}/people/[^"]+/)"', people)
    assert person, people
    for path in (reverse("operate_result", args=[analysis]), f"{person[1]}identity/"):
        assert walk.send(walk.desk, path, reason=typed).status_code == 422


def ask_wrongly(walk: Walk) -> None:
    """Errors of every kind with markers in them."""
    marks, machine = walk.marks, walk.machine
    find, uploads = reverse("api_subjects_find"), reverse("api_recordings")
    unknown = machine.post(find, json={"subject": f"{marks.reference}-unknown"})
    assert unknown.status_code == 404
    broken = machine.post(find, content=f'{{"subject": "{marks.reference}"', headers=JSON)
    assert broken.status_code == 400
    taken = machine.post(reverse("api_consent_requests"), json={"subject": marks.reference})
    assert taken.status_code == 409
    keyed = {"Idempotency-Key": f"wrong-{marks.idempotency}"}
    for fields in (
        {"subject": marks.reference, "purpose": marks.reason},
        {marks.field: "x" * 2000},
    ):
        file = {"file": (marks.file_name, marks.photo, "image/jpeg")}
        assert machine.post(uploads, data=fields, files=file, headers=keyed).status_code == 400
    table = connection.ops.quote_name("consent_subjectreference")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO away")
    failed = machine.post(find, json={"subject": marks.reference})
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE away RENAME TO {table}")
    assert failed.status_code >= 500


def links_of(page: httpx.Response) -> list[bytes]:
    """Where a page leads."""
    return [found.encode() for found in re.findall(r'(?:href|action|src)="([^"]*)"', page.text)]
