"""From an empty machine to a first study in docs/operating.md, as far as it runs without systemd."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.processes import ROOT
from tools.children import GRACE
from tools.supervise import WORKER_GRACE

HOME = "/srv/consentry/consentry"
SCRIPT = "/usr/local/sbin/consentry"
PAGE = (ROOT / "docs" / "operating.md").read_text()
SECTION = PAGE.split("## From an empty machine to a first study\n", 1)[1].split("\n## ", 1)[0]
FENCES = re.findall(r"^```\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
ROLES = PAGE.split("## Two roles on PostgreSQL\n", 1)[1].split("\n## ", 1)[0]
# systemd looks for a program that is no whole path where its caller stands, which for cron is /root, and
# goes to the working directory only then. Nothing of its caller's environment is passed on.
SYSTEMD_RUN = f"""#!{sys.executable}
import os, sys
from pathlib import Path

told, words = dict(), sys.argv[1:]
given = dict(PATH="/usr/bin:/bin")
while words and words[0].startswith("-"):
    if words.pop(0) == "-p":
        name, _, value = words.pop(0).partition("=")
        told[name] = value
        if name == "EnvironmentFile":
            given |= (line.split("=", 1) for line in Path(value).read_text().splitlines())
if told.get("User") != "consentry":
    sys.exit("as whom?")
if not os.access(words[0], os.X_OK):
    sys.exit("Failed to find executable " + words[0])
os.chdir(told["WorkingDirectory"])
os.execve(words[0], words, given)
"""


def fence(beginning: str) -> str:
    """The one block of the section that begins so."""
    (found,) = (each for each in FENCES if each.startswith(beginning))
    return found


def written(text: str, path: Path) -> Path:
    """A script of the page for this folder, without systemd; what it has in /etc lies beside it."""
    systemd_run = path.parent / "systemd-run"
    systemd_run.write_text(SYSTEMD_RUN)
    text = text.replace(HOME, str(ROOT)).replace("=/etc/", f"={path.parent}/")
    path.write_text(text.replace("/usr/bin/systemd-run", str(systemd_run)))
    for each in (systemd_run, path):
        each.chmod(0o755)
    return path


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """What stands in the page as /usr/local/sbin/consentry."""
    urls = "DATABASE_URL=postgres://consentry@db/consentry\nKEYSTORE_URL=postgres://consentry@db/keys\n"
    (tmp_path / "consentry.env").write_text(f"SECRET_KEY={'a' * 60}\n{urls}")
    return written(fence("#!/bin/sh"), tmp_path / "consentry")


def run(words: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": "of the caller"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_script_finds_the_program_from_wherever_it_is_called(
    script: Path, tmp_path: Path
) -> None:
    done = run([script, "backup", "--help"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "usage: manage.py backup" in done.stdout
    wrong = run([script, "nonsense"], tmp_path)
    assert (wrong.returncode, "Unknown command: 'nonsense'" in wrong.stderr) == (1, True)


def test_only_the_migrators_script_connects_as_the_migrator(script: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", ROLES, re.DOTALL | re.MULTILINE)
    (text,) = (each for each in blocks if each.startswith("#!/bin/sh"))
    (variables,) = (each for each in blocks if each.startswith("DATABASE_OWNER="))
    assert "export " not in ROLES, "a shell would keep it for what it starts next"
    (tmp_path / "consentry-migrator.env").write_text(variables)
    migrator = written(text, tmp_path / "consentry-migrator")
    ours, theirs = (run([each, "diffsettings"], tmp_path).stdout for each in (script, migrator))
    assert ("'USER': 'consentry'" in ours, "consentry_owner" in ours) == (True, False)
    for name in ("consentry", "consentry_keys"):
        assert f"'NAME': '{name}', 'USER': 'consentry_migrator'" in theirs
    assert "'USER': 'consentry'," not in theirs
    assert "DATABASE_OWNER = 'consentry_owner'" in theirs
    assert "DATABASE_APPLICATION = 'consentry'" in theirs


def test_cron_calls_that_script_with_commands_that_there_are(script: Path, tmp_path: Path) -> None:
    (lines,) = (each.splitlines() for each in FENCES if "* root" in each)
    assert len(lines) == 2
    for line in lines:
        *_when, who, program, command, to = line.split()
        assert (who, program) == ("root", SCRIPT)
        assert run([script, command, "--help"], tmp_path).returncode == 0
        assert to.startswith("/mnt/copies")
    assert "install -d -o consentry -m 700 /mnt/copies\n" in FENCES


def test_systemd_tells_the_supervisor_alone_to_stop() -> None:
    unit = fence("[Unit]").splitlines()
    assert "KillMode=mixed" in unit
    (patience,) = (line.split("=")[1] for line in unit if line.startswith("TimeoutStopSec="))
    assert int(patience) > max(GRACE, WORKER_GRACE), "what is left then is killed"


def test_every_command_is_there_in_every_shell() -> None:
    assert f"`{SCRIPT}`, mode 0755" in SECTION
    called = re.findall(r"^consentry (\w+)", "".join(FENCES), re.MULTILINE)
    assert {"setup", "check", "backup"} <= set(called) <= set(get_commands())
    assert "consentry()" not in PAGE
    for program in re.findall(r"^ExecStart=(\S+)|^exec (\S+)|(\S*python) ", "".join(FENCES), re.M):
        assert "".join(program).startswith("/"), program
