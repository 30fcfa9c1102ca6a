"""The command ``consentry upload`` in a process of its own, against a running installation."""

from __future__ import annotations

import csv
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import cv2
import numpy
import pytest

from accounts.models import Scope
from consent.withdrawals import withdraw
from consentry_client.command_line.upload_state import UploadState
from consentry_client.command_line.uploading import LARGE
from emotion.models import Recording
from tests.cast import consenting
from tests.clients.conftest import SOURCE, Begun, Consentry, Lab, kept, shown_on
from tests.processes import wait_for


def test_a_folder_is_sent_once_and_only_what_is_missing_later(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    consenting(lab.study, "P-001")
    rehearsed = consentry("upload", session, "--dry-run")
    assert rehearsed.returncode == 1, rehearsed.stderr
    told = rehearsed.stdout.splitlines()
    assert told[0] == "would send P-001.jpg  about P-001, consent: given"
    assert told[2] == "would be refused P-002.jpg  about P-002, consent: never asked"
    assert told[-1] == "2 would send, 2 would be refused, 2 skipped"
    assert not Recording.objects.exists()

    first = consentry("upload", session, "--purpose", lab.purpose)
    assert first.returncode == 1
    lines = first.stdout.splitlines()
    assert re.match(r"sent       P-001\.jpg  recording [0-9a-f-]{36}$", lines[0])
    assert re.match(r"sent       P-001__second try\.png  recording", lines[1])
    assert lines[2].startswith("refused    P-002.jpg  not-found: ")
    assert lines[4].startswith("skipped    __.jpg  its name does not begin with a reference")
    assert lines[5] == "skipped    notes.txt  no photograph or film by its name"
    assert lines[-1] == "2 sent, 2 refused, 2 skipped"
    assert Recording.objects.count() == 2
    assert ".hidden" not in first.stdout

    consenting(lab.study, "P-002")
    second = consentry("upload", session)
    assert second.returncode == 1
    assert second.stdout.splitlines()[-1] == "2 there, 1 sent, 1 refused, 2 skipped"
    assert Recording.objects.count() == 3

    # what is remembered names nobody, and is nobody else's to read
    state = kept(tmp_path)
    assert set(state) == {f".local/state/consentry/uploads-{lab.purpose}.jsonl"}
    assert not re.search(r"P-00|second|jpg|cns_", "".join(state.values()))
    for path in (tmp_path / "home" / ".local" / "state" / "consentry").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0

    # nor does losing it make a second recording of anything
    for path in (tmp_path / "home").rglob("*.jsonl"):
        path.unlink()
    third = consentry("upload", session)
    assert third.stdout.splitlines()[-1] == "3 sent, 1 refused, 2 skipped"
    assert Recording.objects.count() == 3


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_rehearsal_counts_what_would_be_refused(
    lab: Lab, consentry: Consentry, session: Path
) -> None:
    (session / "P-404__x.webp").unlink()
    asked = consenting(lab.study, "P-002")
    consenting(lab.study, "P-001")
    willing = consentry("upload", session, "--dry-run")
    assert (willing.returncode, willing.stdout.splitlines()[-1]) == (0, "3 would send, 2 skipped")
    withdraw(asked.actor, asked.subject, lab.study.purpose)
    left = consentry("upload", session, "--dry-run")
    assert "would be refused P-002.jpg  about P-002, consent: withdrawn" in left.stdout
    assert left.returncode == 1
    weak = lab.study.key(Scope.RECORDINGS_UPLOAD)
    blind = consentry("upload", session, "--dry-run", CONSENTRY_KEY=weak)
    assert "would send P-002.jpg  about P-002, consent: unknown to this key" in blind.stdout


def test_what_was_sent_is_written_down_row_by_row(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    consenting(lab.study, "P-001")
    file = tmp_path / "records" / "sent.csv"
    assert consentry("upload", session, "--dry-run", "--record", file).returncode == 1
    assert not file.exists()
    (session / "P-001__second try.png").rename(session / "later.png")
    consentry("upload", session)  # before a record was kept
    (session / "later.png").rename(session / "P-001__second try, 2.png")
    assert "1 there, 1 sent, 2 refused" in consentry("upload", session, "--record", file).stdout
    assert file.stat().st_mode & 0o777 == 0o600
    with lab.client() as client:
        subject = str(client.find_subject("P-001").id)
        recordings = [str(each.id) for each in client.recordings(order="oldest")]
    rows = [
        {"file": "P-001.jpg", "subject": subject, "recording": recordings[0]},
        {"file": "P-001__second try, 2.png", "subject": subject, "recording": recordings[1]},
    ]
    assert rows_in(file) == rows

    # a run that was killed left half a row; the next one says the same again, and nothing twice
    whole = file.read_text()
    file.write_text(whole[: whole.rindex(",") + 3])
    again = consentry("upload", session, "--record", file)
    assert "2 there, 2 refused" in again.stdout, again.stderr
    found = rows_in(file)
    assert [found[0], *found[2:]] == rows
    consentry("upload", session, "--record", file)
    assert rows_in(file) == found


def test_a_record_is_refused_before_anything_is_sent(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    consenting(lab.study, "P-001")
    other = tmp_path / "people.csv"
    other.write_text("subject,email\nP-001,\n")
    wrong = consentry("upload", session, "--record", other)
    assert (wrong.returncode, "no record of uploads" in wrong.stderr) == (2, True)
    assert other.read_text() == "subject,email\nP-001,\n"
    folder = consentry("upload", session, "--record", tmp_path)
    assert (folder.returncode, "cannot be read: Is a directory" in folder.stderr) == (2, True)
    weak = lab.study.key(Scope.RECORDINGS_UPLOAD)
    scope = consentry("upload", session, "--record", tmp_path / "s.csv", CONSENTRY_KEY=weak)
    assert (scope.returncode, "lacks recordings:read" in scope.stderr) == (1, True)
    assert not Recording.objects.exists()


def test_odd_names_stop_no_other_file(
    lab: Lab, consentry: Consentry, photograph: Path, tmp_path: Path
) -> None:
    for name in ("漢字", "Ünal", "-dash", "a b"):
        consenting(lab.study, name)
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (
        b"\xff.jpg",
        "漢字.jpg".encode(),
        "Ünal__1\n2.jpg".encode(),
        b"-dash.jpg",
        b"a b.jpg",
    ):
        (folder / os.fsdecode(name)).write_bytes(photograph.read_bytes())
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    done = consentry("upload", folder, PYTHONIOENCODING="ascii")
    lines = [line.split("  recording ")[0] for line in done.stdout.splitlines()]
    assert lines == [
        "sent       -dash.jpg",
        "sent       a b.jpg",
        "skipped    loop.jpg  not a file",
        "skipped    zero.jpg  not a file",
        r"sent       \xdcnal__1?2.jpg",
        r"sent       \u6f22\u5b57.jpg",
        "skipped    ?.jpg  its name is no text in UTF-8",
        "4 sent, 3 skipped",
    ], done.stderr
    assert done.returncode == 0


def test_a_map_says_whom_files_are_about(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    consenting(lab.study, "Anna, 7")
    listed = tmp_path / "map.csv"
    listed.write_text("\ufefffile;subject\r\nP-002.jpg;Anna, 7\r\n", encoding="utf-8")
    done = consentry("upload", session, "--map", listed)
    assert done.returncode == 0, done.stderr
    assert "sent       P-002.jpg" in done.stdout
    assert "skipped    P-001.jpg  not in the map" in done.stdout
    assert Recording.objects.count() == 1


def test_files_of_one_name_in_two_folders_stay_apart(
    lab: Lab, consentry: Consentry, session: Path, tmp_path: Path
) -> None:
    consenting(lab.study, "P-001")
    for day, name in (("day1", "P-001.jpg"), ("day2", "P-001__second try.png")):
        (session / day).mkdir()
        (session / name).rename(session / day / "smile.jpg")
    listed, record = tmp_path / "map.csv", tmp_path / "sent.csv"
    listed.write_text("file,subject\nday1/smile.jpg,P-001\nday2/smile.jpg,P-001\n")
    rehearsed = consentry("upload", session, "--map", listed, "--dry-run")
    assert "would send day2/smile.jpg" in rehearsed.stdout
    done = consentry("upload", session, "--map", listed, "--record", record)
    assert done.returncode == 0, done.stderr
    assert "sent       day1/smile.jpg  recording" in done.stdout
    assert [row["file"] for row in rows_in(record)] == ["day1/smile.jpg", "day2/smile.jpg"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no file"),
        ("file,subject\n", "names no file"),
        ("name;who\nP-001.jpg;P\n", "first line must have the column file"),
        ("file,subject\nP-001.jpg,P\nP-001.jpg,Q\n", "line 3: this file stands in the map twice"),
        ("file,subject\nP-001.jpg,\n", "line 2: needs a file"),
        ("file,subject\nnowhere.jpg,P\n", "line 2: there is no such file"),
        ("file,subject\n../../etc/passwd,P\n", "line 2: there is no such file"),
        (f"file,subject\nP-001.jpg,{'x' * 121}\n", "1 to 120 characters"),
        ("\x00", "map.csv"),
        ("file,subject\n\udcff.jpg,P\n", "no text in UTF-8"),
        ("file,subject\nloop.jpg,P\n", "line 2: there is no such file"),
    ],
)
def test_a_wrong_map_stops_it_before_anything_is_sent(
    alone: Consentry, session: Path, tmp_path: Path, text: str, says: str
) -> None:
    listed = tmp_path / "map.csv"
    listed.write_text(text, encoding="utf-8", errors="surrogateescape")
    (session / "loop.jpg").symlink_to(session / "loop.jpg")
    done = alone("upload", session, "--map", listed)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_keys_and_places_are_told_apart(
    lab: Lab, consentry: Consentry, session: Path
) -> None:
    consenting(lab.study)
    no_key = consentry("upload", session, CONSENTRY_URL="", CONSENTRY_KEY="")
    assert (no_key.returncode, "consentry login" in no_key.stderr) == (3, True)
    half = consentry("upload", session, CONSENTRY_URL="")
    assert (half.returncode, "CONSENTRY_URL and CONSENTRY_KEY" in half.stderr) == (3, True)
    wrong = consentry("upload", session, "--purpose", lab.purpose, CONSENTRY_KEY="cns_a_secret")
    assert (wrong.returncode, "does not take this key" in wrong.stderr) == (3, True)
    assert "secret" not in wrong.stderr + wrong.stdout
    weak = lab.study.key(Scope.RECORDINGS_READ)
    scope = consentry("upload", session, CONSENTRY_KEY=weak)
    assert (scope.returncode, "lacks recordings:upload" in scope.stderr) == (1, True)
    nowhere = consentry("upload", session / "nothing")
    assert (nowhere.returncode, "is not a folder" in nowhere.stderr) == (2, True)
    plain = consentry("upload", session, CONSENTRY_URL="http://consentry.example.org")
    assert (plain.returncode, "https://" in plain.stderr) == (2, True)
    assert consentry("upload", session, "--key", lab.key).returncode == 2
    assert not Recording.objects.exists()


def test_without_a_server_it_says_so_and_nothing_is_lost(alone: Consentry, session: Path) -> None:
    began = time.monotonic()
    done = alone("upload", session, "--purpose", str(UUID(int=7)))
    assert done.returncode == 4
    assert "Run the command again later" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 60


def test_a_file_that_cannot_be_read_stops_no_other(
    lab: Lab, consentry: Consentry, session: Path
) -> None:
    consenting(lab.study, "P-001")
    (session / "P-001.jpg").unlink()
    (session / "P-001.jpg").symlink_to("/proc/self/mem")  # readable to nobody, also not to root
    done = consentry("upload", session, "--purpose", lab.purpose)
    assert "failed     P-001.jpg  Input/output error" in done.stdout
    assert "sent       P-001__second try.png" in done.stdout


def test_whoever_stops_reading_sees_no_traceback(alone: Consentry, session: Path) -> None:
    code = "import sys; from consentry_client.command_line.main import main; sys.exit(main())"
    listed = session / "people.csv"
    listed.write_text("subject\n" + "".join(f"P-{number}\n" for number in range(20_000)))
    script = f'"{sys.executable}" -c "{code}" invite "{listed}" --dry-run | head -1'
    done = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (
        "would ask  P-0  an operator hands the invitation over\n",
        "",
    )


def test_ctrl_c_loses_nothing(lab: Lab, consentry: Consentry, begun: Begun, session: Path) -> None:
    consenting(lab.study, "P-001")
    child = begun("upload", session, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("sent")
    child.send_signal(signal.SIGINT)
    _out, errors = child.communicate(timeout=60)
    assert child.returncode in (130, 1)  # or it was done just before
    assert "Traceback" not in errors
    if child.returncode == 130:
        assert "Run the command again" in errors
    again = consentry("upload", session)
    assert "there      P-001.jpg" in again.stdout
    assert Recording.objects.count() == 2


def test_a_large_file_goes_on_where_a_killed_run_left_it(
    lab: Lab, consentry: Consentry, begun: Begun, tmp_path: Path
) -> None:
    consenting(lab.study, "P-001")
    folder = tmp_path / "session"
    folder.mkdir()
    noise = numpy.random.default_rng(1).integers(0, 256, (1800, 1800, 3), numpy.uint8)
    cv2.imwrite(str(folder / "P-001.png"), noise)
    size = (folder / "P-001.png").stat().st_size
    assert size > LARGE
    child = begun("upload", folder)
    wait_for(
        lambda: '"at": "/api/v1/uploads/' in "".join(kept(tmp_path).values()), what="a beginning"
    )
    child.kill()
    child.wait()
    done = consentry("upload", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 sent" in done.stdout or "1 there" in done.stdout
    assert Recording.objects.get().size == size


def test_a_line_that_a_crash_cut_off_spoils_nothing(tmp_path: Path) -> None:
    state = UploadState(tmp_path, "p")
    tag = state.tag("P-001", "hash")
    state.note_done(tag, "r")
    with state.path.open("ab") as file:
        file.write(b'{"upload": "half')
    again = UploadState(tmp_path, "p")
    assert again.recordings == {tag: "r"}
    again.note_begun(again.tag("P-002", "hash"), "/api/v1/uploads/1/")
    third = UploadState(tmp_path, "p")
    assert (len(third.recordings), len(third.begun), third.secret) == (1, 1, state.secret)


def test_a_bar_is_shown_on_a_terminal_only(lab: Lab, begun: Begun, session: Path) -> None:
    consenting(lab.study, "P-001")
    ours, theirs = pty.openpty()
    child = begun("upload", session, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = shown_on(ours)
    child.communicate(timeout=60)
    assert b"100%" in shown
    assert b"MB/s" in shown
