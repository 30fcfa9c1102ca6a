"""Every line of the client's README runs."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consent.webhook_sending import signed
from tests.cast import consenting
from tests.clients.conftest import SOURCE, Lab, other_photographs
from tests.clients.test_webhooks import BODY, SECRET
from tests.processes import ROOT

README = ROOT / "clients" / "python" / "README.md"
BLOCKS = re.findall(r"<!-- runs: (\w+) -->\n```\w*\n(.*?)```", README.read_text(), re.DOTALL)


def blocks(kind: str) -> list[str]:
    found = [text for named, text in BLOCKS if named == kind]
    assert found
    return found


def test_every_block_but_the_installation_is_run() -> None:
    kinds = {kind for kind, _text in BLOCKS}
    assert kinds == {"command", "join", "python", "async", "webhook"}
    fences = README.read_text().count("```") // 2
    not_run = README.read_text().count("<!-- not run -->\n```")
    assert (
        not_run == 2
    )  # pandas and R, which are no dependencies; they do what the block of "join" does
    assert fences == len(BLOCKS) + not_run + 1  # how it is built and installed, test_package sees


def printed(code: str, **names: Any) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, str(README), "exec"), names)
    return out.getvalue()


@pytest.fixture
def folder(lab: Lab, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    consenting(lab.study)
    (tmp_path / "session").mkdir()
    other_photographs(photograph, tmp_path / "session", "P-001.jpg")
    (tmp_path / "people.csv").write_text("subject,email\nP-001,\nP-002,someone@example.org\n")
    (tmp_path / "key.txt").write_text(lab.key)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.processes
def test_the_commands(lab: Lab, folder: Path, worker: subprocess.Popen[bytes]) -> None:
    (folder / "bin").mkdir()
    command = folder / "bin" / "consentry"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m consentry_client "$@"\n')
    command.chmod(0o755)
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),
        "HOME": str(folder / "home"),
        "URL": lab.url,
    }
    (script,) = blocks("command")
    done = subprocess.run(
        ["sh", "-ec", script],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Whether there was still something to watch depends on how fast the worker is.
    for line in ("1 asked", "1 sent", "1 fetched", "nothing to do"):
        assert line in done.stdout
    (join,) = blocks("join")
    joined = printed(join).splitlines()
    assert all(line.startswith("P-001,P-001.jpg,20") for line in joined), joined
    assert any(",happy,0.9" in line for line in joined)


@pytest.mark.processes
def test_the_library(lab: Lab, folder: Path, worker: subprocess.Popen[bytes]) -> None:
    given = {"URL": lab.url, "KEY": lab.key}
    first, second = blocks("python")
    assert printed(first, **given) == "happy\n"
    names = "from consentry_client import Client\n"
    assert "100%" in printed(names + second, **given)
    (code,) = blocks("async")
    whole = (
        f"async def walk():\n{textwrap.indent(code, '    ')}\nimport asyncio\nasyncio.run(walk())"
    )
    assert "stored" in printed(whole, **given) or "erased" in printed(whole, **given)


@pytest.mark.parametrize("secret", [SECRET, SECRET[:-6] + "AAAAA="])
def test_the_webhook(secret: str) -> None:
    (code,) = blocks("webhook")
    headers = signed(uuid4(), datetime.now(UTC), BODY, [b"k" * 32])
    said = printed(f"{code}\nprint(status)", body=BODY, headers=headers, SECRET=secret)
    assert said == ("erase what you have of s\n204\n" if secret == SECRET else "400\n")
