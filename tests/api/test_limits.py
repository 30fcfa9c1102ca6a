"""What one client may do, how it hears of it, and what is answered when too much waits."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.counting import Limit, count, standing, take_back
from accounts.models import ApiClient, Count, Scope
from consent.models import DataSubject
from emotion.errors import TooManyUploads
from emotion.limits import admit
from emotion.models import Analysis, Recording, Upload, UploadState
from emotion.uploads import Receiving
from tests.absent import absent
from tests.cast import PHOTO, Person, Study, api_get, consenting, open_study, upload
from tools.test import REDIS, redis_answers

pytestmark = pytest.mark.usefixtures("fresh_db")
NOON = timezone.now().replace(hour=12, minute=0, second=10, microsecond=0)
"""Ten seconds into a minute: no stretch ends while a test runs."""


def send(study: Study, key: str, name: str = "", reference: str = "P-001") -> Any:
    return upload(key, reference, study.purpose.id, PHOTO.read_bytes(), name)


def test_every_answer_says_what_is_left(settings: Any) -> None:
    settings.API_RATE = "3/min"
    study = open_study()
    key, other = study.key(), study.key()
    with time_machine.travel(NOON, tick=False):
        told = [api_get(key, "api_client") for _number in range(5)]
        assert [each.status_code for each in told] == [200, 200, 200, 429, 429]
        assert [each["RateLimit"] for each in told] == [
            f'"requests";r={left};t=50' for left in (2, 1, 0, 0, 0)
        ]
        assert {each["RateLimit-Policy"] for each in told} == {'"requests";q=3;w=60'}
        assert told[-1]["Retry-After"] == "50"
        assert api_get(other, "api_client")["RateLimit"] == '"requests";r=2;t=50'
        missing = api_get(other, "api_recording", uuid4())
        assert (missing.status_code, missing["RateLimit"]) == (404, '"requests";r=1;t=50')
    with time_machine.travel(NOON + timedelta(seconds=50), tick=False):
        assert api_get(key, "api_client").status_code == 200
    for answer in (Client().get(reverse("api_client")), Client().get("/"), Client().get("/api/")):
        assert "RateLimit" not in answer


REFUSED = {
    "a scope is missing": ("GET", {}, 403),
    "no such method": ("DELETE", {}, 405),
    "a wrong kind of body": ("POST", {"content_type": "text/plain"}, 415),
    "a wrong body": ("POST", {"content_type": "application/json"}, 400),
}


@pytest.mark.parametrize(("method", "options", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_counts_as_well(
    method: str, options: dict[str, Any], status: int, settings: Any
) -> None:
    settings.API_RATE = "2/min"
    scopes = (Scope.CONSENT_REQUEST,) if method == "POST" else (Scope.RECORDINGS_UPLOAD,)
    key, address = open_study().key(*scopes), reverse("api_consent_requests")

    def ask() -> Any:
        client = Client(headers={"Authorization": f"Bearer {key}"})
        return client.generic(method, address, b"{", **options)

    with time_machine.travel(NOON, tick=False):
        told = [ask() for _number in range(3)]
    assert [each.status_code for each in told] == [status, status, 429]
    assert [each["RateLimit"] for each in told] == [
        f'"requests";r={left};t=50' for left in (1, 0, 0)
    ]


def test_an_upload_counts_under_two_limits_and_a_failed_one_under_none(settings: Any) -> None:
    settings.CLIENT_ANALYSES_PER_DAY = 2
    study = open_study()
    consenting(study)
    key = study.key()
    with time_machine.travel(NOON, tick=False):
        refused = upload(key, "P-001", study.purpose.id, b"no picture")
        assert refused.status_code == 415
        assert send(study, key, "a").status_code == 202
        last = send(study, key, "b")
        assert last.status_code == 202
        assert '"analyses";r=0;t=43190' in last["RateLimit"]
        assert '"analyses";q=2;w=86400' in last["RateLimit-Policy"]
        more = send(study, key, "c")
        assert (more.status_code, more.json()["code"]) == (429, "too-many-uploads")
        assert more["Retry-After"] == "43190"
        assert send(study, key, "b").status_code == 202  # the same upload again is no new one
        assert send(study, study.key(), "c").status_code == 202
        left = api_get(key, "api_client").json()["limits"]["analyses"]
        assert (left["quota"], left["left"]) == (2, 0)
    assert Recording.objects.count() == 3
    assert not Upload.objects.exclude(state=UploadState.STORED).exists()
    with time_machine.travel(NOON + timedelta(hours=12), tick=False):
        assert send(study, key, "c").status_code == 202


def test_a_person_is_not_uploaded_without_end(settings: Any) -> None:
    settings.SUBJECT_UPLOADS_PER_HOUR = 2
    study = open_study()
    consenting(study)
    consenting(study, "P-002")
    key = study.key()
    with time_machine.travel(NOON, tick=False) as clock:
        assert send(study, key).status_code == 202
        clock.shift(600)
        assert send(study, study.key()).status_code == 202
        clock.shift(600)
        more = send(study, key)
        assert (more.status_code, more.json()["code"]) == (429, "too-many-uploads")
        assert 2400 <= int(more["Retry-After"]) <= 2401
        assert send(study, key, reference="P-002").status_code == 202
        clock.shift(2402)
        assert send(study, key).status_code == 202


def test_the_hour_of_a_person_is_asked_again_when_the_file_has_come(settings: Any) -> None:
    settings.SUBJECT_UPLOADS_PER_HOUR = 1
    study = open_study()
    person = consenting(study)
    both = [begun(study, person, name) for name in ("a", "b")]
    for each in both:
        each.write(PHOTO.read_bytes())
    both[0].finish()
    with pytest.raises(TooManyUploads):
        both[1].finish()
    for each in both:
        each.close()
    assert Recording.objects.count() == 1
    assert Upload.objects.count() == 1


def begun(study: Study, person: Person, name: str) -> Receiving:
    """An upload of the person's own that waits for its bytes."""
    return Receiving(person.actor, person.subject, study.purpose.id, name)


def client_actor(study: Study) -> Any:
    from accounts.actors import actor_for_client

    study.key()
    return actor_for_client(ApiClient.objects.latest("created_at"))


def test_a_client_sends_few_files_at_once(settings: Any) -> None:
    settings.CLIENT_UPLOADS_AT_ONCE = 2
    study = open_study()
    person, actor = consenting(study), client_actor(study)
    subject = DataSubject.objects.get(pk=person.subject.pk)
    held = [Receiving(actor, subject, study.purpose.id, name) for name in ("a", "b")]
    with pytest.raises(TooManyUploads) as caught:
        Receiving(actor, subject, study.purpose.id, "c")
    assert caught.value.retry_after == 5
    assert Upload.objects.count() == 2, "the refused one has left nothing"
    # The person's own upload is no client's.
    begun(study, person, "mine").close()
    held[0].close()
    Receiving(actor, subject, study.purpose.id, "c").close()
    # Whoever fell silent is not waited for.
    Upload.objects.update(heard_at=timezone.now() - timedelta(minutes=3))
    Receiving(actor, subject, study.purpose.id, "d").close()
    held[1].close()
    assert Count.objects.get(name=f"analyses:{actor.id}").used == 0


def test_a_long_queue_takes_nothing_and_reads_nothing(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.QUEUE_AT_MOST = 1
    study = open_study()
    person = consenting(study)
    key = study.key()
    assert send(study, key).status_code == 202
    assert send(study, key).status_code == 202
    assert Analysis.objects.filter(state="queued").count() == 2
    read: list[int] = []
    monkeypatch.setattr(
        "django.http.HttpRequest.read", lambda *_args, **_more: read.append(1) or b""
    )
    refused = send(study, key)
    assert (refused.status_code, refused.json()["code"]) == (503, "queue-full")
    assert refused["Retry-After"] == "60"
    assert not read
    monkeypatch.undo()
    page = person.browser.post(reverse("upload", args=[study.purpose.id]), {"idempotency_key": "k"})
    assert page.status_code == 422
    assert "wait to be analysed" in page.content.decode()
    Analysis.objects.filter(state="queued").update(state="done")
    assert send(study, key).status_code == 202


def test_counting_leaves_the_log_its_durable_commits() -> None:
    """A count need not wait for the disk; an entry that is written right after it must."""
    questions = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}

    def durability() -> str:
        with connection.cursor() as cursor:
            cursor.execute(questions[connection.vendor])
            return str(cursor.fetchone()[0])

    before = durability()
    assert connection.vendor != "sqlite" or before == "2"  # FULL; a server has what it is set to
    count(Limit("requests", 10, 3600), "one")
    assert durability() == before
    with pytest.raises(UnicodeEncodeError):
        count(Limit("requests", 10, 3600), "\ud800")
    assert durability() == before


def test_counting_holds_over_many_at_once() -> None:
    limit, barrier = Limit("requests", 10, 3600), Barrier(8)
    used: list[int] = []

    def work() -> None:
        barrier.wait()
        try:
            used.extend(count(limit, "one").used for _number in range(5))
        finally:
            connections.close_all()

    with time_machine.travel(NOON, tick=True):
        threads = [Thread(target=work) for _number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(used) == list(range(1, 41))
        assert standing(limit, "one").used == 40
        assert standing(limit, "two").used == 0


def test_a_stretch_begins_anew_and_what_is_taken_back_is_not_counted() -> None:
    limit = Limit("requests", 2, 60)
    with time_machine.travel(NOON, tick=False) as clock:
        assert [count(limit, "one").within for _number in range(3)] == [True, True, False]
        take_back(limit, "one")
        assert standing(limit, "one").used == 2
        clock.shift(60)
        assert standing(limit, "one").used == 0
        take_back(limit, "one")
        assert count(limit, "one").used == 1
    assert Count.objects.count() == 1


def test_whoever_is_no_client_is_not_counted_by_the_day() -> None:
    study = open_study()
    person = consenting(study)
    admit(person.actor, person.subject.id, study.purpose.id)
    assert not Count.objects.exists()


@pytest.fixture
def redis(settings: Any) -> str:
    """A Redis, as `CACHE_URL` names it."""
    if not redis_answers():
        absent(f"a Redis at {REDIS}; only who names one as the cache needs it")
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": REDIS}}
    settings.CACHE_URL = REDIS
    return REDIS


def test_counting_in_redis_is_the_same(redis: str) -> None:
    limit, who, used = Limit("requests", 2, 3600), uuid4().hex, []

    def work() -> None:
        used.extend(count(limit, who).used for _number in range(5))

    threads = [Thread(target=work) for _number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(used) == list(range(1, 21))
    take_back(limit, who)
    assert standing(limit, who).used == 19
    assert not Count.objects.exists()
