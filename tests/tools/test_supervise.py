"""The supervisor: what it refuses to start over, and one whole installation under it."""

from __future__ import annotations

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, wait_for
from tests.tools.test_children import running
from tools.installation import from_environment

COMMAND = [sys.executable, "-m", "tools.supervise"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """A demo in a folder of its own; nothing of the tests' own installation."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {"SECRET_KEY", "SITE_URL", "ALLOWED_HOSTS", "DATABASE_URL", "KEYSTORE_URL",
                        "CELERY_BROKER_URL", "CONSENTRY_DEMO"}
    }  # fmt: skip
    places = {"CONSENTRY_VAR": str(folder / "var"), "CONSENTRY_KEYS": str(folder / "keys")}
    return clean | places | {"PORT": str(free_port()), "CONSENTRY_WORKERS": "1"} | changes


def refusal(folder: Path, **changes: str) -> str:
    """What it says when it does not start; one line, and nothing was made or started."""
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(folder, **changes), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert not (folder / "keys").exists()
    return done.stderr


def test_busy_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(tmp_path, PORT=str(port))
    assert said == f"Port {port} on 127.0.0.1 is in use. Choose another: make run PORT={port + 1}\n"


def test_second_supervisor_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "var" / "run").mkdir(parents=True)
    with (tmp_path / "var" / "run" / "supervisor.lock").open("w+") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = refusal(tmp_path)
    assert said == f"Consentry already runs in {tmp_path / 'var'} (process 4711).\n"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_impossible_port_is_one_line(tmp_path: Path, port: str) -> None:
    said = refusal(tmp_path, PORT=port)
    assert said == f"PORT must be a number from 1 to 65535; got {port!r}.\n"


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(tmp_path, CONSENTRY_VAR=str(tmp_path / "file" / "var"))
    assert said == f"{tmp_path / 'file' / 'var'} cannot be made: Not a directory.\n"


def test_address_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, HOST="192.0.2.1").startswith("Cannot listen on 192.0.2.1 port")


@pytest.mark.parametrize(
    ("kind", "given", "demo"),
    [
        ("", {}, True),
        ("demo", {}, True),
        ("real", {}, False),
        ("", {"CONSENTRY_DEMO": "0"}, False),
        ("", {"SITE_URL": "https://consentry.example.org"}, False),
        ("", {"DATABASE_URL": "postgres://db/consentry"}, False),
    ],
)
def test_demo_is_never_made_of_anything_else(
    tmp_path: Path, kind: str, given: dict[str, str], demo: bool
) -> None:
    if kind:
        (tmp_path / "installation").write_text(f"{kind}\n")
    assert from_environment({"CONSENTRY_VAR": str(tmp_path)} | given, 8000).demo is demo


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """A fresh demo that answers: (its supervisor, its folder, its port)."""
    given = environment(tmp_path)
    with (tmp_path / "said").open("w") as said:
        child = subprocess.Popen(COMMAND, cwd=ROOT, env=given, stdout=said, stderr=said, text=True)
        try:
            wait_for(lambda: (tmp_path / "var" / "run" / "keeper.pid").exists(), 120, "the start")
            yield child, tmp_path, int(given["PORT"])
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def pid(folder: Path, name: str) -> int:
    try:
        return int((folder / "var" / "run" / f"{name}.pid").read_text())
    except (FileNotFoundError, ValueError):  # between two lives
        return 0


@pytest.mark.processes
def test_installation_starts_heals_and_stops(
    supervisor: tuple[subprocess.Popen[str], Path, int],
) -> None:
    child, folder, port = supervisor
    wait_for(lambda: ready(port), 60, "/readyz")
    said = (folder / "said").read_text()
    assert f"Consentry runs at http://localhost:{port} (a demo)" in said
    assert said.count("one-time codes") == 2, "the logins, once, and the hint below the address"
    for private in ("var", "keys", "var/broker/queue", "var/run"):
        assert (folder / private).stat().st_mode & 0o777 == 0o700, private
    for secret in ("keys/secret_key", "keys/demo_logins"):
        assert (folder / secret).stat().st_mode & 0o777 == 0o600, secret

    keeper, worker = pid(folder, "keeper"), pid(folder, "worker")
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: pid(folder, "keeper") not in {0, keeper}, 10, "a new keeper")

    (folder / "var" / "run" / "restart-worker").touch()
    wait_for(lambda: pid(folder, "worker") not in {0, worker}, 20, "a new worker")
    assert not (folder / "var" / "run" / "restart-worker").exists()
    assert not running(worker)

    pids = [pid(folder, name) for name in ("web", "worker", "keeper")]
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0
    assert not any(running(number) for number in pids)
    said = (folder / "said").read_text()
    assert "keeper: ended (signal 9)" in said
    assert "worker: a restart was asked for" in said
    assert said.endswith("stopped\n")
