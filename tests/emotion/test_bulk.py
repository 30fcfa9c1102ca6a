"""One act on many recordings: first a look that changes nothing, then each row through its own act."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.actors import SYSTEM_KEEPER
from accounts.models import ApiClient, Role, Scope
from audit_log.models import LogEntry
from audit_log.row_entries import verify_rows
from audit_log.sequencer import integrate_once
from consent.errors import ConsentRefused
from consent.holds import place_hold
from consent.models import ErasureRequest, HoldReason, Telling, TellingKind
from consent.webhooks import create_webhook
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.bulk import MOST
from emotion.discarding import discard
from emotion.disputes import dispute
from emotion.erasure import drain
from emotion.errors import NotFound
from emotion.models import Analysis, AnalysisState, MediaState, Recording
from emotion.reanalysis import analyse_again
from emotion.results import read_result
from tests.cast import PHOTO, Study, analysed, consenting, open_study, operator, text_of, upload
from tests.faults.leftovers import living_keys

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "operate_recordings_act"


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def look(browser: Client, act: str, *rows: Analysis, **more: Any) -> Any:
    """The review page of an act on these rows."""
    form = {"act": act, "row": [str(row.id) for row in rows]} | more
    return browser.post(reverse(ADDRESS), form, follow=True)


def form_of(answer: Any) -> dict[str, list[str]]:
    """What the form of the review page would send."""
    page = BeautifulSoup(answer.content, "html.parser")
    found: dict[str, list[str]] = {}
    for field in page.select("main form.form input[type=hidden]"):
        found.setdefault(str(field["name"]), []).append(str(field["value"]))
    return found


def do(browser: Client, looked: Any, name: str = "") -> Any:
    """Send that form."""
    return browser.post(reverse(ADDRESS), form_of(looked) | ({"name": name} if name else {}))


def waiting(study: Study, reference: str) -> Analysis:
    answer = upload(study.key(), reference, study.purpose.id, PHOTO.read_bytes())
    return Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])


def entries(*actions: str) -> Counter[tuple[str, str, str, str]]:
    integrate_once()
    rows = LogEntry.objects.filter(action__in=actions)
    return Counter(
        (row.action, row.actor.split(":")[0], row.outcome, row.reason or "") for row in rows
    )


def failed(row: Analysis) -> Analysis:
    """As three crashes leave it."""
    Analysis.objects.filter(pk=row.pk).update(
        state=AnalysisState.FAILED, finished_at=timezone.now()
    )
    row.refresh_from_db()
    return row


def test_the_look_says_what_happens_and_changes_nothing(study: Study) -> None:
    consenting(study)
    consenting(study, "P-002")
    done, other = analysed(study), analysed(study, "P-002")
    broken = failed(analyse_again(study.researcher.actor, other.recording_id))
    before = entries("analysis:repeat")
    rita = study.researcher.sign_in()
    text = text_of(look(rita, "retry", done, other, broken))
    assert "1 of 3 rows. Nothing has happened yet." in text
    assert "1 photograph is measured once more with the models in use now" in text
    assert "(expressions: expression-mean-of-three)" in text
    assert "2 rows are left out" in text
    assert "2 : Its analysis has not failed." in text
    text = text_of(look(rita, "repeat", done, other, broken))
    assert "2 of 3 rows" in text
    assert "Another ticked row is about the same recording." in text
    assert "It concerns 2 people" in text
    assert Analysis.objects.count() == 3
    assert entries("analysis:repeat") == before


def test_sent_twice_it_happens_once(study: Study) -> None:
    people = [consenting(study), consenting(study, "P-002")]
    rows = [analysed(study), analysed(study, "P-002")]
    rita = study.researcher.sign_in()
    looked = look(rita, "repeat", *rows)
    for _turn in range(2):
        assert "Done for 2 of 2 rows" in text_of(do(rita, looked))
        assert Analysis.objects.count() == 4
    assert entries("analysis:repeat") == {("analysis:repeat", "operator", "ok", ""): 2}
    for row in Analysis.objects.filter(state=AnalysisState.QUEUED):
        run_analysis(row.id)
    assert "Done for 2 of 2 rows" in text_of(do(rita, looked)), "and when they have run"
    assert Analysis.objects.filter(state=AnalysisState.DONE).count() == 4
    assert "Done for 2 of 2 rows" in text_of(do(rita, look(rita, "repeat", *rows)))
    assert Analysis.objects.count() == 6, "a new look is a new act"
    integrate_once()
    history = people[0].browser.get(reverse("access_history")).content.decode()
    assert history.count("Another analysis was asked for") == 2


def test_the_failed_are_tried_again(study: Study) -> None:
    consenting(study)
    first = analysed(study)
    broken = failed(analyse_again(study.researcher.actor, first.recording_id))
    rita = study.researcher.sign_in()
    looked = look(rita, "retry", broken)
    assert "Done for 1 of 1 rows" in text_of(do(rita, looked))
    assert Analysis.objects.filter(state=AnalysisState.QUEUED).count() == 1
    assert "waits or runs already" in text_of(look(rita, "retry", broken))
    forged = form_of(looked) | {"row": [str(first.id)]}
    assert "not done Its analysis has not failed." in text_of(rita.post(reverse(ADDRESS), forged))


def test_what_cannot_be_measured_is_left_out_with_its_reason(study: Study) -> None:
    gone, leaver = consenting(study), consenting(study, "P-002")
    rows = [analysed(study), analysed(study, "P-002")]
    Recording.objects.filter(pk=rows[0].recording_id).update(media_state=MediaState.ERASED)
    now = timezone.now()
    film = Recording.objects.create(  # that was measured and not kept
        subject=gone.subject, purpose=study.purpose, uploaded_by="client:x", media_type="video/mp4",
        size=1, media_key_id=uuid7(), keep_media=False, media_retain_until=now, retain_until=now,
        created_at=now, media_state=MediaState.ERASED,
    )  # fmt: skip
    rows.append(Analysis.objects.create(recording=film, queued_at=now, not_before=now))
    withdraw(leaver.actor, leaver.subject, study.purpose)
    rita = study.researcher.sign_in()
    answer = look(rita, "repeat", *rows)
    text = text_of(answer)
    for said in (
        "0 of 3 rows",
        "2 : Its photograph or film is erased, so there is nothing to analyse again.",
        "This person has withdrawn their consent to this purpose.",
        "There is nothing to do: every row is left out.",
    ):
        assert said in text
    assert not form_of(answer)
    assert not entries("analysis:repeat")


def test_who_withdraws_after_the_look_is_not_measured(study: Study) -> None:
    leaver = consenting(study)
    consenting(study, "P-002")
    rows = [analysed(study), analysed(study, "P-002")]
    rita = study.researcher.sign_in()
    looked = look(rita, "repeat", *rows)
    withdraw(leaver.actor, leaver.subject, study.purpose)
    text = text_of(do(rita, looked))
    assert "Done for 1 of 2 rows" in text
    assert "not done This person has withdrawn their consent" in text
    assert entries("analysis:repeat") == {
        ("analysis:repeat", "operator", "ok", ""): 1,
        ("analysis:repeat", "operator", "refused", "consent-withdrawn"): 1,
    }


def test_stopping_asks_for_the_name_and_tells_everybody(study: Study) -> None:
    person = consenting(study)
    consenting(study, "P-002")
    row, done = waiting(study, "P-001"), analysed(study, "P-002")
    again = analyse_again(study.researcher.actor, done.recording_id)
    client = lab(study)
    rita = study.researcher.sign_in()
    looked = look(rita, "stop", row, done, again)
    text = text_of(looked)
    assert "2 analyses are stopped for good" in text
    assert "1 photograph or film, as it came, is erased with it." in text
    assert "1 photograph was measured before and is kept" in text
    assert "1 : Its analysis has ended already." in text
    for name in ("", "OK", "story study"):
        assert do(rita, looked, name).status_code == 422
    row.refresh_from_db()
    assert row.state == AnalysisState.QUEUED
    for _turn in range(2):
        assert "Done for 2 of 2 rows" in text_of(do(rita, looked, "Story study"))
    drain()
    row.refresh_from_db()
    assert (row.state, row.reason) == (AnalysisState.CANCELLED, "cancelled-by-operator")
    kept = dict(Recording.objects.values_list("id", "media_state"))
    assert kept == {row.recording_id: MediaState.ERASED, done.recording_id: MediaState.STORED}
    assert entries("analysis:cancel") == {("analysis:cancel", "operator", "ok", ""): 2}
    told = Telling.objects.filter(client=client, kind="analysis.refused")
    assert set(told.values_list("analysis_id", flat=True)) == {row.id, again.id}
    assert not verify_rows().missing
    page = person.browser.get(reverse("own_recording", args=[row.recording_id]))
    assert "the study's staff cancelled it" in text_of(page)


def lab(study: Study) -> ApiClient:
    """A client of the study that is told by webhook."""
    study.key(Scope.RECORDINGS_READ)
    client = ApiClient.objects.latest("id")
    create_webhook(
        study.administrator.actor, client, "https://localhost/", [TellingKind.ANALYSIS_REFUSED]
    )
    return client


def test_erasing_asks_for_the_name_and_is_seen_by_the_person(study: Study) -> None:
    person, other = consenting(study), consenting(study, "P-002")
    first = analysed(study)
    run_analysis(analyse_again(study.researcher.actor, first.recording_id).id)
    stays = analysed(study, "P-002")
    client = lab(study)
    admin = study.administrator.sign_in()
    looked = look(admin, "erase", *first.recording.analyses.all())
    text = text_of(looked)
    assert "1 recording is erased: its keys are destroyed" in text
    assert "Another ticked row is about the same recording." in text
    assert do(admin, looked, "OK").status_code == 422
    assert not ErasureRequest.objects.filter(cause="discarded")
    for _turn in range(2):
        assert "Done for 1 of 1 rows" in text_of(do(admin, looked, "Story study"))
    request = ErasureRequest.objects.get(cause="discarded")
    assert request.rows_removed_at
    assert not living_keys(person.subject)
    assert living_keys(other.subject)
    assert Recording.objects.get(pk=first.recording_id).erased_at
    assert not Recording.objects.get(pk=stays.recording_id).erased_at
    key = ("erasure:request", "operator", "ok", "discarded")
    assert entries("erasure:request")[key] == 1
    assert Telling.objects.filter(client=client, erasure=request).count() == 1
    assert not verify_rows().missing
    page = text_of(person.browser.get(reverse("erasures")))
    assert "The study's staff discarded the recording" in page
    assert "It is erased already, or being erased." in text_of(look(admin, "erase", first))


def test_a_hold_postpones_and_a_dispute_goes_first(study: Study) -> None:
    held, disputer = consenting(study), consenting(study, "P-002")
    rows = [analysed(study), analysed(study, "P-002")]
    place_hold(
        study.officer.actor, study.officer.user, study.purpose, reason=HoldReason.COMPLAINT,
        ends_at=timezone.now() + timedelta(days=30), subject_id=held.subject.id,
    )  # fmt: skip
    admin = study.administrator.sign_in()
    both = look(admin, "erase", *rows)
    dispute(disputer.actor, rows[1].recording_id)
    looked = look(admin, "erase", *rows)
    text = text_of(looked)
    assert "1 of them is under a legal hold" in text
    assert "Under a legal hold: closed now, destroyed later." in text
    assert "Answer the dispute, which erases it too." in text
    text = text_of(do(admin, both, "Story study"))
    assert "Done for 1 of 2 rows" in text
    assert "not done The person says that this is not them." in text
    assert ErasureRequest.objects.get(cause="discarded").keys_destroyed_at is None
    assert living_keys(held.subject)
    with pytest.raises(ConsentRefused):
        read_result(study.researcher.actor, rows[0].id, "quality-check")
    key = ("erasure:request", "operator", "refused", "recording-disputed")
    assert entries("erasure:request")[key] == 1


def test_what_destroys_goes_study_by_study(study: Study) -> None:
    other = open_study(name="Other study")
    consenting(study)
    consenting(other)
    rows = [waiting(study, "P-001"), waiting(other, "P-001")]
    admin = study.administrator.sign_in()
    answer = look(admin, "erase", *rows)
    assert "What destroys is done study by study" in text_of(answer)
    assert not form_of(answer)
    forged = {"act": "erase", "step": "do", "row": [str(row.id) for row in rows]}
    for name in ("Story study", "Other study"):
        assert admin.post(reverse(ADDRESS), forged | {"name": name}).status_code == 422
    assert not ErasureRequest.objects.exists()


def test_rows_and_acts_of_others_are_not_there(study: Study) -> None:
    consenting(study)
    row = analysed(study)
    rita, charlie = study.researcher.sign_in(), operator(Role.RESEARCHER, "charlie").sign_in()
    assert look(rita, "erase", row).status_code == 404
    assert look(study.administrator.sign_in(), "repeat", row).status_code == 404
    assert look(study.officer.sign_in(), "erase", row).status_code == 404
    assert look(rita, "", row).status_code == 404
    text = text_of(look(charlie, "repeat", row))
    assert "0 of 0 rows" in text
    assert str(row.recording_id)[-8:] not in text
    forged = {"act": "repeat", "step": "do", "row": str(row.id)}
    assert "Done for 0 of 0 rows" in text_of(charlie.post(reverse(ADDRESS), forged))
    assert Analysis.objects.count() == 1
    for actor in (study.researcher.actor, SYSTEM_KEEPER, consenting(study, "P-002").actor):
        with pytest.raises(NotFound):
            discard(actor, row.recording_id)
    assert not ErasureRequest.objects.filter(cause="discarded")


def test_a_form_without_rows_goes_back_to_where_it_came_from(study: Study) -> None:
    rita = study.researcher.sign_in()
    assert rita.get(reverse(ADDRESS)).headers["Location"] == reverse("operate_recordings")
    back = "state=failed&before=x"
    for rows, came in (([], 0), (["nonsense"], 0), ([str(uuid7()) for _ in range(MOST + 1)], 51)):
        form = {"act": "repeat", "row": rows, "back": back}
        answer = rita.post(reverse(ADDRESS), form)
        assert answer.headers["Location"] == f"{reverse('operate_recordings')}?{back}"
        page = rita.get(reverse("operate_recordings"))
        assert f"Tick 1 to 50 rows; {came} came." in text_of(page)


def test_all_rows_of_the_page_without_ticking_each(study: Study) -> None:
    for name in ("P-001", "P-002"):
        consenting(study, name)
        waiting(study, name)
    rita = study.researcher.sign_in()
    page = BeautifulSoup(rita.get(reverse("operate_recordings")).content, "html.parser")
    listed = [str(field["value"]) for field in page.select("[name=listed]")]
    assert {UUID(each) for each in listed} == set(Analysis.objects.values_list("id", flat=True))
    assert not page.select("[name=row][checked]"), "nothing is ticked beforehand"
    acts = [option["value"] for option in page.select("[name=act] option")]
    assert acts == ["retry", "repeat", "stop"]
    form = {"act": "stop", "which": "page", "listed": listed}
    assert "2 of 2 rows" in text_of(rita.post(reverse(ADDRESS), form, follow=True))


def test_a_look_has_an_address_that_can_be_gone_back_to(study: Study) -> None:
    for name in ("P-001", "P-002"):
        consenting(study, name)
        waiting(study, name)
    rows = [str(pk) for pk in Analysis.objects.values_list("id", flat=True)]
    rita = study.researcher.sign_in()
    form = {"act": "stop", "row": rows, "back": "state=queued"}
    moved = rita.post(reverse(ADDRESS), form)
    assert moved.status_code == 302
    assert len(moved["Location"]) < 300
    first, again = rita.get(moved["Location"]), rita.get(moved["Location"])
    assert form_of(first).keys() == form_of(again).keys()
    assert set(form_of(again)["row"]) == set(rows)
    assert form_of(again)["back"] == ["state=queued"]
    assert form_of(again)["key"] != form_of(first)["key"], "a second act is another one"
    assert "Nothing has happened yet" in text_of(again)
    assert "Done for 2 of 2 rows" in text_of(do(rita, again, "Story study"))
    assert "0 of 2 rows" in text_of(rita.get(moved["Location"])), "going back shows what is"


@pytest.mark.parametrize("rows", ["", "AAAA", "é", "A", "%"])
def test_a_damaged_address_of_a_look_names_no_row(study: Study, rows: str) -> None:
    rita = study.researcher.sign_in()
    answer = rita.get(reverse(ADDRESS), {"act": "stop", "rows": rows}, follow=True)
    assert "Tick 1 to 50 rows; 0 came." in text_of(answer)


def test_the_look_at_a_full_page_fits_into_a_servers_line(study: Study) -> None:
    rita = study.researcher.sign_in()
    form = {"act": "repeat", "row": [str(uuid7()) for _ in range(MOST)], "back": "state=done"}
    moved = rita.post(reverse(ADDRESS), form)
    assert len(moved["Location"]) < 2000
    assert "0 of 0 rows" in text_of(rita.get(moved["Location"]))


def test_a_recordings_page_leads_to_the_same_look(study: Study) -> None:
    consenting(study)
    row = waiting(study, "P-001")
    page = study.administrator.sign_in().get(reverse("operate_recording", args=[row.recording_id]))
    text = text_of(page)
    assert "Stop the analysis…" in text
    assert "Erase the recording…" in text
    page = study.researcher.sign_in().get(reverse("operate_recording", args=[row.recording_id]))
    assert "Erase the recording…" not in text_of(page)
