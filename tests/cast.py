"""The fixed cast of the tests, all made and signed in the way real people are.

Alice consents and is recorded; Bob was invited too and is somebody else; Charlie works here and is
assigned to nothing: he must see nothing.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from uuid import UUID

from bs4 import BeautifulSoup
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_SETUP, SYSTEM_WORKER, Actor, actor_for
from accounts.client_keys import find_key
from accounts.clients import create_client
from accounts.models import ApiClient, Role, Scope, TrainingCertificate, User
from accounts.operators import create_operator
from accounts.second_factor import code_now, enrol_app
from accounts.training import record_certificate
from audit_log import entries
from audit_log.actions import Action
from audit_log.log import append
from audit_log.sequencer import integrate_once
from consent.assessments import approve_assessment, write_assessment
from consent.invitations import create_invitation
from consent.messages import has_address
from consent.models import (
    ControllerKind,
    DataCategory,
    DataSubject,
    ImpactAssessment,
    Purpose,
    ResidualRisk,
    Sector,
    Use,
)
from consent.notices import publish_notice
from consent.purposes import assign, create_purpose, open_purpose, submit_for_review
from consent.subjects import register_subject
from emotion.analyses import run_analysis
from emotion.models import Analysis
from tests.made_once import made_once
from vault.tags import tagger

PHOTO = Path(__file__).resolve().parent.parent / "tools" / "data" / "astronaut.jpg"
CATEGORIES = [DataCategory.MEDIA, DataCategory.EXPRESSION, DataCategory.BLENDSHAPES]


@dataclass
class Operator:
    """Somebody who works here, with what they need to sign in."""

    user: User
    password: str
    app_secret: str

    @property
    def actor(self) -> Actor:
        return actor_for(self.user)

    def sign_in(self) -> Client:
        """A browser in which this person has signed in by password and one-time code."""
        browser = Client()
        page = browser.post(
            reverse("account_login"), {"login": self.user.email, "password": self.password}
        )
        assert page.status_code == 302, page.content.decode()
        page = browser.post(reverse("mfa_authenticate"), {"code": code_now(self.app_secret)})
        assert page.status_code == 302, page.content.decode()
        return browser


def operator(role: Role, name: str = "") -> Operator:
    password = secrets.token_urlsafe(15)
    address = f"{name or role.value}-{secrets.token_hex(3)}@example.org"
    user = create_operator(SYSTEM_SETUP, email=address, role=role, password=password)
    train(user)
    return Operator(user, password, enrol_app(user))


def train(user: User) -> TrainingCertificate:
    """Without it the gate opens no result and no picture for an operator."""
    end = timezone.now() + timedelta(days=365)
    return record_certificate(SYSTEM_SETUP, user.id, title="Reading results", valid_until=end)


@dataclass
class Study:
    """An open purpose with its people."""

    purpose: Purpose
    administrator: Operator
    officer: Operator
    researcher: Operator

    def key(self, *scopes: Scope) -> str:
        """The key of a new API client of this purpose."""
        _client, key = create_client(
            self.administrator.actor,
            name="lab",
            purpose_id=self.purpose.id,
            scopes=scopes or list(Scope),
            expires_at=timezone.now() + timedelta(days=30),
        )
        return key


CONTROLLER = {
    "kind": ControllerKind.CONTROLLER.value,
    "name": "Example University",
    "address": "1 Campus Road, Example City",
    "contact": "privacy@example.org",
}
PURPOSE: dict[str, Any] = {
    "name": "Story study",
    "description": "How faces move while listening.",
    "necessity": "A questionnaire cannot tell what a face shows.",
    "people": "Adult volunteers who answered our call",
    "officer_contact": "officer@example.org",
    "authority": "Example Authority, 2 Law Street, Example City",
    "recipients": "The researchers of this study",
    "storage_location": "The laboratory's own machines in Example City",
    "jurisdiction": "Germany (EU)",
    "sector": Sector.RESEARCH,
    "uses": [Use.STATISTICS],
    "categories": CATEGORIES,
    "media_retention_days": 7,
    "result_retention_days": 30,
}
ASSESSMENT = {
    "necessity": "Faces are what is studied.",
    "risks": "A wrong reading could be believed.",
    "measures": "Results are sealed, read for a stated reason, and erased.",
    "consultation": "The officer and two volunteers were heard.",
    "residual_risk": ResidualRisk.LOW.value,
}
NOTICE = {"en": ("Smiles", "We photograph your face.", "All of it.")}


@dataclass
class Draft:
    """A purpose on its way, with the people who take it there."""

    purpose: Purpose
    administrator: Operator
    officer: Operator

    def assess(self) -> ImpactAssessment:
        """The administrator writes an assessment and the officer approves it."""
        author = self.administrator
        written = write_assessment(
            author.actor, author.user, self.purpose, ASSESSMENT, residual_risk=ResidualRisk.LOW
        )
        return approve_assessment(self.officer.actor, self.officer.user, written.id)

    def open(self, **options: Any) -> Purpose:
        """The officer opens it."""
        return open_purpose(self.officer.actor, self.officer.user, self.purpose.id, **options)


def draft(**changes: Any) -> Draft:
    """A purpose with its notice, written by an administrator."""
    administrator, officer = operator(Role.ADMINISTRATOR), operator(Role.DPO)
    purpose = create_purpose(
        administrator.actor,
        administrator.user,
        **({"controllers": [CONTROLLER]} | PURPOSE | changes),
    )
    publish_notice(administrator.actor, purpose, NOTICE)
    return Draft(purpose, administrator, officer)


def open_study(**changes: Any) -> Study:
    """A purpose written by an administrator and opened by a data protection officer."""
    return made_once(f"a study {changes}", partial(new_study, changes))


def new_study(changes: dict[str, Any]) -> Study:
    """The same, made from the beginning."""
    made = draft(**changes)
    researcher = operator(Role.RESEARCHER)
    made.assess()
    submit_for_review(made.administrator.actor, made.purpose.id)
    assign(made.administrator.actor, made.purpose, researcher.user)
    return Study(made.open(), made.administrator, made.officer, researcher)


@dataclass
class Person:
    """A data subject with the browser in which they came in."""

    subject: DataSubject
    browser: Client
    reference: str

    @property
    def actor(self) -> Actor:
        user = User.objects.get(data_subject=self.subject)
        return actor_for(user)


def invite(study: Study, reference: str = "P-001", email: str = "") -> tuple[DataSubject, str]:
    """File a person and make their one-time link, mailed to an address: (subject, token)."""
    actor = study.administrator.actor
    subject = register_subject(actor, study.purpose, reference=reference, email=email)
    return subject, create_invitation(actor, subject, study.purpose, show_to_operator=not email)


def come_in(study: Study, reference: str = "P-001", email: str = "") -> Person:
    """A person opens their invitation in a browser of their own."""
    subject, token = invite(study, reference, email)
    browser = Client()
    page = browser.post(reverse("invitation", args=[token]))
    assert page.status_code == 302, page.content.decode()
    return Person(DataSubject.objects.get(pk=subject.pk), browser, reference)


def come_back(study: Study, person: Person) -> None:
    """The person comes in by a new link: on another day, or after their sessions were ended."""
    actor, shown = study.administrator.actor, not has_address(person.subject)
    token = create_invitation(actor, person.subject, study.purpose, show_to_operator=shown)
    person.browser = Client()
    assert person.browser.post(reverse("invitation", args=[token])).status_code == 302
    person.subject = DataSubject.objects.get(pk=person.subject.pk)


def given_up(page: Any) -> list[str]:
    """What a page says would be erased by the choices that were sent."""
    return re.findall(r'name="gives_up" value="([a-z-]+)"', page.content.decode())


def consent(
    person: Person, purpose: Purpose, categories: list[str] | None = None, age: str = ""
) -> None:
    """The person reads the notice and ticks boxes, on the page; ``age`` where they are asked."""
    address = reverse("consent_notice", args=[purpose.id])
    page = person.browser.get(address)
    assert page.status_code == 200
    found = re.search(r'name="notice" value="([0-9a-f-]{36})"', page.content.decode())
    assert found, "the notice page names the version that was shown"
    ticked = CATEGORIES if categories is None else categories
    form = {"notice": found[1], "decision": "give", "categories": [str(c) for c in ticked]}
    form |= {"age": age} if age else {}
    page = person.browser.post(address, form)
    if 'name="gives_up"' in page.content.decode():  # says what would be erased; they go on
        page = person.browser.post(address, form | {"gives_up": given_up(page)})
    assert page.status_code == 302, page.content.decode()


def consenting(study: Study, reference: str = "P-001", **options: Any) -> Person:
    """A person who has come in and consented."""

    def make() -> tuple[DataSubject, SimpleCookie]:
        person = come_in(study, reference)
        consent(person, study.purpose, **options)
        return person.subject, person.browser.cookies

    subject, cookies = made_once(f"{reference} says yes {options}", make)
    browser = Client()
    browser.cookies = cookies
    return Person(subject, browser, reference)


def upload(
    key: str,
    reference: str,
    purpose_id: UUID,
    photo: bytes,
    idempotency_key: str = "",
    markers: str = "",
) -> Any:
    """What an API client sends: the answer of POST /api/v1/recordings/."""
    boundary = "consentry-test-boundary"
    parts = [("subject", reference), ("purpose", str(purpose_id))]
    parts += [("markers", markers)] if markers else []
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in parts
    )
    body += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body += photo + f"\r\n--{boundary}--\r\n".encode()
    return Client().post(
        reverse("api_recordings"),
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={
            "Authorization": f"Bearer {key}",
            "Idempotency-Key": idempotency_key or secrets.token_hex(8),
        },
    )


def analysed(study: Study, reference: str = "P-001", photo: bytes = b"") -> Analysis:
    """A photograph that a client of the study uploads, and its analysis, run here on the real models."""
    answer = upload(study.key(), reference, study.purpose.id, photo or PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    return measured(Analysis.objects.get(pk=answer.json()["analyses"][0]["id"]))


def measured(row: Analysis | None = None) -> Analysis:
    """An analysis, the only one unless it is named, run here on the real models to its result."""
    row = row or Analysis.objects.get()
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == "done", (row.reason, row.media_code)
    return row


def api_get(key: str, name: str, *args: object, **headers: str) -> Any:
    """A GET of an API address by its URL name."""
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return Client().get(
        reverse(name, args=args), headers={"Authorization": f"Bearer {key}"} | named
    )


def api(key: str) -> Client:
    """A program that signs each request with this key."""
    return Client(headers={"Authorization": f"Bearer {key}"})


def client_of(key: str) -> ApiClient:
    """The row of the client whose key this is."""
    found = find_key(key)
    assert found is not None
    return found.client


def leave(person: Person, study: Study) -> None:
    """The person withdraws, on the page."""
    page = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert page.status_code == 302


CHILDREN: dict[str, Any] = {
    "guardian_allowed": True,
    "minimum_age": 14,
    "child_words": "You hear a story, and we take a picture of your face.",
}
"""What a purpose says in which children take part."""


def guardian_says(child: Person, purpose: Purpose, **changes: Any) -> Any:
    """A guardian fills in their form beside the child: the answer."""
    address = reverse("consent_guardian", args=[purpose.id])
    child.browser.get(address)
    form = {
        "notice": purpose.notices.latest("version").id,
        "decision": "give",
        "categories": ["media", "expression"],
        "responsible": "on",
        "of_age": (timezone.localdate() + timedelta(days=700)).strftime("%Y-%m"),
    } | changes
    sent = {name: value for name, value in form.items() if value is not None}
    return child.browser.post(address, sent)


def child_says(child: Person, purpose: Purpose, decision: str = "give", tick: bool = True) -> Any:
    """The child answers on its own page: the answer."""
    form = {"decision": decision} | ({"assent": "on"} if tick else {})
    return child.browser.post(reverse("consent_assent", args=[purpose.id]), form)


def text_of(answer: Any) -> str:
    """What a page says, without its head and foot."""
    (main,) = BeautifulSoup(answer.content, "html.parser").find_all("main")
    return " ".join(main.get_text(" ", strip=True).split())


def much_happens(person: Person, purpose: Purpose, times: int) -> None:
    """So many entries about a person of which none is a look, in the log's tree."""
    tag = tagger(person.subject.id, purpose.id).subject()
    entry = entries.Draft(
        action=Action.UPLOAD_PART,
        actor=SYSTEM_WORKER.log_name(),
        purpose_id=purpose.id,
        subject_tag=tag,
    )
    with transaction.atomic():
        for _time in range(times):
            append(entry)
    while integrate_once():
        pass
