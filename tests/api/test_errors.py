"""Every error under /api/ is a problem of RFC 9457, from DRF or from before it, and repeats nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.test import APIRequestFactory

from accounts.models import Scope
from accounts.pages import ByTime
from audit_log.models import PendingEntry
from config.errors import problem_details
from config.field_errors import field_errors
from consent.models import SubjectReference
from consent.withdrawals import withdraw
from tests.cast import PHOTO, analysed, api_get, consenting, open_study, upload

TYPED = "Erika-Mustermann"


def checked(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem, when it is one and says nothing that was sent."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["detail"]
    assert body["title"]
    assert TYPED not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()
    return body


def test_every_status_is_a_problem(fresh_db: None, settings: Any) -> None:
    study = open_study()
    consenting(study)
    key = study.key()
    signed = {"Authorization": f"Bearer {key}"}
    find = reverse("api_subjects_find")

    def post(body: bytes, kind: str = "application/json", **headers: str) -> Any:
        # Not post(): it would write the body in the charset that is named.
        return Client().generic("POST", find, body, kind, headers={**signed, **headers})

    checked(Client().get(reverse("api_client")), 401, "not-authenticated")
    only = {"Authorization": f"Bearer {study.key(Scope.RESULTS_READ)}"}
    checked(Client().post(find, b"{}", "application/json", headers=only), 403, "permission-denied")
    checked(Client().get(f"/api/v1/{TYPED}/"), 404, "not-found")
    checked(Client().get(f"/api/{TYPED}"), 404, "not-found")
    checked(api_get(key, "api_recording", uuid4()), 404, "not-found")
    refused = Client().get(find, headers=signed)
    checked(refused, 405, "method-not-allowed")
    assert refused["Allow"] == "POST, OPTIONS"
    page = Client(enforce_csrf_checks=True).post(reverse("api_docs"), {"a": "b"})
    checked(page, 405, "method-not-allowed")
    assert page["Allow"] == "GET, HEAD"
    checked(post(b"{}", Accept=f"text/{TYPED}"), 406, "not-acceptable")
    checked(post(b"{}", f"text/{TYPED}"), 415, "unsupported-media-type")
    for name, body in {
        "no JSON": TYPED.encode(),
        "cut short": b'{"subject": "' + TYPED.encode(),
        "not UTF-8": b'{"subject": "\xff"}',
        "not a number": b'{"subject": NaN}',
        "deeper than Python goes": b"[" * 100_000,
        "a number without end": b"9" * 9999,
    }.items():
        assert checked(post(body), 400, "parse-error"), name
    # What the sender calls its characters changes nothing: JSON is UTF-8, and no other codec is loaded.
    for charset in (TYPED, "utf-16", "zlib_codec"):
        answer = post(b'{"subject": "nobody"}', f"application/json; charset={charset}")
        checked(answer, 404, "not-found")
    large = b'{"subject": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    checked(post(large), 413, "body-too-large")


def test_a_wrong_field_is_named_by_a_pointer(fresh_db: None) -> None:
    study = open_study()
    signed = {"Authorization": f"Bearer {study.key()}"}
    ask, sent = (
        reverse("api_consent_requests"),
        {"content_type": "application/json", "headers": signed},
    )
    for body in ("[]", f'["{TYPED}"]', f'"{TYPED}"', "7", "null", "true"):
        found = checked(Client().post(ask, body, **sent), 422, "invalid")["errors"]
        assert [each["pointer"] for each in found] in ([""], ["/subject"]), body
    found = checked(Client().post(ask, {"subject": "", "email": TYPED}, **sent), 422, "invalid")
    assert [each["pointer"] for each in found["errors"]] == ["/subject", "/email"]
    found = checked(Client().post(ask, {"subject": {TYPED: TYPED}}, **sent), 422, "invalid")
    assert [each["pointer"] for each in found["errors"]] == ["/subject"]


class Inner(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["a"])


class Outer(serializers.Serializer[Any]):
    many = Inner(many=True)
    numbers = serializers.ListField(child=serializers.IntegerField())


def test_pointers_go_into_lists_and_objects() -> None:
    given = Outer(data={"many": [{"kind": "a"}, {"kind": TYPED}, TYPED], "numbers": [1, TYPED]})
    assert not given.is_valid()
    found = field_errors(given.errors, in_body=True)
    assert [each["pointer"] for each in found] == ["/many/1/kind", "/many/2", "/numbers/1"]
    assert TYPED not in json.dumps(found)
    nested = {"a/b": {"c~d": [ErrorDetail("no", "x")]}, "non_field_errors": ["whole"]}
    assert field_errors(nested, in_body=True) == [
        {"pointer": "/a~1b/c~0d", "detail": "no"},
        {"pointer": "", "detail": "whole"},
    ]
    assert field_errors({"limit": ["no"]}, in_body=False) == [
        {"parameter": "limit", "detail": "no"}
    ]
    assert field_errors(["no"], in_body=True) == [{"pointer": "", "detail": "no"}]


def test_an_error_that_is_a_bare_sentence_or_a_list_is_told(fresh_db: None) -> None:
    request = APIRequestFactory().post("/api/v1/")
    for detail in ("no", ["no"], {"a": "no"}, [{"a": ["no"]}, {}]):
        answer = problem_details(ValidationError(detail), {"request": request})
        assert answer is not None
        assert answer.data["errors"]


def cursor(position: str) -> str:
    return b64encode(f"p={position}".encode()).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cursor", "!"), ("cursor", TYPED), ("cursor", cursor(TYPED)), ("cursor", cursor("7")),
        ("cursor", b64encode(b"o=99999999").decode()), ("cursor", b64encode(b"\xff\xfe").decode()),
        ("limit", "0"), ("limit", "201"), ("limit", TYPED), ("limit", "-1"), ("order", TYPED),
    ],
)  # fmt: skip
def test_a_wrong_parameter_of_a_list_is_named(fresh_db: None, name: str, value: str) -> None:
    request: Any = APIRequestFactory().get("/", {name: value})
    request.query_params = request.GET
    with pytest.raises(ValidationError) as caught:
        ByTime().paginate_queryset(SubjectReference.objects.all(), request)
    answer = problem_details(caught.value, {"request": request})
    assert answer is not None
    assert [each["parameter"] for each in answer.data["errors"]] == [name]
    assert TYPED not in json.dumps(answer.data, default=str)


def test_head_is_get_without_its_body_and_options_says_what_there_is(fresh_db: None) -> None:
    study = open_study()
    reference = consenting(study).subject.references.get().id
    address = reverse("api_subject", args=[reference])
    signed = {"Authorization": f"Bearer {study.key(Scope.SUBJECTS_READ)}"}
    full, head = (getattr(Client(), name)(address, headers=signed) for name in ("get", "head"))
    assert (full.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head["Content-Type"] == full["Content-Type"] == "application/json"
    other = {"Authorization": f"Bearer {study.key(Scope.RESULTS_READ)}"}
    assert Client().head(address, headers=other).status_code == 403
    answer = Client().options(address, headers=other)
    assert answer.status_code == 200
    assert answer.json() == {
        "methods": ["GET", "HEAD", "OPTIONS"],
        "scopes": {"GET": "subjects:read"},
    }
    assert Client().options(address).status_code == 401


def test_a_refusal_names_its_entry_in_the_access_log(fresh_db: None) -> None:
    study = open_study()
    person = consenting(study)
    analysis = analysed(study)
    withdraw(person.actor, person.subject, study.purpose)
    key = study.key()
    refused = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    read = api_get(key, "api_result", analysis.id, Access_Reason="study-analysis")
    for answer in (refused, read):
        entry = checked(answer, 403, "consent-withdrawn")["log_entry"]
        body = json.loads(bytes(PendingEntry.objects.get(entry_id=entry).body))
        assert (body["outcome"], body["reason"]) == ("refused", "consent-withdrawn")
    assert refused.json()["log_entry"] != read.json()["log_entry"]


def test_what_is_not_yours_answers_like_what_does_not_exist(fresh_db: None) -> None:
    study, other = open_study(), open_study()
    consenting(study)
    analysis = analysed(study)
    key = other.key()
    for name, mine, extra in (
        ("api_recording", [analysis.recording_id], {}),
        ("api_analysis", [analysis.id], {}),
        ("api_result", [analysis.id], {"Access_Reason": "study-analysis"}),
        ("api_result", [analysis.id], {}),
        ("api_series", [analysis.id, "summary"], {"Access_Reason": "study-analysis"}),
        ("api_client_key", [study_prefix(study)], {}),
    ):
        nothing = [uuid4() if len(str(mine[0])) > 20 else "0123456789", *mine[1:]]
        answers = [api_get(key, name, *each, **extra) for each in (mine, nothing)]
        told = [
            (a.status_code, a.content, {k: v for k, v in a.headers.items() if k != "RateLimit"})
            for a in answers
        ]
        assert told[0] == told[1], name


def study_prefix(study: Any) -> str:
    return str(study.key()).split("_")[1]


def test_a_fault_tells_nothing_of_itself(fresh_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = {"Authorization": f"Bearer {open_study().key()}"}
    client = Client(raise_request_exception=False)
    for error, status, code in (
        (RuntimeError(TYPED), 500, "server-error"),
        (OperationalError(TYPED), 503, "database-unavailable"),
        (RedisConnectionError(TYPED), 503, "cache-unavailable"),
    ):

        def broken(*_args: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("accounts.api.live_keys", broken)
        answer = client.get(reverse("api_client_keys"), headers=signed)
        body = checked(answer, status, code)
        assert __file__ not in json.dumps(body)
        assert ("Retry-After" in answer) == (status == 503)
