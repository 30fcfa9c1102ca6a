"""Small documents: what is taken, what is refused, and how they come back; the rest takes no files."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from consent.documents import MAX_BODY, MAX_BYTES, clean_name
from consent.models import Document
from tests.cast import Draft, draft, operator

pytestmark = pytest.mark.usefixtures("fresh_db")
PDF = b"%PDF-1.7\n" + b"x" * 200


@pytest.fixture
def made() -> Draft:
    return draft()


def send(browser: Client, made: Draft, name: str, content: bytes) -> object:
    file = SimpleUploadedFile(name, content, content_type="text/html")
    address = reverse("operate_assessment_new", args=[made.purpose.id])
    return browser.post(address, {"residual_risk": "low", "document": file})


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PDF, "application/pdf"), ("Ein Satz: größer.\n".encode(), "text/plain; charset=utf-8")],
)
def test_a_document_comes_back_as_an_attachment_and_nothing_in_it_runs(
    made: Draft, content: bytes, kind: str
) -> None:
    admin = made.administrator.sign_in()
    assert send(admin, made, "../../plan.html", content).status_code == 302  # type: ignore[attr-defined]
    row = Document.objects.get()
    assert (row.name, row.size) == ("plan.html", len(content))
    answer = made.officer.sign_in().get(reverse("operate_document", args=[row.id]))
    assert answer.content == content
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Content-Disposition"] == 'attachment; filename="plan.html"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    stranger = operator(Role.RESEARCHER, "charlie").sign_in()
    assert stranger.get(reverse("operate_document", args=[row.id])).status_code == 404


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04 a zip", "PDF or plain text"),
        (b"\xff\xd8\xff\xe0 a photograph", "PDF or plain text"),
        (b"%PDF-1.7" + b"x" * MAX_BYTES, "at most 2 MB; this one is larger"),
        (b"", "empty"),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(
    made: Draft, content: bytes, says: str
) -> None:
    page = send(made.administrator.sign_in(), made, "plan.pdf", content)
    assert page.status_code == 422  # type: ignore[attr-defined]
    assert says in page.content.decode()  # type: ignore[attr-defined]
    assert not Document.objects.exists()
    assert not made.purpose.assessments.exists()


def test_a_huge_body_is_refused_before_it_is_read(made: Draft) -> None:
    page = send(made.administrator.sign_in(), made, "plan.pdf", b"%PDF-" + b"x" * MAX_BODY)
    assert page.status_code == 400  # type: ignore[attr-defined]


def test_the_token_is_asked_for_all_the_same(made: Draft) -> None:
    admin = made.administrator.sign_in()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    address = reverse("operate_assessment_new", args=[made.purpose.id])
    file = SimpleUploadedFile("plan.pdf", PDF)
    fields = {"residual_risk": "low", "document": file}
    assert strict.post(address, fields).status_code == 403
    assert not Document.objects.exists()
    page = strict.get(address).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    file.seek(0)
    answer = strict.post(address, fields | {"csrfmiddlewaretoken": token[1]})
    assert answer.status_code == 302
    assert Document.objects.count() == 1


def test_a_file_name_is_only_a_name() -> None:
    assert clean_name("a/b\\c.pdf") == "c.pdf"
    assert clean_name("x\r\nSet-Cookie: y.pdf") == "xSet-Cookie: y.pdf"
    assert clean_name("..") == clean_name("") == "document"
    assert len(clean_name("a" * 300 + ".pdf")) == 120
