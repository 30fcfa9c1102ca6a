"""Yesterday's backup on a clean machine: what ended since stays closed, the rest opens, the log goes on."""

from __future__ import annotations

import io
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.clients import revoke_client
from accounts.models import ApiClient, Role, User
from accounts.operators import deactivate_operator, reactivate_operator
from audit_log.actions import Action, ReasonCode
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.verification import verify_database
from consent.erasure import record_final
from consent.holds import place_hold
from consent.invitations import create_invitation
from consent.last_entries import end_tags, record_receipt_taken
from consent.models import (
    ConsentState,
    ConsentStatus,
    Contact,
    DataSubject,
    ErasureRequest,
    HoldReason,
)
from consent.webhooks import create_webhook, rotate_secret
from emotion import lost_keystore, restoring
from emotion.analyses import run_analysis
from emotion.backups import Made, make_backup
from emotion.cohort import ask, left_of
from emotion.cohort_counting import run_cohort
from emotion.disputed_after_restore import dispute_again
from emotion.disputes import dispute, handle, retract
from emotion.erasure import drain
from emotion.models import Analysis, CohortAnswer, CohortQuestion, Dispute, Recording, Result
from emotion.periods import Periods, shorten_periods
from emotion.sealed_media import blob_path
from emotion.snapshots import put_back, take_snapshot
from emotion.sweeping import expire_recordings
from emotion.upgrades import restoring_mark, upgrade_needed
from tests.accounts.test_passkeys import Device, add, alone
from tests.cast import (
    PHOTO,
    Person,
    Study,
    api_get,
    come_in,
    consenting,
    open_study,
    operator,
    text_of,
    upload,
)
from vault.epochs import rotate
from vault.errors import KeyDestroyed, RootKeyMissing
from vault.keys import wrap_aad
from vault.models import DataKey
from vault.providers import configured
from vault.setup import is_empty
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


@dataclass
class Yesterday:
    """An installation with ten people, its backup, and what an attacker copied of the keystore."""

    study: Study
    people: list[Person]
    key: str
    identity: Path
    folder: Path
    made: Made
    wraps: list[tuple[Any, Any, bytes, bytes]]

    def analysis(self, person: Person) -> Analysis:
        return Analysis.objects.get(recording__subject=person.subject)

    def read(self, analysis: Analysis) -> int:
        answer = api_get(self.key, "api_result", analysis.pk, Access_Reason="quality-check")
        return int(answer.status_code)

    def restore(self, *more: str) -> str:
        out = io.StringIO()
        words = [str(self.made.data), "--identity", str(self.identity)]
        call_command("restore", *words, "--log", str(self.folder / "log"), *more, stdout=out)
        return out.getvalue()


def say_no(person: Person, study: Study) -> None:
    """The person reads the notice and answers no."""
    address = reverse("consent_notice", args=[study.purpose.id])
    found = re.search(r'name="notice" value="([0-9a-f-]{36})"', person.browser.get(address).text)
    assert found
    answer = person.browser.post(address, {"notice": found[1], "decision": "refuse"})
    assert answer.status_code == 302


def ten_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> Yesterday:
    identity = pyrage.x25519.Identity.generate()
    monkeypatch.setattr(settings, "BACKUP_RECIPIENT", str(identity.to_public()))
    file = tmp_path / "identity.txt"
    file.write_text(f"# created: yesterday\n{identity}\n")
    study = open_study(keep_media=True, media_retention_days=20)
    people = [consenting(study, f"P-{n:03}") for n in range(number)]
    key = study.key()
    for person in people:
        sent = upload(key, person.reference, study.purpose.id, PHOTO.read_bytes())
        assert sent.status_code == 202, sent.content
    for row in Analysis.objects.all():
        run_analysis(row.pk)
    come_in(study, "P-900")  # asked, and has not answered
    folder = tmp_path / "copies"
    wraps = [
        (row.id, row.epoch_id, bytes(row.wrapped or b""), wrap_aad(row, row.epoch_id))
        for row in DataKey.objects.filter(destroyed_at=None)
    ]
    assert all(len(configured().unwrap(*wrap[1:])) == 32 for wrap in wraps), "they open today"
    return Yesterday(study, people, key, file, folder, make_backup(folder), wraps)


def test_three_who_withdrew_stay_closed_and_seven_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 10)
    leaving, staying = then.people[:3], then.people[3:]
    purpose = then.study.purpose.id
    assert {then.read(then.analysis(person)) for person in then.people} == {200}

    for person in leaving:
        page = person.browser.post(reverse("consent_withdraw", args=[purpose]))
        assert page.status_code == 302
    drain()
    rotate()
    integrate_once()
    make_backup(then.folder)  # the log goes on being exported; the data are put back from yesterday
    size = LogEntry.objects.count()
    dead = set(DataKey.objects.filter(wrapped=None).values_list("id", flat=True))
    assert len(dead) >= 3 * 4

    clean_machine()
    said = then.restore()
    assert "ended again: 3 consents, 0 accounts" in said
    assert "recordings without living keys: 3, removed" in said

    # What the installation does.
    for person in leaving:
        subject = DataSubject.objects.get(pk=person.subject.pk)
        assert ConsentState.objects.get(subject=subject).status == ConsentStatus.WITHDRAWN
        assert Recording.objects.get(subject=subject).erased_at is not None
        assert then.read(then.analysis(person)) in {403, 404, 410}
        refused = upload(then.key, person.reference, purpose, PHOTO.read_bytes())
        assert refused.status_code == 403, refused.content
        assert person.browser.get(reverse("subject_home")).status_code == 302, (
            "no old session lives"
        )
    assert {then.read(then.analysis(person)) for person in staying} == {200}
    sent = upload(then.key, staying[0].reference, purpose, PHOTO.read_bytes())
    assert sent.status_code == 202
    assert Result.objects.count() == 7 * 3

    # What an attacker can do who has everything: yesterday's wraps, all root keys, the living keystore.
    source = configured()
    then_alive = {key_id for key_id, *_ in then.wraps}
    as_they_came = {row.only_key for row in ErasureRequest.objects.exclude(only_key=None)}
    assert dead - then_alive <= as_they_came, "what else died had died in the backup"
    assert len(dead & then_alive) >= 3 * 4
    for _id, epoch, wrapped, aad in then.wraps:
        with pytest.raises(RootKeyMissing):
            source.unwrap(epoch, wrapped, aad)
    assert not DataKey.objects.filter(id__in=dead).exclude(wrapped=None).exists()

    # What the log says.
    integrate_once()
    verdict = verify_database()
    assert verdict.problem == ""
    assert verdict.entries > size
    assert LogEntry.objects.filter(action=Action.BACKUP_RESTORE).count() == 1
    ended = LogEntry.objects.filter(action=Action.CONSENT_WITHDRAW, actor="system:keeper")
    assert ended.count() == 3
    assert upgrade_needed() == ""


def test_what_has_ended_for_good_since_is_closed_and_the_keeper_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 3)
    withdrawn, closed, stays = then.people
    withdrawn.browser.post(reverse("consent_withdraw", args=[then.study.purpose.id]))
    assert closed.browser.post(reverse("close_account")).status_code in {200, 302}
    drain()
    rotate()
    record_final()
    for request in ErasureRequest.objects.all():
        record_receipt_taken(request)
    assert end_tags() > 0
    with pytest.raises(KeyDestroyed):
        tagger(withdrawn.subject.id, then.study.purpose.id)
    with pytest.raises(KeyDestroyed):
        tagger(closed.subject.id, None)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    said = then.restore()
    assert "ended again: 2 consents, 1 accounts" in said
    assert "recordings without living keys: 2, removed" in said
    for person in (withdrawn, closed):
        state = ConsentState.objects.get(subject=person.subject)
        assert (state.status, state.tags_ended_at is None) == (ConsentStatus.EXPIRED, False)
    assert DataSubject.objects.get(pk=closed.subject.pk).closed_at is not None
    assert not Contact.objects.filter(subject=closed.subject).exists()
    for chore in (drain, record_final, end_tags):
        chore()
    assert then.read(then.analysis(stays)) == 200


def test_killed_after_the_last_entry_it_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 1)
    clean_machine()

    def killed() -> int:
        integrate_once()
        raise OSError("killed")

    with monkeypatch.context() as patch, pytest.raises(CommandError, match="killed"):
        patch.setattr(restoring, "integrate_once", killed)
        then.restore()
    assert upgrade_needed() == "", "nothing was left to do"
    assert then.read(then.analysis(then.people[0])) == 200


def resume(then: Yesterday, person: Person) -> None:
    """A way in that was made after the restore, and then the study goes on."""
    person.browser = in_by_link(then, person)
    address = reverse("consent_change", args=[then.study.purpose.id])
    assert person.browser.post(address, {"step": "resume"}).status_code == 302


def in_by_link(then: Yesterday, person: Person) -> Client:
    browser, study = Client(), then.study
    token = create_invitation(
        study.administrator.actor, person.subject, study.purpose, show_to_operator=True
    )
    browser.post(reverse("invitation", args=[token]))
    return browser


def test_a_recording_that_was_disputed_since_is_disputed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    """Not only until its person lets the study go on, and with all that a dispute stops."""
    then = ten_people(tmp_path, monkeypatch, 4)
    open_, taken_back, answered, untouched = then.people
    rows = {person.reference: then.analysis(person).recording_id for person in then.people}
    dispute(taken_back.actor, rows[taken_back.reference])
    integrate_once()
    then.made = make_backup(then.folder)
    retract(taken_back.actor, rows[taken_back.reference])
    filed = dispute(open_.actor, rows[open_.reference])
    administrator = then.study.administrator
    handle(administrator.actor, dispute(answered.actor, rows[answered.reference]).id)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    said = then.restore()
    assert "disputes that go on: of 3 recordings" in said
    assert "says otherwise: 2 consents" in said
    for person in (open_, answered):
        resume(then, person)
    (again,) = Dispute.objects.open()
    assert again.recording_id == rows[open_.reference]
    assert abs(again.opened_at - filed.opened_at) < timedelta(seconds=1), "the 14 days go on"
    assert Recording.objects.get(pk=rows[open_.reference]).disputed_at is not None
    assert then.read(then.analysis(open_)) == 403
    bytes_ = PHOTO.read_bytes()
    purpose = then.study.purpose.id
    sent = upload(then.key, open_.reference, purpose, bytes_)
    assert (sent.status_code, sent.json()["code"]) == (403, "uploads-disputed")
    (ended,) = Dispute.objects.filter(recording_id=rows[answered.reference])
    assert ended.handled_by_id == administrator.user.id
    assert then.read(then.analysis(answered)) in {403, 404, 410}
    assert Recording.objects.get(pk=rows[taken_back.reference]).disputed_at is None
    assert {then.read(then.analysis(person)) for person in (taken_back, untouched)} == {200}
    assert "a backup was restored" in text_of(open_.browser.get(reverse("access_history")))
    integrate_once()
    assert verify_database().problem == ""


def test_disputes_are_followed_once_however_often_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 1)
    (person,) = then.people
    row = then.analysis(person).recording_id
    for _time in range(2):
        dispute(person.actor, row)
        retract(person.actor, row)
    dispute(person.actor, row)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    then.restore()
    ends = Dispute.objects.order_by("opened_at").values_list("opened_at", "retracted_at")
    before = list(ends)
    assert [bool(end) for _start, end in before] == [True, True, False]
    integrate_once()
    assert dispute_again(LogEntry.objects.all()) == 0
    assert list(ends.all()) == before


def test_what_was_changed_is_paused_and_what_was_closed_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 3)
    narrowed, closed, _ = then.people
    (asked,) = ConsentState.objects.filter(status=ConsentStatus.REQUESTED)
    token = create_invitation(
        then.study.administrator.actor, asked.subject, then.study.purpose, show_to_operator=True
    )
    unsure = Person(asked.subject, Client(), "P-900")
    unsure.browser.post(reverse("invitation", args=[token]))
    say_no(unsure, then.study)
    purpose = then.study.purpose
    answer = narrowed.browser.post(
        reverse("consent_change", args=[purpose.id]), {"step": "stop:blendshapes"}
    )
    assert answer.status_code == 302
    assert closed.browser.post(reverse("close_account")).status_code in {200, 302}
    drain()
    administrator = then.study.administrator.actor
    revoke_client(administrator, ApiClient.objects.get().id)
    deactivate_operator(administrator, then.study.researcher.user.id)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    said = then.restore()
    assert "ended again: " in said
    assert "1 accounts" in said
    assert "paused until the person says otherwise: 1 consents" in said
    assert "2 operators, 1 API clients" in said
    assert then.read(then.analysis(narrowed)) == 401
    assert set(User.objects.filter(is_active=True).values_list("role", flat=True)) == {
        Role.ADMINISTRATOR,
        Role.SUBJECT,
    }
    then.key = then.study.key()
    subject = DataSubject.objects.get(pk=closed.subject.pk)
    assert subject.closed_at is not None
    assert subject.user is None
    state = ConsentState.objects.get(subject=narrowed.subject)
    asked.refresh_from_db()
    assert asked.status == ConsentStatus.REFUSED, "nobody can be answered for who said no"
    assert (state.status, state.restricted_at is not None) == (ConsentStatus.GIVEN, True)
    assert then.read(then.analysis(narrowed)) == 403
    left = set(
        Result.objects.filter(analysis__recording__subject=narrowed.subject).values_list(
            "category", flat=True
        )
    )
    assert "blendshapes" not in left
    assert "expression" in left


def test_doors_that_were_shut_since_are_shut_and_what_is_lost_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 1)
    administrator, officer = then.study.administrator.actor, then.study.officer
    other = open_study(name="Another study")
    other.key()
    hooks = []
    for client in ApiClient.objects.order_by("id"):
        address = f"https://{client.purpose_id}.example.org/"
        hooks.append(create_webhook(administrator, client, address)[0])
    changed, untouched = hooks
    then.made = make_backup(then.folder)

    rotate_secret(administrator, changed)
    fresh = secrets.token_urlsafe(15)
    words = {"oldpassword": officer.password, "password1": fresh, "password2": fresh}
    page = officer.sign_in().post(reverse("account_change_password"), words)
    assert page.status_code == 302, page.content
    place_hold(
        officer.actor,
        officer.user,
        other.purpose,
        reason=HoldReason.LEGAL_CLAIM,
        ends_at=timezone.now() + timedelta(days=5),
    )
    shorten_periods(administrator, other.purpose.id, Periods(5, 10), expected=0)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    said = then.restore()
    assert "to be made anew by an administrator: 1 webhooks" in said
    assert "4 operators, 0 API clients" in said
    assert "placed or shortened since: 1 legal holds, 1 periods" in said
    changed.refresh_from_db()
    untouched.refresh_from_db()
    assert (bool(changed.disabled_at), changed.secret_sealed) == (True, "")
    assert (untouched.disabled_at, bool(untouched.secret_sealed)) == (None, True)
    assert User.objects.filter(is_active=True, role=Role.ADMINISTRATOR).exists()
    assert not User.objects.filter(is_active=True, role__in=[Role.DPO, Role.RESEARCHER]).exists()


def test_an_administrator_who_was_deactivated_since_is_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    gone, back = operator(Role.ADMINISTRATOR).user, operator(Role.ADMINISTRATOR).user
    then = ten_people(tmp_path, monkeypatch, 1)
    stays = then.study.administrator
    for user in (gone, back):
        deactivate_operator(stays.actor, user.id)
    reactivate_operator(stays.actor, back.id)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    assert "3 operators, 0 API clients" in then.restore(), "and the researcher and the officer"
    active = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True)
    assert set(active.values_list("id", flat=True)) == {stays.user.id, back.id}


def test_what_was_told_of_a_group_stays_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 1)
    purpose, researcher = then.study.purpose, then.study.researcher.actor
    reason = ReasonCode.STUDY_ANALYSIS
    run_cohort(ask(researcher, purpose.id, CohortQuestion.EXPRESSION, reason).id)
    then.made = make_backup(then.folder)
    run_cohort(ask(researcher, purpose.id, CohortQuestion.VALENCE, reason).id)
    integrate_once()
    make_backup(then.folder)
    assert left_of(purpose.id).answers == 8
    clean_machine()
    then.restore()
    assert CohortAnswer.objects.count() == 1, "the newer answer is lost"
    assert left_of(purpose.id).answers == 8
    run_cohort(ask(researcher, purpose.id, CohortQuestion.VALENCE, reason).id)
    assert left_of(purpose.id).answers == 7


def test_a_passkey_that_its_person_removed_opens_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 2)
    robbed, adding = then.people
    stolen, mine = Device(), Device(number=b"the other device")
    assert (add(robbed.browser, stolen).status_code, add(adding.browser, mine).status_code) == (
        302,
        302,
    )
    then.made = make_backup(then.folder)
    user, other = robbed.subject.user, adding.subject.user
    assert user is not None
    assert other is not None
    key = Authenticator.objects.get(user=user).pk
    page = robbed.browser.post(reverse("mfa_remove_webauthn", args=[key]))
    assert page.status_code == 302
    add(adding.browser, Device(number=b"the third device"))
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    said = then.restore()
    assert "passkeys removed: of 1 people" in said
    assert "0 operators, 0 API clients" in said, "a person's own passkey shuts out no operator"
    assert alone(Client(), stolen, user).headers["Location"] == reverse("account_login")
    assert alone(Client(), mine, other).headers["Location"] == reverse("home")
    robbed.browser = in_by_link(then, robbed)
    told = text_of(robbed.browser.get(reverse("access_history")))
    assert "A passkey of yours was added or removed the system" in told
    assert "a backup was restored" in told
    assert add(robbed.browser, Device(number=b"the fourth one..")).status_code == 302


def test_what_must_not_be_put_back_is_refused_and_nothing_is_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 1)
    with pytest.raises(CommandError, match="main database is not empty"):
        then.restore()
    with pytest.raises(CommandError, match="living one is never replaced"):
        then.restore("--keystore", str(then.made.keystore))
    then.people[0].browser.post(reverse("consent_withdraw", args=[then.study.purpose.id]))
    integrate_once()  # signed, and not exported
    clean_machine()
    with pytest.raises(
        CommandError, match=r"a later export is needed, else the log would be forked"
    ):
        then.restore()
    other = tmp_path / "other.txt"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    words = [str(then.made.data), "--log", str(then.folder / "log"), "--identity"]
    with pytest.raises(CommandError, match="expected an identity file of age"):
        call_command("restore", *words, str(then.made.data))
    (settings.KEYS_DIR / "log" / "highest_checkpoint").unlink()
    with pytest.raises(CommandError, match="does not open with this identity"):
        call_command("restore", *words, str(other))
    with pytest.raises(CommandError, match="expected a backup with database default"):
        call_command("restore", str(then.made.keystore), *words[1:], str(then.identity))
    with pytest.raises(CommandError, match="holds no exported log"):
        call_command("restore", words[0], "--log", str(tmp_path), "--identity", str(then.identity))
    assert is_empty("default")
    assert not restoring_mark().exists()


def test_killed_before_the_endings_nothing_starts_and_the_next_call_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 2)
    gone, stays = then.people
    gone.browser.post(reverse("consent_withdraw", args=[then.study.purpose.id]))
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    for step in ("replay", "reapply", "remove_dead", "append_durable"):
        with monkeypatch.context() as patch:

            def killed(*given: Any, **named: Any) -> Any:
                raise OSError("killed")

            patch.setattr(restoring, step, killed)
            with pytest.raises(CommandError, match="killed"):
                then.restore()
        assert restoring_mark().exists()
        assert "not finished" in upgrade_needed()
        with pytest.raises(CommandError, match="not finished"):
            call_command("setup")
    then.restore()
    assert ConsentState.objects.get(subject=gone.subject).status == ConsentStatus.WITHDRAWN
    assert then.read(then.analysis(gone)) in {403, 404, 410}
    assert then.read(then.analysis(stays)) == 200
    assert verify_database().problem == ""
    assert Client().get(reverse("front")).status_code == 200


def test_one_unit_that_was_erased_stays_closed_and_its_neighbours_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 3)
    photograph, whole, untouched = (then.analysis(person).recording for person in then.people)
    past = timezone.now() - timedelta(minutes=1)
    Recording.objects.filter(pk=photograph.pk).update(media_retain_until=past)
    Recording.objects.filter(pk=whole.pk).update(retain_until=past, media_retain_until=past)
    expire_recordings()
    drain()
    rotate()
    integrate_once()
    make_backup(then.folder)
    ended = DataKey.objects.filter(wrapped=None).exclude(
        id__in=list(
            ErasureRequest.objects.exclude(only_key=None).values_list("only_key", flat=True)
        )
    )
    dead = set(ended.values_list("recording_id", "category"))
    assert (photograph.pk, "media") in dead
    assert not any(unit[0] in {untouched.pk} for unit in dead)
    assert {unit[1] for unit in dead if unit[0] == photograph.pk} == {"media"}
    assert {unit[1] for unit in dead if unit[0] == whole.pk} > {"media"}

    clean_machine()
    assert "recordings without living keys: 2, removed" in then.restore()
    assert then.read(then.analysis(then.people[0])) == 200, "its result has another key"
    assert then.read(then.analysis(then.people[1])) in {403, 404, 410}
    assert then.read(then.analysis(then.people[2])) == 200
    stored = dict(Recording.objects.values_list("id", "media_state"))
    assert (stored[photograph.pk], stored[untouched.pk]) == ("erased", "stored")
    assert blob_path(untouched.media_key_id).exists()
    assert not blob_path(photograph.media_key_id).exists()
    for person, status in zip(then.people, (410, 410, 200), strict=True):
        address = reverse("own_photograph", args=[then.analysis(person).recording_id])
        assert in_by_link(then, person).get(address).status_code == status


def test_a_recording_that_had_nothing_to_lose_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 1)
    (person,) = then.people
    sent = upload(then.key, person.reference, then.study.purpose.id, PHOTO.read_bytes())
    failed = Analysis.objects.get(pk=sent.json()["analyses"][0]["id"])
    sealed = blob_path(failed.recording.media_key_id)
    sealed.write_bytes(sealed.read_bytes()[:-1] + b"?")
    for _attempt in range(3):
        Analysis.objects.update(not_before=timezone.now() - timedelta(seconds=1))
        run_analysis(failed.pk)
    drain()
    failed.refresh_from_db()
    before = (failed.state, failed.reason, failed.media_code, failed.finished_at)
    assert before[0] == "failed"
    assert failed.recording.media_state == "erased", "of it there is nothing any more"
    then.made = make_backup(then.folder)

    clean_machine()
    assert "recordings without living keys: 0, removed" in then.restore()
    failed.refresh_from_db()
    assert (failed.state, failed.reason, failed.media_code, failed.finished_at) == before
    assert Recording.objects.get(pk=failed.recording_id).erased_at is None


def put_back_keystore(then: Yesterday) -> str:
    out = io.StringIO()
    words = ["--keystore", str(then.made.keystore), "--identity", str(then.identity)]
    call_command("restore", *words, stdout=out)
    return out.getvalue()


def living() -> set[Any]:
    return set(DataKey.objects.exclude(wrapped=None).values_list("id", flat=True))


def test_a_lost_keystore_alone_revives_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 2)
    gone, stays = then.people
    with pytest.raises(CommandError, match="living one is never replaced"):
        put_back_keystore(then)
    gone.browser.post(reverse("consent_withdraw", args=[then.study.purpose.id]))
    drain()
    before = living()
    integrate_once()
    make_backup(then.folder)  # the newest two keystores are kept
    since = upload(then.key, stays.reference, then.study.purpose.id, PHOTO.read_bytes())
    assert since.status_code == 202
    clean_machine("keystore")
    with pytest.raises(CommandError, match="main database is not empty"):
        then.restore("--keystore", str(then.made.keystore))
    assert is_empty("keystore")
    assert not restoring_mark().exists()

    with monkeypatch.context() as patch, pytest.raises(CommandError, match="killed"):

        def killed() -> int:
            raise OSError("killed")

        patch.setattr(lost_keystore, "destroy_again", killed)
        put_back_keystore(then)
    assert len(living() - before) >= 4, "the backup has them"
    assert "not finished" in upgrade_needed()
    said = put_back_keystore(then)
    assert living() <= before
    assert f"destroyed again: {len(then_alive(then) - before)} keys" in said
    assert "recordings without living keys: 1, removed" in said, "the one that came since"
    assert upgrade_needed() == ""
    assert then.read(Analysis.objects.get(recording__subject=gone.subject)) in {403, 404, 410}
    kept = Analysis.objects.filter(recording__subject=stays.subject).earliest("pk")
    assert then.read(kept) == 200
    rotate()
    record_final()
    whole = ErasureRequest.objects.whole().get(subject=gone.subject)
    assert whole.final_at is not None
    integrate_once()
    assert verify_database().problem == ""


def then_alive(then: Yesterday) -> set[Any]:
    """The data keys that lived when the backup was made."""
    return {key_id for key_id, *_ in then.wraps}


def test_the_set_up_destroys_again_what_an_older_keystore_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    """Whoever put it back, and the keys of tags too; a data key only the log names as well."""
    then = ten_people(tmp_path, monkeypatch, 1)
    (gone,) = then.people
    copied = tmp_path / "keystore"
    take_snapshot("keystore", copied)
    assert gone.browser.post(reverse("close_account")).status_code in {200, 302}
    drain()
    before = living()
    ErasureRequest.objects.update(key_ids=[])
    integrate_once()
    DataSubject.objects.filter(pk=gone.subject.pk).update(tags_destroyed_at=timezone.now())
    clean_machine("keystore")
    put_back("keystore", copied)
    assert len(living() - before) >= 4
    assert tagger(gone.subject.id, None)
    out = io.StringIO()
    call_command("setup", stdout=out)
    assert living() <= before
    assert "keys lived again" in out.getvalue()
    with pytest.raises(KeyDestroyed):
        tagger(gone.subject.id, None)


def test_of_two_lost_databases_the_older_keystore_revives_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_machine: Any
) -> None:
    then = ten_people(tmp_path, monkeypatch, 2)
    older = then.made.keystore
    then.people[0].browser.post(reverse("consent_withdraw", args=[then.study.purpose.id]))
    drain()
    before = living()
    integrate_once()
    then.made = make_backup(then.folder)
    clean_machine("default", "keystore")
    then.restore("--keystore", str(older))
    assert living() <= before
    assert then.read(then.analysis(then.people[1])) == 200
