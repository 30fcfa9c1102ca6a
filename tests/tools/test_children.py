"""Supervised processes: real ones, small enough to start in milliseconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tools.children import LARGEST_LOG, Child
from tools.installation import Installation
from tools.supervise import Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
# A parent that dies of TERM at once and leaves somebody behind who notes every TERM and stays.
NEGLIGENT = """
import os, signal, subprocess, sys, time
code = '''
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path("told").touch())
pathlib.Path("left").write_text(str(os.getpid()))
time.sleep(600)
'''
subprocess.Popen([sys.executable, "-c", code])
time.sleep(600)
"""
DEAF = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("ready").touch()
time.sleep(600)
"""


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def installation_in(folder: Path) -> Installation:
    return Installation(folder, folder / "keys", {})


def make(folder: Path, code: str, grace: float = 8.0) -> Child:
    installation = installation_in(folder)
    for needed in (installation.run, installation.log):
        needed.mkdir(exist_ok=True)
    command = [sys.executable, "-c", code]
    return Child("child", command, folder, dict(os.environ), installation, grace)


def pid_of(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


def test_death_restarts_after_a_pause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = make(tmp_path, SLEEPER)
    child.start()
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not child.alive())
    child.watch()
    assert child.process is None
    assert "child: ended (signal 9)" in capsys.readouterr().out
    wait_for(lambda: child.watch() or child.process)
    assert pid_of(child) != first
    child.finish()


def test_nowhere_to_say_it_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = make(tmp_path, SLEEPER)
    child.start()
    first = pid_of(child)
    child.pid_file.unlink()
    child.pid_file.mkdir()  # a file that cannot be removed
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not child.alive())
    full = Path("/dev/full").open("w")  # noqa: SIM115  # to close it raises, too
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        child.watch()
    with suppress(OSError):  # what it could not write is still in it
        full.close()
    wait_for(lambda: child.watch() or child.process)
    assert pid_of(child) != first
    child.finish()


def test_pause_grows_with_each_death(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = make(tmp_path, "raise SystemExit(3)")
    pauses = []
    for _ in range(8):
        child.start()
        wait_for(lambda: not child.alive())
        before = time.monotonic()
        child.watch()
        pauses.append(round(child.start_at - before))
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert "child: ended (status 3), starts again in 30 s" in capsys.readouterr().out


def test_termination_tells_the_parent_only_and_kills_who_is_left(tmp_path: Path) -> None:
    child = make(tmp_path, NEGLIGENT)
    child.start()
    left = tmp_path / "left"
    wait_for(lambda: left.exists() and left.read_text())
    child.terminate()
    wait_for(lambda: not child.alive())
    orphan = int(left.read_text())
    assert running(orphan)
    assert not (tmp_path / "told").exists()
    child.finish()
    wait_for(lambda: not running(orphan))


def test_one_that_died_unseen_keeps_nobody_from_ending_the_others(tmp_path: Path) -> None:
    dead, deaf = make(tmp_path, SLEEPER), make(tmp_path, DEAF, grace=0.3)
    supervisor = Supervisor(installation_in(tmp_path), "127.0.0.1", 0)
    supervisor.children = [dead, deaf]
    for child in supervisor.children:
        child.start()
    wait_for((tmp_path / "ready").exists)
    left = pid_of(deaf)
    os.kill(pid_of(dead), signal.SIGKILL)
    wait_for(lambda: not dead.alive())
    supervisor.stop()
    assert not running(left)
    assert dead.process is None


def test_restart_kills_who_does_not_listen(tmp_path: Path) -> None:
    child = make(tmp_path, DEAF, grace=0.3)
    child.start()
    first = pid_of(child)
    wait_for((tmp_path / "ready").exists)
    child.terminate()
    time.sleep(0.1)
    child.watch()
    assert pid_of(child) == first, "the grace period is not over"
    wait_for(lambda: child.watch() or pid_of(child) != first)
    assert not running(first)
    child.finish()


def test_asked_restart_has_no_pause(tmp_path: Path) -> None:
    child = make(tmp_path, SLEEPER)
    child.start()
    first = pid_of(child)
    child.terminate()
    wait_for(lambda: not child.alive())
    child.watch()
    child.watch()
    assert pid_of(child) != first
    child.finish()


def test_pid_file_lives_as_long_as_the_process(tmp_path: Path) -> None:
    child = make(tmp_path, SLEEPER)
    child.start()
    assert child.pid_file.read_text() == f"{pid_of(child)}\n"
    child.finish()
    assert not child.pid_file.exists()


def test_output_is_kept_and_a_large_log_is_set_aside(tmp_path: Path) -> None:
    child = make(tmp_path, "print('hello')")
    child.log.write_bytes(b"x" * (LARGEST_LOG + 1))
    child.start()
    wait_for(lambda: not child.alive())
    child.finish()
    assert child.log.read_text() == "hello\n"
    assert child.log.with_suffix(".log.1").stat().st_size == LARGEST_LOG + 1


def test_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, pathlib, signal, sys
        sys.path.insert(0, {str(Path.cwd())!r})
        from tests.tools.test_children import SLEEPER, make, pid_of
        child = make(pathlib.Path({str(tmp_path)!r}), SLEEPER)
        child.start()
        pathlib.Path("pid").write_text(str(pid_of(child)))
        signal.pause()
        """
    )
    supervisor = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    try:
        log = tmp_path / "log" / "child.log"
        wait_for(lambda: log.exists() and log.read_text() == "up\n")
        pid = int((tmp_path / "pid").read_text())
        assert running(pid)
    finally:
        supervisor.kill()
        supervisor.wait()
    wait_for(lambda: not running(pid))
