"""Every role at every address: who they are, what they would ask for, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.auditors import create_token
from accounts.models import ApiClient, Role, User
from accounts.training import certificates_of
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.documents import Upload, add_document
from consent.holds import place_hold
from consent.invitations import send_invitation
from consent.models import ConsentEvent, HoldReason, OutboxMessage, RequestKind, Telling
from consent.paper import SignedPaper, attest_paper
from consent.requests import make_request
from consent.scans import Scan
from consent.subjects import register_subject
from consent.webhooks import create_webhook
from emotion.active_pack import chosen
from emotion.analyses import run_analysis
from emotion.disputes import dispute, erase_own
from emotion.models import Analysis
from emotion.reanalysis import analyse_again
from emotion.results import read_result
from tests.breaches import breach_told
from tests.cast import (
    CHILDREN,
    PHOTO,
    Person,
    Study,
    come_back,
    come_in,
    consent,
    invite,
    open_study,
    operator,
    upload,
)
from tests.emotion.inference.scenes import Scene, as_film, sits
from tests.tus import SPEAKS, Tus

TABLE = Path(__file__).resolve().parents[2] / "docs" / "roles.md"
ROLES = (
    "stranger", "administrator", "researcher", "other researcher", "DPO",
    "subject", "other subject", "client", "other client",
)  # fmt: skip
# Whoever has nothing to do with the study or with this person must not even read an opaque id.
UNINVOLVED = {"stranger", "other researcher", "DPO", "other subject", "other client"}
ASKED = "I want to know."
"""What Alice wrote, which is sealed."""
YES, NO, SIGN_IN, MOVED = "yes", "no", "sign in", "moved"
MAY, REASON = "may", "reason"


@dataclass
class House:
    """One study in which everything exists once, and a way in for every role."""

    study: Study
    alice: Person
    arguments: dict[str, Any]
    browsers: dict[str, Client]
    keys: dict[str, str]
    opaque: list[str]
    named: list[str]

    def get(self, role: str, name: str) -> Any:
        """What this role is told when it opens the address of this name."""
        return self.browsers[role].get(address(name, self.arguments))

    def head(self, role: str, name: str) -> Any:
        """What this role is told when it asks how an upload of the house stands."""
        return self.browsers[role].head(address(name, self.arguments), headers=SPEAKS)

    def post(self, role: str, name: str) -> Any:
        """What this role is told when it sends an empty form, or to the API what is Alice's."""
        browser = self.browsers[role]
        if name == "api_subjects_find":
            body = {"subject": "Visible-Alice"}
            return browser.post(reverse(name), body, content_type="application/json")
        if name == "api_recordings" and role in self.keys:
            return upload(
                self.keys[role], "Visible-Alice", self.study.purpose.id, PHOTO.read_bytes()
            )
        if name == "api_client_key":
            return browser.delete(address(name, self.arguments))
        if name == "api_uploads" and role in self.keys:
            return Tus(self.keys[role]).create(self.study.purpose.id, 5, "Visible-Alice")
        return browser.post(address(name, self.arguments))


def key_client(key: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {key}"})


def build() -> House:
    """Alice was photographed, analysed twice, filmed, and disputes another recording; Bob consented too.

    Carol is invited. Alice signed on paper first, which somebody entered who is nobody in the table, and
    then said yes.
    """
    study = open_study(
        keep_media=True, paper_allowed=True, takes="photographs-and-films", **CHILDREN
    )
    alice = come_in(study, "Visible-Alice", email="visible-alice@example.org")
    bob = come_in(study, "Visible-Bob")
    consent(bob, study.purpose, age="alone")
    attester = operator(Role.RESEARCHER, "dana")
    signed = SignedPaper(
        study.purpose.notices.get(),
        list(study.purpose.categories),
        timezone.localdate(),
        Scan("application/pdf", b"%PDF-1.4"),
    )
    attest_paper(attester.actor, attester.user, alice.subject, study.purpose, signed)
    come_back(study, alice)
    consent(alice, study.purpose, age="alone")
    key = study.key()
    answer = upload(key, "Visible-Alice", study.purpose.id, PHOTO.read_bytes())
    analysis_id = answer.json()["analyses"][0]["id"]
    run_analysis(analysis_id)
    analysis = Analysis.objects.select_related("recording").get(pk=analysis_id)
    run_analysis(analyse_again(study.researcher.actor, analysis.recording_id).id)
    filmed = upload(key, "Visible-Alice", study.purpose.id, as_film(Scene(1, sits()))).json()
    run_analysis(filmed["analyses"][0]["id"])
    other = upload(study.key(), "Visible-Alice", study.purpose.id, PHOTO.read_bytes())
    disputed = dispute(alice.actor, UUID(other.json()["id"]))
    erasure = erase_own(alice.actor, disputed.recording_id)
    alice.browser.post(reverse("own_trend"), {"turn": "on"})
    actor = study.administrator.actor
    mailed = register_subject(
        actor, study.purpose, reference="Visible-Carol", email="visible-carol@example.org"
    )
    send_invitation(actor, mailed, study.purpose)
    _subject, token = invite(study, "Visible-Dora")
    keys = {"client": key, "other client": open_study().key()}
    passkey = Authenticator.objects.create(  # of somebody who is nobody in the table
        user=User.objects.create_subject(), type=Authenticator.Type.WEBAUTHN, data={"name": "k"}
    )
    paper = add_document(
        study.administrator.user, study.purpose, Upload("plan.txt", "text/plain", b"A plan.")
    )
    hold = place_hold(
        study.officer.actor,
        study.officer.user,
        study.purpose,
        reason=HoldReason.COMPLAINT,
        ends_at=timezone.now() + timedelta(days=30),
        subject_id=alice.subject.id,
    )
    asked = make_request(
        alice.actor,
        alice.subject,
        kind=RequestKind.ACCESS,
        purpose=study.purpose,
        text=ASKED,
    )
    read_result(study.researcher.actor, analysis.id, "quality-check")
    integrate_once()
    sending = Tus(key).begin(study.purpose.id, 5, subject="Visible-Alice")
    begun = alice.browser.post(
        reverse("own_uploads", args=[study.purpose.id]),
        headers=SPEAKS | {"Upload-Length": "5", "Idempotency-Key": "k"},
    )
    breach = breach_told(study, everybody=False)
    lab = ApiClient.objects.get(keys__prefix=key.split("_")[1])
    create_webhook(actor, lab, "https://localhost/", [])  # where nothing is sent
    integrate_once()
    page = alice.browser.get(reverse("access_history")).content.decode()
    found = re.search(rf"/me/access/({UUID_PATTERN})/proof/", page)
    assert found, "the history links its proofs"
    arguments = {
        "purpose_id": study.purpose.id,
        "subject_id": alice.subject.id,
        "recording_id": analysis.recording_id,
        "film_id": UUID(filmed["id"]),
        "analysis_id": analysis.id,
        "upload_id": UUID(sending.split("/")[-2]),
        "own_upload_id": UUID(begun.headers["Location"].split("/")[-2]),
        "event_id": ConsentEvent.objects.get(subject=alice.subject, kind="given").id,
        "erasure_id": erasure.id,
        "dispute_id": disputed.id,
        "hold_id": hold.id,
        "request_id": asked.id,
        "breach_id": breach.id,
        "kind": asked.kind,
        "reference_id": alice.subject.references.get().id,
        "entry_id": found[1],
        "message_id": OutboxMessage.objects.get(kind="invitation", subject=mailed).id,
        "client_id": oldest(study).id,
        "prefix": oldest(study).keys.get().prefix,
        "operator_id": study.researcher.user.id,
        # Of somebody else: whoever asks here keeps theirs.
        "certificate_id": certificates_of(attester.user.id).get().id,
        "notice_id": study.purpose.notices.get().id,
        "assessment_id": study.purpose.assessments.get().id,
        "document_id": paper.id,
        "telling_id": Telling.objects.get(
            erasure=erasure, client__keys__prefix=key.split("_")[1]
        ).id,
        "logged_id": LogEntry.objects.filter(action=Action.MEDIA_UPLOAD).earliest("index").entry_id,
        "token": token,
        "token_id": create_token(
            study.officer.actor, name="auditor", expires_at=timezone.now() + timedelta(days=1)
        )[0].id,
        "number": 1,
        "step": "reset",
        "uidb36": "1",
        "key": "nothing",
        "pk": passkey.pk,
        "level": 0,
        "tile": "000.p/1",
        "category": "expression",
        "pack": chosen(),
        "export_id": exported(key).json()["id"],
    }
    browsers = {
        "stranger": Client(),
        "administrator": study.administrator.sign_in(),
        "researcher": study.researcher.sign_in(),
        "other researcher": operator(Role.RESEARCHER, "charlie").sign_in(),
        "DPO": study.officer.sign_in(),
        "subject": alice.browser,
        "other subject": bob.browser,
    } | {role: key_client(each) for role, each in keys.items()}
    opaque = [str(arguments[name]) for name in ("subject_id", "recording_id", "analysis_id")]
    named = ["Visible-", "visible-carol"]
    return House(study, alice, arguments, browsers, keys, opaque, named)


def oldest(study: Study) -> ApiClient:
    """The client that signs as ``client``: the first of the study."""
    return ApiClient.objects.filter(purpose_id=study.purpose.id).earliest("id")


def exported(key: str) -> Any:
    """An export of everything that a client asks for: the answer."""
    return Client().post(
        reverse("api_exports"),
        data={"format": "csv"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", "Access-Reason": "study-analysis"},
    )


UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def addresses(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    """Every address that the installation answers at."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern)
        else:
            yield pattern


def pattern_of(name: str) -> URLPattern:
    return next(pattern for pattern in addresses() if pattern.name == name)


def address(name: str, arguments: dict[str, Any]) -> str:
    """An address with the objects of the house put in; KeyError for a parameter nobody knows."""
    wanted = set(pattern_of(name).pattern.regex.groupindex)
    return reverse(name, kwargs={each: arguments[each] for each in wanted})


def word(answer: Any) -> str:
    """What an answer means for whoever asked."""
    status = answer.status_code
    if status == 302:
        doors = (reverse("account_login"), reverse("subject_sign_in") + "?")
        return SIGN_IN if answer.headers["Location"].startswith(doors) else MOVED
    if status in {401, 403, 404}:
        return NO
    if 200 <= status < 300 or (status == 503 and b'"parts"' in answer.content):
        return YES  # /readyz says 503 to everybody here: no keeper runs in this test
    if status == 400 and b"reason-required" in answer.content:
        return REASON
    return str(status)


def written(heading: str) -> dict[str, list[str]]:
    """The rows of one table of docs/roles.md: first cell → the others."""
    section = TABLE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}
