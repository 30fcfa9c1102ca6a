"""The walk with plain curl in docs/api.md, line by line against a running installation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from audit_log.actions import Action
from audit_log.models import LogEntry
from tests.cast import consenting
from tests.clients.conftest import Lab
from tests.processes import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()


@pytest.mark.processes
def test_the_walk_of_the_page(
    lab: Lab,
    photograph: Path,
    tmp_path: Path,
    worker: subprocess.Popen[bytes],
    keeper: subprocess.Popen[bytes],
) -> None:
    (script,) = re.findall(r"<!-- runs: walk -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    consenting(lab.study)
    shutil.copy(photograph, tmp_path)
    given = {"URL": lab.url, "KEY": lab.key, "PURPOSE": lab.purpose, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-exc", script], env=given, cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    assert '"top":"happy"' in told
    assert "c2sp.org/tlog-proof@v1" in told
    assert told[-1] == "[]"
    read = LogEntry.objects.get(action=Action.RESULT_READ)
    assert str(read.entry_id) in (tmp_path / "result.json").read_text()
    assert read.entry().draft.actor.startswith("client:")
