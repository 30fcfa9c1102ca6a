"""One test for each invariant of the design, by its number. Each fails when the invariant is broken."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_WORKER, actor_for_client
from accounts.models import ApiClient, Scope
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.errors import AuditLogError
from audit_log.log import append, append_durable
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from consent.enforcement import asker_of, require_consent
from consent.errors import ConsentRefused, NotTheSubject, ProhibitedPurpose
from consent.giving import give_consent
from consent.models import ConsentEvent, Purpose, Sector, Use
from consent.purposes import create_purpose
from consent.rules import Operation
from consent.withdrawals import withdraw
from emotion.analyses import read_face, run_analysis
from emotion.claims import Superseded, claim
from emotion.erasure import drain
from emotion.models import Analysis, AnalysisState, Recording, Result
from emotion.queue import enqueue_analysis
from emotion.results import read_permit, read_result
from emotion.saving import save_results, sealed_part
from emotion.sweeping import requeue_stale
from tests.broker import wipe
from tests.cast import (
    CONTROLLER,
    PHOTO,
    PURPOSE,
    Study,
    api_get,
    consent,
    consenting,
    open_study,
    upload,
)
from tests.processes import wait_for
from vault.errors import VaultError
from vault.keyring import data_key_ids
from vault.parts import unseal_parts
from vault.store import unseal
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


def uploaded(study: Study, reference: str = "P-001") -> Analysis:
    """An accepted upload whose analysis waits."""
    answer = upload(study.key(), reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    return Analysis.objects.select_related("recording").get(pk=answer.json()["analyses"][0]["id"])


def analysed(study: Study) -> Analysis:
    """An upload whose analysis has run, in this process, on the real models."""
    row = uploaded(study)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE, row.reason
    return row


def test_invariant_01_no_live_consent_no_processing_no_retention_no_keeping() -> None:
    study = open_study()
    person = consenting(study)
    row = uploaded(study)
    # the date alone refuses: nothing else was told that the retention is over
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=True):
        run_analysis(row.id)
    row.refresh_from_db()
    assert (row.state, row.reason) == (AnalysisState.REFUSED, "retention-passed")
    assert not Result.objects.exists()

    Purpose.objects.filter(pk=study.purpose.id).update(result_retention_days=None)
    refused = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (refused.status_code, refused.json()["code"]) == (403, "retention-not-set")
    Purpose.objects.filter(pk=study.purpose.id).update(result_retention_days=30)

    row = uploaded(study)
    withdraw(person.actor, person.subject, study.purpose)
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state != AnalysisState.DONE
    assert not Result.objects.exists()


def test_invariant_02_log_before_release() -> None:
    study = open_study()
    consenting(study)
    row = analysed(study)
    researcher = study.researcher.actor
    recording, result = row.recording, row.results.get(category="expression")
    part = sealed_part(recording, result)

    permit, receipt = read_permit(
        researcher, recording, Operation.READ_RESULT, Action.RESULT_READ, None
    )
    other, _unused = read_permit(
        researcher, recording, Operation.READ_RESULT, Action.RESULT_READ, None
    )
    with pytest.raises(VaultError):  # an entry of another permit
        unseal(other, receipt, part.data_key_id, part.unit, part.row, part.sealed)
    with pytest.raises(VaultError):  # no entry at all
        unseal(permit, None, part.data_key_id, part.unit, part.row, part.sealed)  # type: ignore[arg-type]
    assert b"probabilities" in unseal_parts(permit, receipt, [part])[0].reveal()
    with pytest.raises((VaultError, AuditLogError)):  # an entry that was used already
        unseal_parts(permit, receipt, [part])

    key = study.key()
    with connection.cursor() as cursor:  # the log is away: nothing opens
        cursor.execute(f"ALTER TABLE {PendingEntry._meta.db_table} RENAME TO away")
    answer = api_get(key, "api_result", row.id, Access_Reason="quality-check")
    assert answer.status_code == 503
    assert b"probabilities" not in answer.content


def test_invariant_03_no_action_without_entry_no_entry_without_action() -> None:
    study = open_study()
    person = consenting(study)
    before = LogEntry.objects.count() + PendingEntry.objects.count()
    draft = Draft(action=Action.CONSENT_WITHDRAW, actor="system:worker")
    with pytest.raises(RuntimeError, match="rolled back"), transaction.atomic():
        append(draft)
        raise RuntimeError("rolled back")
    assert LogEntry.objects.count() + PendingEntry.objects.count() == before
    with pytest.raises(AuditLogError), transaction.atomic():
        append_durable(draft)
    with pytest.raises(AuditLogError):
        append(draft)
    refusals = upload(study.key(), "P-001", uuid4(), PHOTO.read_bytes())
    assert refusals.status_code == 404
    withdraw(person.actor, person.subject, study.purpose)
    upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    integrate_once()
    refused = LogEntry.objects.get(action=Action.MEDIA_UPLOAD, outcome="refused")
    assert refused.reason == "consent-withdrawn"
    assert settings.DATABASES["default"]["ATOMIC_REQUESTS"] is False


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        (table, statement)
        for table in ("consent_consentevent", "consent_notice", LogEntry._meta.db_table)
        for statement in ("UPDATE {0} SET id = id", "DELETE FROM {0}")
    ],
)
def test_invariant_04_history_only_grows(table: str, statement: str) -> None:
    study = open_study()
    consenting(study)
    integrate_once()
    if table == LogEntry._meta.db_table:
        statement = statement.replace("id = id", '"index" = "index"')
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        rows = cursor.fetchone()[0]
        assert rows
        with pytest.raises(DatabaseError):
            cursor.execute(statement.format(table))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0] == rows


def test_invariant_05_no_personal_data_in_the_log() -> None:
    study = open_study()
    person = consenting(study, "Visible-Reference-77")
    row = analysed_of(study, "Visible-Reference-77")
    person.browser.get(reverse("own_result", args=[row.id]))
    integrate_once()
    bodies = b"\n".join(bytes(entry.body) for entry in LogEntry.objects.all())
    assert b"media:analyse" in bodies
    named = [person.subject.id, person.subject.user_id, row.id, row.recording_id]
    for secret in ["Visible-Reference-77", *map(str, named), *(one.hex for one in named)]:
        assert secret.encode() not in bodies
    tag = tagger(person.subject.id, study.purpose.id).subject()
    assert LogEntry.objects.filter(subject_tag=tag).count() >= 6
    other = open_study()
    assert tagger(person.subject.id, other.purpose.id).subject() != tag


def analysed_of(study: Study, reference: str) -> Analysis:
    row = uploaded(study, reference)
    run_analysis(row.id)
    row.refresh_from_db()
    return row


def test_invariant_06_consent_is_the_subjects_act() -> None:
    study = open_study()
    person = consenting(study)
    notice = study.purpose.notices.get()
    client = ApiClient.objects.first() or ApiClient.objects.get(pk=make_client(study))
    others = [study.administrator.actor, study.researcher.actor, study.officer.actor]
    for actor in [*others, actor_for_client(client), SYSTEM_WORKER]:
        with pytest.raises(NotTheSubject):
            give_consent(actor, person.subject, notice, ["media"])
        with pytest.raises(NotTheSubject):
            withdraw(actor, person.subject, study.purpose)
    assert not any("give" in scope for scope in Scope.values)
    browser = study.administrator.sign_in()
    page = browser.post(
        reverse("consent_notice", args=[study.purpose.id]),
        {"decision": "give", "categories": ["media"], "notice": str(notice.id)},
    )
    assert page.status_code == 404
    assert ConsentEvent.objects.filter(kind="given").count() == 1


def make_client(study: Study) -> object:
    study.key()
    return ApiClient.objects.values_list("id", flat=True).first()


def test_invariant_07_a_data_key_per_erasure_unit() -> None:
    study = open_study(keep_media=True)
    person = consenting(study)
    row = analysed(study)
    keys = [row.recording.media_key_id, *row.results.values_list("data_key_id", flat=True)]
    assert len(set(keys)) == 4
    recording = row.recording
    permit, receipt = read_permit(
        person.actor, recording, Operation.READ_RESULT, Action.RESULT_READ, None
    )
    one, two = (
        sealed_part(recording, row.results.get(category=name))
        for name in ("expression", "blendshapes")
    )
    with pytest.raises(VaultError):  # the ciphertext of one row under the name of another
        unseal(permit, receipt, two.data_key_id, two.unit, two.row, one.sealed)
    withdraw(person.actor, person.subject, study.purpose)
    drain()
    consent(person, study.purpose)
    again = uploaded(study)
    assert again.recording.media_key_id not in keys
    with pytest.raises(ConsentRefused):
        permit.recheck()


def test_invariant_08_erasure_survives_a_restored_backup(tmp_path: Path) -> None:
    study = open_study()
    person = consenting(study)
    row = analysed(study)
    recording, result = row.recording, row.results.get(category="expression")
    backup = sealed_part(recording, result)  # what a backup of the main database holds
    withdraw(person.actor, person.subject, study.purpose)
    living = data_key_ids(subject_id=person.subject.id, purpose_id=study.purpose.id)
    assert not living, "the keys die with the withdrawal, before anything is drained"
    drain()
    consent(person, study.purpose)  # even under a new consent the old key is not made again
    permit = require_consent(
        subject_id=person.subject.id,
        purpose_id=study.purpose.id,
        operation=Operation.READ_RESULT,
        asker=asker_of(study.researcher.actor),
        action=Action.RESULT_READ,
        object_kind="recording",
        object_id=recording.id,
    )
    receipt = append_durable(
        Draft(
            action=Action.RESULT_READ,
            actor=study.researcher.actor.log_name(),
            purpose_id=study.purpose.id,
            subject_tag=permit.subject_tag,
            object_tag=permit.object_tag,
            permit_id=permit.permit_id,
        )
    )
    with pytest.raises(VaultError) as refused:
        unseal_parts(permit, receipt, [backup])
    assert refused.value.code == "key-destroyed"


def test_invariant_09_refused_purposes_stay_refused() -> None:
    study = open_study()
    administrator = study.administrator
    values = {name: value for name, value in PURPOSE.items() if name not in {"sector", "uses"}}
    sectors = [Sector.WORKPLACE, Sector.RECRUITMENT, Sector.EDUCATION]
    sectors += [Sector.LAW_ENFORCEMENT, Sector.BORDER, Sector.PUBLIC_SPACE]
    uses = [Use.PROTECTED_TRAIT, Use.AUTOMATED_DECISION, Use.LIE_DETECTION, Use.IDENTIFICATION]
    refused = [(sector, [Use.STATISTICS]) for sector in sectors]
    refused += [(Sector.RESEARCH, [Use.STATISTICS, use]) for use in uses]
    for sector, named in refused:
        with pytest.raises(ProhibitedPurpose, match=r"Art|Annex"):
            create_purpose(
                administrator.actor,
                administrator.user,
                controllers=[CONTROLLER],
                sector=sector,
                uses=named,
                **values,
            )
    assert Purpose.objects.count() == 1
    integrate_once()
    assert LogEntry.objects.filter(action=Action.PURPOSE_REFUSE).count() == len(refused)


def test_invariant_10_least_by_default() -> None:
    study = open_study()
    assert study.purpose.keep_media is False
    person = consenting(study, categories=["media", "expression"])
    row = analysed(study)
    assert sorted(row.categories) == ["expression", "summary"], "only what was consented to"
    row.recording.refresh_from_db()
    assert row.recording.media_state == "erased"
    page = study.researcher.sign_in().get(reverse("operate_recordings")).content.decode()
    assert "P-001" not in page
    assert "happy" not in page
    opened = read_result(person.actor, row.id)
    assert "blendshapes" not in opened.parts


def test_invariant_11_the_row_is_the_truth_and_the_broker_a_hint(
    worker: subprocess.Popen[bytes],
) -> None:
    study = open_study()
    consenting(study)
    row = uploaded(study)
    wait_for(lambda: Analysis.objects.filter(pk=row.id, state="done").exists(), what="the worker")
    results = set(row.results.values_list("id", flat=True))
    # doing it twice changes nothing
    run_analysis(row.id)
    enqueue_analysis(row.id)
    assert set(row.results.values_list("id", flat=True)) == results
    # the message is lost: the row alone brings it back
    worker.kill()
    lost = uploaded(study)
    assert wipe()
    with time_machine.travel(timezone.now() + timedelta(seconds=40), tick=True):
        assert requeue_stale() == 1
    run_analysis(lost.id)
    lost.refresh_from_db()
    assert lost.state == AnalysisState.DONE


def test_invariant_11_a_lost_lease_discards_the_late_result() -> None:
    study = open_study()
    consenting(study)
    row = uploaded(study)
    slow = claim(row.id)
    assert slow is not None
    reading, chosen, picture = read_face(slow)
    Analysis.objects.filter(pk=row.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    quick = claim(row.id)
    assert quick is not None
    assert quick.attempt == 2
    with pytest.raises(Superseded):
        save_results(slow, reading, chosen, picture)
    assert not Result.objects.exists()
    save_results(quick, reading, chosen, picture)
    assert Result.objects.filter(analysis=row).count() == 3


def test_invariant_12_no_figure_leaves_for_a_group() -> None:
    """Differentially private statistics are not built yet; until then no address gives any."""
    study = open_study()
    consenting(study)
    analysed(study)
    key = study.key()
    schema = Client().get(reverse("api_schema"), {"format": "json"}).content.decode()
    paths = re.findall(r'"(/api/v1/[^"]*)"', schema)
    assert "/api/v1/recordings/" in paths
    # An export is the results of single people, each behind the gate; no figure is made of them.
    assert not [path for path in paths if re.search("statistic|cohort|aggregate", path)]
    assert api_get(key, "api_recording", Recording.objects.get().id).status_code == 200
