"""Each consent event, recording, analysis, erasure and epoch has its entry, and one without it is found."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone
from uuid_utils.compat import uuid7

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.log import append_durable
from audit_log.models import LogEntry
from audit_log.row_entries import sources, verify_rows
from audit_log.sequencer import integrate_once
from audit_log.verdicts import last_verdict
from consent.models import ConsentEvent, ErasureRequest, LegalHold
from emotion.disputes import dispute
from emotion.entries import about_recording, ending_analysis
from emotion.models import Analysis, AnalysisState, Recording
from tests.cast import PHOTO, consenting, open_study, upload
from tests.faults.roles import House, build
from vault import cache
from vault.models import Epoch
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


def event(house: House) -> str:
    last = ConsentEvent.objects.filter(subject=house.alice.subject).latest("sequence")
    last.pk, last.sequence, last.kind = uuid4(), last.sequence + 1, "narrowed"
    last._state.adding = True
    last.save()
    return f"consent event {last.pk}"


def analysis(house: House) -> str:
    now = timezone.now()
    made = Analysis.objects.create(
        recording_id=house.arguments["recording_id"],
        state=AnalysisState.FAILED,
        queued_at=now,
        not_before=now,
    )
    return f"analysis {made.pk}"


def erasure(house: House) -> str:
    row = ErasureRequest.objects.earliest("pk")
    ErasureRequest.objects.filter(pk=row.pk).update(entry_ids=[*row.entry_ids, str(uuid4())])
    return f"erasure {row.pk}"


def hold(house: House) -> str:
    LegalHold.objects.update(entry_ids=[str(uuid4())])
    return "legal hold"


def epoch(house: House) -> str:
    Epoch.objects.update(opened_entry=uuid4())
    return "epoch"


def test_in_a_house_where_everything_exists_every_row_has_its_entry() -> None:
    house = build()
    found = verify_rows()
    assert found.missing == ""
    kinds = {row.row.rsplit(" ", 1)[0] for source in sources for row in source()}
    assert {"consent event", "recording", "erasure", "legal hold"} <= kinds
    events = ConsentEvent.objects.count() + Analysis.objects.exclude(finished_at=None).count()
    assert found.rows >= events + Recording.objects.count() > 8
    integrate_once()
    out = io.StringIO()
    call_command("verify_log", stdout=out)
    assert f"{verify_rows().rows} rows with their entries" in out.getvalue()
    for harm in HARMS:
        row = harm(house)
        with pytest.raises(CommandError, match=f"NOT VERIFIED: {row}.* has no entry in the log"):
            call_command("verify_log", stdout=out)
        shown = last_verdict()
        assert shown is not None
        assert "has no entry in the log" in shown.problem, "the page of the log says so, too"
        undo(house)


HARMS: list[Callable[[House], str]] = [erasure, hold, epoch, analysis, event]


def undo(house: House) -> None:
    """Take back what can be, so that the next harm is seen by itself."""
    for row in ErasureRequest.objects.all():
        ErasureRequest.objects.filter(pk=row.pk).update(entry_ids=row.entry_ids[:1])
    LegalHold.objects.update(entry_ids=[])
    Epoch.objects.update(opened_entry=None)
    Analysis.objects.filter(state=AnalysisState.FAILED).delete()


def test_each_of_several_rows_has_an_entry_of_its_own(house: House) -> None:
    """Two analyses of a recording, one entry; and entries that say something else than the row."""
    recording = house.arguments["recording_id"]
    done = Analysis.objects.filter(recording_id=recording, state=AnalysisState.DONE).earliest("pk")
    assert verify_rows().missing == ""
    done.pk, done._state.adding = uuid7(), True
    done.save()
    assert verify_rows().missing == f"analysis {done.pk} (done)"
    tags = tagger(done.recording.subject_id, done.recording.purpose_id)
    saved = about_recording(done.recording, Action.RESULT_SAVE, "system:worker", tags)
    mine = ending_analysis(saved, done.pk, tags)
    append_durable(saved)  # a stretch of a film, say
    append_durable(replace(mine, outcome=Outcome.REFUSED, reason=ReasonCode.NO_CONSENT))
    append_durable(ending_analysis(saved, uuid7(), tags))
    for integrate in (lambda: 0, integrate_once):
        integrate()
        assert verify_rows().missing == f"analysis {done.pk} (done)"
    append_durable(mine)
    assert verify_rows().missing == ""
    row = ErasureRequest.objects.earliest("pk")
    ErasureRequest.objects.filter(pk=row.pk).update(
        entry_ids=[str(LogEntry.objects.filter(action=Action.RESULT_SAVE)[0].entry_id)]
    )
    assert verify_rows().missing == f"erasure {row.pk}"


@pytest.fixture
def house() -> House:
    return build()


def test_what_a_dispute_has_stopped_has_the_entry_of_the_dispute() -> None:
    study = open_study()
    person = consenting(study)
    answer = upload(study.key(), person.reference, study.purpose.id, PHOTO.read_bytes())
    dispute(person.actor, UUID(answer.json()["id"]))
    assert Analysis.objects.get().state == AnalysisState.REFUSED
    assert verify_rows().missing == ""


def test_without_the_keys_nobody_can_tell() -> None:
    build()
    integrate_once()
    (settings.KEYS_DIR / "epochs").rename(settings.KEYS_DIR / "elsewhere")
    cache.opened.clear()
    with pytest.raises(CommandError, match="the log is sound, but"):
        call_command("verify_log", stdout=io.StringIO())
