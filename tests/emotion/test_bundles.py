"""Everything about one person, to take away: whole, theirs alone, and every read in the log first."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.urls import reverse

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action
from audit_log.errors import LogUnavailable
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from consent.history import PROVEN_AT_ONCE
from consent.messages import queue_message
from consent.models import SubjectReference
from emotion.bundles import result_files
from emotion.disputes import dispute
from emotion.erasure import drain
from emotion.inference.media import decode_photo
from tests.cast import (
    PHOTO,
    Person,
    Study,
    analysed,
    come_in,
    consent,
    consenting,
    much_happens,
    open_study,
)
from tests.processes import ROOT

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def ask(person: Person, study: Study) -> Any:
    return person.browser.post(reverse("own_bundle", args=[study.purpose.id]))


def archive(answer: Any) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.content
    found = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert found.testzip() is None
    return found


def one(names: list[str], end: str) -> str:
    (found,) = [name for name in names if name.endswith(end)]
    return found


def reads(action: Action) -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=action, outcome="ok"))


def test_it_holds_everything_and_each_read_is_in_the_log(
    study: Study, person: Person, tmp_path: Path
) -> None:
    analysed(study)
    consenting(study, "P-002")
    analysed(study, "P-002")
    integrate_once()
    answer = ask(person, study)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="consentry-data.zip"'
    assert "no-store" in answer.headers["Cache-Control"]
    found = archive(answer)
    names = found.namelist()
    photograph = decode_photo(found.read(one(names, "photograph.png")))
    assert photograph.shape == (512, 512, 3)
    assert (photograph[400:] != decode_photo(PHOTO.read_bytes())[400:]).mean() > 0.8
    result = json.loads(found.read(one(names, "result.json")))
    assert result["expression"]["top"] == "happy"
    assert b"\r\nhappy," in found.read(one(names, "expression.csv"))
    assert b"\r\nmouthSmileLeft," in found.read(one(names, "blendshapes.csv"))
    purpose = json.loads(found.read("purpose.json"))
    assert purpose["recipients"]
    assert purpose["retention"]["result_days"] == 30
    assert "cannot tell what anybody felt" in purpose["logic"]
    assert json.loads(found.read("consent/events.json"))[-1]["event"] == "given"
    assert json.loads(found.read("who-looked.json"))
    assert len([name for name in names if name.endswith("recording.json")]) == 1, "only one's own"
    for action in (Action.RESULT_READ, Action.MEDIA_READ):
        (entry,) = reads(action)
        assert entry.reason == "own-access"
    for name in ("receipt-3.json", "who-looked-proofs-1.json"):
        receipt = tmp_path / name
        receipt.write_bytes(found.read(one(names, name)))
        verdict = subprocess.run(
            [sys.executable, str(ROOT / "tools" / "verify_access_log.py"), "receipt", str(receipt),
             "--key", verifier_key()],
            capture_output=True, text=True,
        )  # fmt: skip
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_it_holds_every_entry_however_many_there_are(study: Study) -> None:
    person = come_in(study, "P-001", "ann@example.net")
    consent(person, study.purpose)
    words = {"language": "en", "heading": "Your code", "text": "123456"}
    queue_message(SYSTEM_KEEPER, person.subject, None, kind="sign-in", **words)
    row = analysed(study)
    desk = study.researcher.sign_in()
    desk.post(reverse("operate_result", args=[row.id]), {"reason": "quality-check"})
    much_happens(person, study.purpose, 2 * PROVEN_AT_ONCE + 1)
    found = archive(ask(person, study))
    told = json.loads(found.read("who-looked.json"))
    parts = [name for name in found.namelist() if name.startswith("who-looked-proofs-")]
    proven = [len(json.loads(found.read(name))["entries"]) for name in parts]
    assert len(parts) == 3
    assert proven[:2] == [PROVEN_AT_ONCE, PROVEN_AT_ONCE]
    assert sum(proven) == len(told) == len({each["entry"] for each in told})
    (look,) = [each for each in told if each["looked"]]
    assert look["what"] == "A result about you was read"
    assert look["study"] == study.purpose.name
    assert [each for each in told if each["study"] is None], "also what is about the account"


def test_an_archive_of_one_study_says_nothing_of_another_of_the_same_name(study: Study) -> None:
    other = open_study(name=study.purpose.name)
    person = come_in(study, "P-001", "ann@example.net")
    assert come_in(other, "Q-9", "ann@example.net").subject == person.subject
    integrate_once()
    told = json.loads(archive(ask(person, study)).read("who-looked.json"))
    assert [each["what"] for each in told].count("You were asked for consent") == 1


def test_its_own_command_verifies_it(study: Study, person: Person, tmp_path: Path) -> None:
    """Unpacked as it is, with nothing but what the read-me names: Python and cryptography."""
    integrate_once()
    archive(ask(person, study)).extractall(tmp_path)
    said = (tmp_path / "read-me.txt").read_text()
    assert "cryptography" in said
    assert reverse("log_key") in said
    (command,) = [line for line in said.splitlines() if line.startswith("python3 ")]
    assert verified(command, tmp_path) > 3


def test_the_command_on_the_page_verifies_all_proofs(
    study: Study, person: Person, tmp_path: Path
) -> None:
    integrate_once()
    page = person.browser.get(reverse("access_history"))
    commands = BeautifulSoup(page.content, "html.parser").select("#check ~ details pre")
    (command,) = [each.get_text() for each in commands if "python3" in each.get_text()]
    for name in ("verifier", "entry_proofs"):
        answer = person.browser.get(reverse(name))
        file = re.search(r'filename="([^"]+)"', answer.headers["Content-Disposition"])
        assert file
        (tmp_path / file[1]).write_bytes(answer.content)
    assert verified(command, tmp_path) > 3


def verified(command: str, folder: Path) -> int:
    """How many entries a shell's command verifies in a folder."""
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    (folder / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        command, shell=True, cwd=folder, env={"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"verified: (\d+) entr", done.stdout)
    assert found, done.stdout
    return int(found[1])


def test_it_says_what_is_kept_of_the_person_themselves(study: Study) -> None:
    person, other = come_in(study, "P-77", "ann@example.net"), open_study()
    come_in(other, "Q-78", "ann@example.net")
    consent(person, study.purpose)
    person.browser.post(reverse("set_language"), {"language": "de", "next": "/"})
    me = json.loads(archive(ask(person, study)).read("me.json"))
    assert (me["number"], me["email"], me["language"]) == (
        str(person.subject.id), "ann@example.net", "de",
    )  # fmt: skip
    assert {each["purpose"]: each["reference"] for each in me["studies"]} == {
        str(study.purpose.id): "P-77", str(other.purpose.id): "Q-78",
    }  # fmt: skip
    known = SubjectReference.objects.get(purpose=study.purpose)
    assert str(known.id) in {each["number_for_programs"] for each in me["studies"]}
    for action, number in ((Action.CONTACT_READ, 1), (Action.IDENTITY_READ, 2)):
        opened = reads(action)
        assert [entry.reason for entry in opened] == ["own-access"] * number
        assert all(e.actor == f"subject:{bytes(e.subject_tag).hex()}" for e in opened)
    looks = person.browser.get(reverse("access_history") + "?looks=1").content.decode()
    assert "Niemand hatte Einblick" in looks, "one's own are no looks by others"


def test_what_was_erased_of_the_person_is_not_in_it(study: Study, person: Person) -> None:
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    drain()
    me = json.loads(archive(ask(person, study)).read("me.json"))
    assert me["email"] is None
    assert [each["reference"] for each in me["studies"]] == [None]


def test_what_is_closed_is_left_out_and_the_archive_says_why(study: Study, person: Person) -> None:
    row = analysed(study)
    dispute(person.actor, row.recording_id)
    found = archive(ask(person, study))
    assert not [name for name in found.namelist() if "photograph" in name or "result" in name]
    facts = json.loads(found.read(one(found.namelist(), "recording.json")))
    assert len(facts["left_out"]) == 2
    assert all("said not to show" in why for why in facts["left_out"].values())
    assert not reads(Action.RESULT_READ)


def test_after_a_withdrawal_it_still_holds_what_is_left(study: Study, person: Person) -> None:
    analysed(study)
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    found = archive(ask(person, study))
    assert [name for name in found.namelist() if name.startswith("erasures/")]
    assert not [name for name in found.namelist() if "photograph" in name]


def test_without_the_log_nothing_is_released(study: Study, person: Person) -> None:
    analysed(study)
    answer = ask(person, study)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_log_pendingentry RENAME TO away")
    sent = b""
    with pytest.raises(LogUnavailable):
        for part in answer.streaming_content:
            sent += part
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO audit_log_pendingentry")
    assert b"result.json" not in sent
    assert not zipfile.is_zipfile(io.BytesIO(sent)), "nobody takes half of it for the whole"


def test_one_at_a_time(study: Study, person: Person) -> None:
    first = ask(person, study)
    busy = ask(person, study)
    assert busy.status_code == 429
    assert "being made already" in busy.content.decode()
    archive(first)
    archive(ask(person, study))


def test_nobody_else_gets_it(study: Study, person: Person) -> None:
    other = consenting(open_study())
    address = reverse("own_bundle", args=[study.purpose.id])
    for browser in (other.browser, study.administrator.sign_in(), study.researcher.sign_in()):
        assert browser.post(address).status_code == 404


def test_withdrawing_offers_the_download_first(study: Study, person: Person) -> None:
    page = person.browser.get(reverse("consent_withdraw", args=[study.purpose.id])).content.decode()
    link = page.index(reverse("own_bundle", args=[study.purpose.id]))
    assert link < page.index("Withdraw my consent")


def test_values_with_units_of_their_own_bring_them_into_the_csv() -> None:
    values = {
        "yaw": {"value": 3.5, "unit": "degrees", "model": "x"},
        "z": {"value": -60, "unit": "cm"},
    }
    (_whole, (name, body)) = result_files("a", {"head-pose": {"values": values}})
    assert name == "a/head-pose.csv"
    assert body == b"name,value,unit\r\nyaw,3.5,degrees\r\nz,-60,cm\r\n"
