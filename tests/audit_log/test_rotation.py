"""A new key for the log: both sign for a while, old checkpoints still verify, a kill changes nothing."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from audit_log import rotation, signing
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import InvalidNote, SignerKey, VerifierKey, sign, split_note, verify
from audit_log.entries import Draft
from audit_log.errors import ExportInvalid, RotationRefused, SigningKeyMissing
from audit_log.export import export_log, verify_export
from audit_log.exported_keys import HISTORY
from audit_log.key_history import KeyHistory, KeyRecord
from audit_log.log import append_durable
from audit_log.models import Checkpoint, LogEntry
from audit_log.proofs import latest_checkpoint
from audit_log.receipts import receipt_document
from audit_log.rotation import end_windows, retire, rotate
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.verification import verify_database
from tests.forks import killed_at
from tools.verify_access_log import main

DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


# --- the history, as a pure rule ---------------------


def key(name: str = "log.example") -> SignerKey:
    return SignerKey.generate(name)


def note_of(size: int, *keys: SignerKey) -> str:
    return sign(SignedTree(keys[0].name, size, b"r" * 32), *keys)


def test_a_history_reads_back_what_it_writes() -> None:
    one, two, other = key(), key(), key("new.example")
    history = KeyHistory.begin(one.verifier, NOW)
    history = history.rotated(two.verifier, size=10, at=NOW, until=NOW + timedelta(days=30))
    assert str(history).splitlines()[0] == str(two.verifier)
    assert KeyHistory.parse(str(history)) == history
    assert history.signing() == [two.verifier, one.verifier]
    history = history.without([one.verifier], size=20, at=NOW)
    assert history.signing() == [two.verifier]
    history = history.moved(other.verifier, size=5, last=30, at=NOW)
    assert KeyHistory.parse(str(history)) == history
    assert history.ended_origins() == ["log.example"]
    assert [history.at(size).key for size in (1, 5, 6, 30)] == [
        one.verifier, one.verifier, other.verifier, other.verifier,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        "", "nonsense\n", "{key}\n", "{key}\n{key}\n", "{key}\n{key} from=1\n",
        "{key}\n{key} from=1 since=yesterday\n", "{key}\n{key} from=one since=2026-05-04T03:02:01Z\n",
        "{key}\n{key} from=1 since=2026-05-04T03:02:01Z to=9 ended=2026-05-04T03:02:01Z\n",
        "{key}\n{key} from=1 since=2026-05-04T03:02:01Z more=1\n",
        "{key}\n{other} from=1 since=2026-05-04T03:02:01Z\n",
        "{key}\n{key} from=1 since=2026-05-04T03:02:01Z\n{other} from=2 since=2026-05-04T03:02:01Z\n",
    ],
)  # fmt: skip
def test_a_damaged_history_is_refused(damage: str) -> None:
    with pytest.raises(InvalidNote):
        KeyHistory.parse(damage.format(key=key().verifier, other=key().verifier))


def test_the_key_that_counted_at_a_size_must_have_signed() -> None:
    one, two, stranger = key(), key(), key()
    until = NOW + timedelta(days=30)
    history = KeyHistory.begin(one.verifier, NOW).rotated(
        two.verifier, size=10, at=NOW, until=until
    )
    for good in (note_of(10, one), note_of(11, two), note_of(11, two, one), note_of(10, one, two)):
        assert history.verify(good).origin == "log.example"
    for bad in (
        note_of(11, one),
        note_of(10, two),
        note_of(5, stranger),
        note_of(5, key("b.example")),
    ):
        with pytest.raises(InvalidNote):
            history.verify(bad)
    wrong = note_of(12, one).splitlines()[-1]
    with pytest.raises(InvalidNote, match="does not fit"):
        history.verify(note_of(11, two) + wrong + "\n")
    ended = history.moved(key("new.example").verifier, size=4, last=12, at=NOW)
    assert ended.verify(note_of(12, two)).size == 12
    with pytest.raises(InvalidNote, match="nothing after 12"):
        ended.verify(note_of(13, two, one))


# --- the rotation -------------------------------------


pytestmark_db = pytest.mark.usefixtures("fresh_db")


def write(number: int = 1) -> None:
    for _ in range(number):
        append_durable(DRAFT)
    integrate_once()


def newest() -> str:
    found = latest_checkpoint()
    assert found
    return found.note


def signers(note: str) -> int:
    return len(split_note(note)[1])


@pytestmark_db
def test_both_keys_sign_during_the_window_and_one_after_it(tmp_path: Path) -> None:
    write(3)
    old = signing.signer_key()
    receipt = receipt_document([LogEntry.objects.get(index=1).entry_id])
    history = rotate()
    assert signers(newest()) == 2, "also before anything else happens"
    assert history.current != old.verifier
    assert verify(newest(), old.verifier) == verify(newest(), history.current)
    entry = LogEntry.objects.get(action=Action.LOG_KEY_ROTATE).entry()
    assert json.loads(entry.draft.detail)["key"] == str(history.current)
    assert entry.draft.object_tag == rotation.key_tag(history.current)
    assert end_windows() == 0
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=True):
        assert end_windows() == 1
        assert end_windows() == 0
        write()
    assert signers(newest()) == 1
    assert old.encode() not in signing.secrets_path().read_text()
    verdict = verify_database()
    assert verdict.problem == ""
    export_log(Folder(tmp_path / "log"))
    assert verify_export(Folder(tmp_path / "log")).size == LogEntry.objects.count()
    handover = next((tmp_path / "log" / "consentry-log-handover").iterdir())
    assert verify(handover.read_text(), old.verifier).size == history.records[0].start - 1
    swapped = (str(old.verifier).encode(), str(history.current).encode())
    cut_short = (b"\n\n", b"\n")
    for path, change in ((tmp_path / "log" / HISTORY, swapped), (handover, cut_short)):
        kept = path.read_bytes()
        assert change[0] in kept
        for other in (kept.replace(*change), b"", b"\xff"):
            path.write_bytes(other)
            with pytest.raises(ExportInvalid):
                verify_export(Folder(tmp_path / "log"))
        path.write_bytes(kept)
    signing.handover_path(history.current).unlink()
    assert "is missing" in verify_database().problem
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    new = str(history.current)
    words = ["receipt", str(tmp_path / "receipt.json"), "--key", new]
    assert main(words) == 1
    assert main([*words, "--key", str(old.verifier)]) == 1, "nobody knows which of them counts"
    assert main([*words[:2], "--key", str(old.verifier)]) == 0
    assert main(["export", str(tmp_path / "log"), "--key", str(old.verifier), "--key", new]) == 0
    assert LogEntry.objects.filter(action=Action.LOG_KEY_DESTROY).count() == 1


@pytestmark_db
def test_the_published_text_begins_with_the_key_of_today() -> None:
    write()
    old = signing.public_key()
    rotate()
    said = Client().get("/.well-known/consentry-log-key").content.decode()
    first, *lines = said.splitlines()
    assert VerifierKey.parse(first) == signing.public_key() != old
    assert [KeyRecord.parse(line).key for line in lines if not line.startswith("#")] == [
        signing.public_key(), old,
    ]  # fmt: skip
    assert "PRIVATE" not in said


@pytestmark_db
def test_the_command_shows_rotates_and_retires() -> None:
    def command(*words: str) -> str:
        out = io.StringIO()
        call_command("log_key", *words, stdout=out)
        return out.getvalue()

    write()
    old = signing.verifier_key()
    assert command("show") == str(signing.key_history())
    assert command("rotate").splitlines()[0] == signing.verifier_key() != old
    with pytest.raises(CommandError, match="end its window first"):
        command("rotate")
    command("retire")
    assert "nothing is changed" in command("retire")
    assert len(signing.read_secrets()) == 1
    command("rotate", "--days", "0")
    assert signing.key_history().in_window() == []
    for days in ("-1", "367"):
        with pytest.raises(CommandError, match="expected 0 to 366"):
            command("rotate", "--days", days)
    assert verify_database().problem == ""
    write()
    assert signers(newest()) == 1


@pytestmark_db
def test_an_old_key_that_was_lost_stops_signing_until_it_is_retired() -> None:
    write()
    rotate()
    signing.write_secrets([signing.signer_key()])
    append_durable(DRAFT)
    with pytest.raises(SigningKeyMissing, match="log_key retire"):
        integrate_once()
    retire()
    integrate_once()
    assert signers(newest()) == 1
    assert verify_database().problem == ""


STEPS = {
    "rotate": ["write_secrets", "append_durable", "write_history", "publish", "integrate_once"],
    "retire": ["write_secrets", "append_durable", "write_history"],
}


@pytestmark_db
@pytest.mark.parametrize(
    ("what", "step"), [(what, step) for what, steps in STEPS.items() for step in steps]
)
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_the_log_signs_on_and_the_next_call_finishes(
    step: str, after: bool, what: str
) -> None:
    write(2)
    if what == "retire":
        rotate()
    owner = signing if step.startswith("write") else rotation
    killed_at(owner, step, rotate if what == "rotate" else retire, after=after)
    write()
    assert latest_checkpoint().size == LogEntry.objects.count()
    assert verify_database().problem == ""
    if what == "rotate" and not signing.key_history().in_window():
        rotate()
    elif what == "retire":
        retire()
        end_windows()
        assert len(signing.read_secrets()) == 1
    write()
    assert signers(newest()) == (2 if what == "rotate" else 1)
    action = Action.LOG_KEY_ROTATE if what == "rotate" else Action.LOG_KEY_DESTROY
    assert LogEntry.objects.filter(action=action).count() == 1
    assert verify_database().problem == ""


@pytestmark_db
@pytest.mark.parametrize("end", ["rotate", "window", "set-up"])
def test_a_copy_of_a_key_that_a_kill_left_dies_with_it(end: str) -> None:
    write(2)
    old = signing.signer_key()
    killed_at(Path, "replace", rotate, after=False)
    left = [each for each in signing.folder().rglob("*") if old.encode() in text_in(each)]
    assert len(left) == 2, "the file, and what would have taken its place"
    if end == "rotate":
        rotate(timedelta(0))
        assert not [each for each in signing.folder().rglob("*") if old.encode() in text_in(each)]
    else:
        end_windows() if end == "window" else signing.ensure_key()
        assert [each.name for each in signing.folder().glob(".signing_key*")] == []


def text_in(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


@pytestmark_db
def test_a_key_without_its_entry_is_found() -> None:
    write(2)
    fresh = key(signing.public_key().name)
    signing.write_secrets([*signing.read_secrets(), fresh])
    signing.write_history(signing.key_history().rotated(fresh.verifier, size=2, at=NOW, until=NOW))
    write()
    assert "no entry log:key-rotate names the key" in verify_database().problem


@pytestmark_db
def test_without_a_place_for_its_entry_nothing_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    before = signing.key_history()
    monkeypatch.setattr(rotation, "WAIT", 0.0)
    with pytest.raises(RotationRefused, match="does not come to rest"):
        rotate()
    assert signing.key_history() == before
    monkeypatch.undo()
    rotate()
    assert LogEntry.objects.filter(action=Action.LOG_KEY_ROTATE).count() == 1
    assert Checkpoint.objects.count() >= 2
