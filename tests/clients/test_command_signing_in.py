"""The command ``consentry login``: how a key comes to it, and where it stays."""

from __future__ import annotations

import json
import os
import pty
import re
from pathlib import Path
from uuid import UUID

import pytest

from consentry_client.command_line import private_files
from consentry_client.command_line.outcomes import Stop
from tests.clients.conftest import Begun, Consentry, Lab, kept, shown_on


def test_a_key_is_kept_for_its_user_alone(lab: Lab, consentry: Consentry, tmp_path: Path) -> None:
    nobody = {"CONSENTRY_URL": "", "CONSENTRY_KEY": ""}
    done = consentry("login", lab.url, typed=f"{lab.key}\n", **nobody)
    assert done.returncode == 0, done.stderr
    assert lab.purpose in done.stdout
    assert lab.key not in done.stdout + done.stderr
    file = tmp_path / "home" / ".config" / "consentry" / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text())[lab.purpose]["key"] == lab.key

    listed = consentry("purposes", **nobody)
    assert listed.returncode == 0, listed.stderr
    assert re.match(rf"{lab.purpose}  open       photographs +Story study", listed.stdout)

    file.chmod(0o644)
    open_file = consentry("purposes", **nobody)
    assert (open_file.returncode, "chmod 600" in open_file.stderr) == (2, True)
    file.chmod(0o600)
    assert consentry("logout", **nobody).returncode == 0
    assert not file.exists()


def test_a_mode_is_believed_only_where_it_tells_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{}")
    file.chmod(0o666)  # as every file is on Windows
    with pytest.raises(Stop, match="chmod 600"):
        private_files.read_private(file)
    monkeypatch.setattr(private_files, "MODES_TELL", False)
    assert private_files.read_private(file) == b"{}"


def test_a_dead_key_hides_no_other_purpose(lab: Lab, consentry: Consentry, tmp_path: Path) -> None:
    nobody = {"CONSENTRY_URL": "", "CONSENTRY_KEY": ""}
    assert consentry("login", lab.url, typed=f"{lab.key}\n", **nobody).returncode == 0
    file = tmp_path / "home" / ".config" / "consentry" / "keys.json"
    dead = {str(UUID(int=1)): {"url": lab.url, "key": "cns_a_secret"}}
    file.write_text(json.dumps(dead | json.loads(file.read_text())))
    listed = consentry("purposes", **nobody)
    first, second = listed.stdout.splitlines()
    said = f"its key is not taken any more: consentry login {lab.url}"
    assert (listed.returncode, listed.stderr, first) == (3, "", f"{UUID(int=1)}  {said}")
    assert second.startswith(f"{lab.purpose}  open ")
    wrong = consentry("purposes", CONSENTRY_KEY="cns_a_secret")
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert "does not take this key" in wrong.stderr


def test_ctrl_d_where_something_is_asked_is_no_traceback(begun: Begun) -> None:
    ours, theirs = pty.openpty()
    child = begun("invite", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.write(ours, b"\x04")
    shown += shown_on(ours)
    assert child.wait(timeout=60) == 130
    assert shown.startswith(b"Your reference for this person: ")
    assert b"Interrupted" in shown
    assert b"Traceback" not in shown


@pytest.mark.parametrize("typed", ["", "\n", "a b\n", "x" * 300 + "\n", "schlüssel\n"])
def test_what_is_no_key_is_not_sent_anywhere(alone: Consentry, typed: str) -> None:
    done = alone("login", "http://127.0.0.1:9", typed=typed)
    assert (done.returncode, "no key" in done.stderr) == (3, True)


@pytest.mark.parametrize("key", ["cns_a_secret\r", "cns_a_schlüssel", "cns_a secret"])
def test_a_key_of_the_environment_that_is_none_is_not_shown(alone: Consentry, key: str) -> None:
    done = alone("purposes", CONSENTRY_KEY=key)
    said = "consentry: That is no key. A key begins with cns_ and was shown once.\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


@pytest.mark.parametrize("url", ["https://[bad", "https://a..b", "https://localhost:99999"])
def test_an_address_that_is_none_is_one_line(alone: Consentry, url: str) -> None:
    done = alone("login", url, typed="cns_a_secret\n")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the server's address is none" in done.stderr


@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_what_is_no_length_of_time_is_wrong_usage(alone: Consentry, seconds: str) -> None:
    done = alone("watch", "--timeout", seconds)
    assert (done.returncode, "invalid seconds value" in done.stderr) == (2, True)


def test_a_wrong_key_is_not_kept(lab: Lab, consentry: Consentry, tmp_path: Path) -> None:
    done = consentry("login", lab.url, typed="cns_a_secret\n")
    assert done.returncode == 3
    assert kept(tmp_path) == {}
