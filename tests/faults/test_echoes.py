"""What somebody types where it does not belong comes back in no answer, and its key is not kept."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from emotion.analyses import run_analysis
from emotion.models import Analysis, Upload
from tests.cast import PHOTO, Study, api_get, consenting, open_study, upload

pytestmark = pytest.mark.usefixtures("fresh_db")
TYPED = "Typed-Name-77"


def analysed(study: Study) -> Analysis:
    consenting(study)
    assert upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    row = Analysis.objects.get()
    run_analysis(row.id)
    return row


def silent(answer: Any, status: int, code: str = "") -> None:
    """The answer has this status and does not repeat what was typed, nor does a header."""
    assert answer.status_code == status, answer.content
    assert not code or answer.json()["code"] == code
    told = (answer.content + repr(answer.headers).encode()).lower()
    assert TYPED.lower().encode() not in told, told


def test_a_stated_reason_that_is_free_text_is_not_repeated() -> None:
    study = open_study()
    row = analysed(study)
    free = f"{TYPED} asked me to"
    refused = api_get(study.key(), "api_result", row.id, Access_Reason=free)
    silent(refused, 400, "reason-required")
    assert "study-analysis" in refused.json()["detail"], "it says what is expected"
    desk = study.administrator.sign_in()
    person = row.recording.subject_id
    for path in (
        reverse("operate_result", args=[row.id]),
        reverse("operate_identity", args=[study.purpose.id, person]),
    ):
        silent(desk.post(path, {"reason": free}), 422)


BODIES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "a purpose that is none": ({"subject": "P-001", "purpose": TYPED}, {"file": "a.jpg"}),
    "a field after the file": ({}, {"file": "a.jpg", TYPED: ""}),
    "a file in another part": ({}, {TYPED: TYPED}),
    "a long field": ({TYPED: "x" * 2000}, {}),
    "no file": ({TYPED: TYPED}, {}),
}


def multipart(fields: dict[str, str], files: dict[str, str]) -> bytes:
    parts = [f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts += [f'name="{name}"; filename="{each}"\r\n\r\nx' for name, each in files.items()]
    head = "--xyz\r\nContent-Disposition: form-data; "
    return "".join(f"{head}{part}\r\n" for part in parts).encode() + b"--xyz--\r\n"


def test_a_malformed_upload_is_not_repeated() -> None:
    study = open_study()
    consenting(study)
    key = study.key()
    bodies = {name: multipart(*given) for name, given in BODIES.items()}
    bodies["not UTF-8"] = multipart({TYPED: "?"}, {}).replace(b"?", b"\xff")
    bodies["a head that is not UTF-8"] = multipart({f"{TYPED}?": "1"}, {}).replace(b"?", b"\xff")
    bodies["no multipart at all"] = TYPED.encode()
    for name, body in bodies.items():
        answer = Client().post(
            reverse("api_recordings"), body, content_type="multipart/form-data; boundary=xyz",
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": TYPED},
        )  # fmt: skip
        assert answer.status_code == 400, name
        silent(answer, 400, "upload-invalid")


@pytest.mark.parametrize(
    ("method", "name", "kind", "status"),
    [
        ("POST", "api_subjects_find", f"text/{TYPED}", 415),
        ("POST", "api_subjects_find", f"multipart/form-data; boundary={TYPED}", 415),
        (TYPED, "api_schema", "application/json", 405),
    ],
)
def test_a_wrong_request_is_not_repeated(method: str, name: str, kind: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {open_study().key()}"}
    silent(Client().generic(method, reverse(name), b"{}", kind, headers=headers), status)


def test_a_reference_is_not_repeated_by_the_api() -> None:
    study = open_study()
    consenting(study, TYPED)
    headers = {"Authorization": f"Bearer {study.key()}"}
    for name, body, status in (
        ("api_subjects_find", {"subject": f"{TYPED}-x"}, 404),
        ("api_subjects_find", {"subject": TYPED * 20}, 422),
        ("api_consent_requests", {"subject": TYPED}, 409),
        ("api_consent_requests", {"subject": "P-2", "email": TYPED}, 422),
    ):
        answer = Client().post(
            reverse(name), body, content_type="application/json", headers=headers
        )
        silent(answer, status)


def test_a_wrong_host_and_an_unknown_address_are_not_repeated() -> None:
    for path in (reverse("front"), reverse("api_schema")):
        silent(Client().get(path, headers={"Host": f"{TYPED}.example"}), 400)
    silent(Client().get(f"/api/v1/{TYPED}/"), 404)


def test_an_idempotency_key_is_kept_as_a_keyed_hash_only() -> None:
    study = open_study()
    consenting(study)
    other = open_study()
    consenting(other)
    for each in (study, other):
        key, photo = each.key(), PHOTO.read_bytes()
        first = upload(key, "P-001", each.purpose.id, photo, TYPED)
        again = upload(key, "P-001", each.purpose.id, photo, TYPED)
        assert first.status_code == again.status_code == 202
        assert first.json()["id"] == again.json()["id"]
        conflict = upload(key, "P-001", each.purpose.id, photo + b"\0", TYPED)
        silent(conflict, 422, "idempotency-mismatch")
    rows = list(Upload.objects.values_list("key_index", flat=True))
    assert len({bytes(row) for row in rows}) == 2, "the same key in two purposes looks different"
    bare = hashlib.sha256(TYPED.encode()).digest()
    with connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT * FROM {Upload._meta.db_table}")
        kept = repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in cursor])
    assert TYPED not in kept
    assert repr(bare)[2:-1] not in kept, "a bare hash is soon guessed"
