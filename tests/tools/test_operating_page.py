"""From an empty machine to a first study in docs/operating.md, as far as it runs without systemd."""

from __future__ import annotations

import re
import subprocess
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
# systemd looks for a program that is no whole path where its caller stands, which for cron is /root, and
# goes to the working directory only then.
SYSTEMD_RUN = """#!/bin/sh
while [ "$1" ]; do
    case "$1" in
        -p) shift; case "$1" in WorkingDirectory=*) folder="${1#*=}";; User=consentry) who=1;; esac; shift;;
        --*) shift;;
        *) break;;
    esac
done
[ "$who" ] || { echo "as whom?"; exit 1; }
[ -x "$1" ] || { echo "Failed to find executable $1"; exit 1; }
cd "$folder" && exec "$@"
"""


def fence(beginning: str) -> str:
    """The one block of the section that begins so."""
    (found,) = (each for each in FENCES if each.startswith(beginning))
    return found


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """What stands in the page as /usr/local/sbin/consentry, for this folder and without systemd."""
    systemd_run, path = tmp_path / "systemd-run", tmp_path / "consentry"
    systemd_run.write_text(SYSTEMD_RUN)
    text = fence("#!/bin/sh").replace(HOME, str(ROOT))
    path.write_text(text.replace("/usr/bin/systemd-run", str(systemd_run)))
    for each in (systemd_run, path):
        each.chmod(0o755)
    return path


def run(words: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)],
        cwd=folder,
        # cron's path, and what stands in /etc/consentry.env
        env={"PATH": "/usr/bin:/bin", "SECRET_KEY": "a" * 60},
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
