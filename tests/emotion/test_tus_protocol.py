"""The tus protocol 1.0.0 of resumable uploads: headers in, headers and refusals out."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from emotion.models import Recording
from tests.cast import Person, Study, measured, open_study
from tests.emotion.tus_sending import BODY, small_parts, told, tus
from tests.faults.leftovers import NOTHING, living_keys, rows, sealed_files
from tests.tus import Tus, checksum, encoded

pytestmark = pytest.mark.usefixtures("fresh_db")
__all__ = ["small_parts", "tus"]  # fixtures


def test_what_the_server_can_do(study: Study, tus: Tus) -> None:
    for address in (reverse("api_uploads"), reverse("api_upload", args=[UUID(int=0)])):
        answer = tus.browser.options(address)
        assert answer.status_code == 204
        assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
        assert answer.headers["Tus-Max-Size"] == str(settings.PHOTO_MAX_BYTES)
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
        named = set(answer.headers["Tus-Extension"].split(","))
        assert named == {
            "creation", "creation-with-upload", "termination", "checksum", "expiration",
        }  # fmt: skip


def test_another_version_is_refused_before_anything_else(study: Study, tus: Tus) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    key = tus.browser.defaults["HTTP_AUTHORIZATION"]
    for version in ({}, {"Tus-Resumable": "0.2.2"}):
        other = Client(headers={"Authorization": key} | version)
        for act in (other.post, other.patch, other.delete):
            where = reverse("api_uploads") if act == other.post else address
            answer = act(where, b"x", content_type="application/offset+octet-stream")
            assert told(answer) == (412, "tus-version")
            assert answer.headers["Tus-Version"] == "1.0.0"
        assert other.head(address).status_code == 412
    assert tus.offset(address) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": ""}, 400),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e3"}, 400),
        ({"Upload-Length": "\u0661"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": str(2**40)}, 413),
        ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Concat": "partial"}, 400),
        ({"Upload-Metadata": ""}, 400),
        ({"Upload-Metadata": "subject"}, 400),
        ({"Upload-Metadata": "subject not*base64"}, 400),
        ({"Upload-Metadata": "subject Müller"}, 400),
        ({"Upload-Metadata": "subject /w=="}, 400),
        ({"Upload-Metadata": "subject UA==,subject UA=="}, 400),
        ({"Idempotency-Key": "x" * 129}, 400),
    ],
)  # fmt: skip
def test_a_wrong_beginning_leaves_nothing(
    study: Study, tus: Tus, headers: dict[str, str], status: int
) -> None:
    answer = tus.create(study.purpose.id, 5, headers=headers)
    assert answer.status_code == status, answer.content
    assert rows() == NOTHING
    assert "not*base64" not in answer.content.decode()


def test_a_wrong_subject_or_purpose_leaves_nothing(study: Study, person: Person, tus: Tus) -> None:
    other = open_study()
    assert told(tus.create(other.purpose.id, 5)) == (404, "not-found")
    assert tus.create(study.purpose.id, 5, subject="P-404").status_code == 404
    assert tus.create(study.purpose.id, 5, markers="not json").status_code == 400
    no_uuid = {"Upload-Metadata": encoded(subject="P-001", purpose="x")}
    assert tus.create(study.purpose.id, 5, headers=no_uuid).status_code == 400
    assert rows() == NOTHING
    assert not living_keys(person.subject)


def test_bytes_that_do_not_begin_where_it_got_to_are_not_taken(study: Study, tus: Tus) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    assert tus.patch(address, 0, BODY[:100]).status_code == 204
    for offset in ("0", "99", "101", str(len(BODY))):
        assert told(tus.patch(address, offset, b"x")) == (409, "upload-offset-mismatch")
    for offset in ("", "-1", "1.0", "0x10", "\u0661"):
        assert told(tus.patch(address, offset, b"x")) == (400, "upload-invalid")
    assert told(tus.patch(address, 100, b"x", Content_Type="text/plain")) == (415, "content-type")
    assert told(tus.patch(address, 100, bytes(len(BODY)))) == (413, "media-too-large")
    assert tus.patch(address, 100, b"").status_code == 204, "nothing is nothing"
    assert tus.offset(address) == 100
    assert tus.patch(address, 100, BODY[100:]).status_code == 204
    assert tus.patch(address, len(BODY), b"").status_code == 204, "a repetition of the end"
    assert told(tus.patch(address, 0, BODY)) == (409, "upload-offset-mismatch")
    measured()


def test_a_checksum_that_differs_throws_the_bytes_away(study: Study, tus: Tus) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    before = sealed_files()
    first, rest = BODY[:50_000], BODY[50_000:]  # three parts
    wrong = tus.patch(address, 0, first, Upload_Checksum=checksum(first + b"."))
    assert told(wrong) == (460, "checksum-mismatch")
    assert wrong.reason_phrase == "Checksum Mismatch"
    assert (tus.offset(address), sealed_files()) == (0, before)
    for given in ("md5 AAAA", "sha1", "sha1 no*base64", "sha1 é", "sha1 AAAA"):
        answer = tus.patch(address, 0, first, Upload_Checksum=given)
        assert answer.status_code in {400, 460}, given
        assert tus.offset(address) == 0
    good = tus.patch(address, 0, first, Upload_Checksum=checksum(first, "sha256"))
    assert (good.status_code, tus.offset(address)) == (204, 50_000)
    end = tus.patch(address, 50_000, rest, Upload_Checksum=checksum(rest[1:]))
    assert (end.status_code, tus.offset(address)) == (460, 50_000)
    assert not Recording.objects.exists()
    assert tus.patch(address, 50_000, rest, Upload_Checksum=checksum(rest)).status_code == 204
    measured()


def test_another_clients_upload_does_not_exist(study: Study, tus: Tus) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    for other in (Tus(study.key()), Tus(open_study().key())):
        assert other.head(address).status_code == 404
        assert told(other.patch(address, 0, BODY)) == (404, "not-found")
        assert told(other.delete(address)) == (404, "not-found")
    assert tus.offset(address) == 0
    nothing = reverse("api_upload", args=[UUID(int=0)])
    assert told(tus.patch(nothing, 0, BODY)) == (404, "not-found")


def test_a_method_may_stand_in_a_header(study: Study, tus: Tus) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    given = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    sent = tus.browser.post(
        address, BODY[:10], content_type="application/offset+octet-stream", headers=given
    )
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, "10")
    for name in ("GET", "TRACE", "POST"):
        odd = tus.browser.post(address, headers={"X-HTTP-Method-Override": name})
        assert odd.status_code == 405, "a method that the address does not have"
    gone = tus.browser.post(address, headers={"X-HTTP-Method-Override": "DELETE"})
    assert gone.status_code == 204
    assert rows() == NOTHING
