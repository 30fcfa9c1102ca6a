"""The set-up: what it says on a machine that is not fit, and what it installs from where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from tools import check, setup


def run(folder: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in a copy of the tools without an environment."""
    (folder / "tools").mkdir()
    for name in ("__init__.py", "setup.py", "bootstrap.lock"):
        (folder / "tools" / name).write_bytes((ROOT / "tools" / name).read_bytes())
    (folder / "requirements.lock").touch()
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | changes,
        capture_output=True,
        text=True,
    )


def test_old_python_is_one_line(tmp_path: Path) -> None:
    pretend = (
        "import runpy, sys; sys.version_info = (3, 10, 13); sys.version = '3.10.13 (main)';"
        "sys.path.insert(0, '.'); runpy.run_module('tools.setup', run_name='__main__')"
    )
    done = run(tmp_path, "-c", pretend)
    assert done.returncode == 1
    assert done.stderr == (
        f"{sys.executable} is Python 3.10.13; Consentry needs 3.11 or newer. "
        "Name another: make run PYTHON=python3.12\n"
    )


def test_missing_venv_names_the_packages(tmp_path: Path) -> None:
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "ensurepip.py").write_text("raise ImportError('not on this machine')")
    done = run(tmp_path, "-m", "tools.setup", PYTHONPATH=str(shim))
    assert done.returncode == 1
    said = "set-up: Python's venv is missing. Install it: apt install python3-venv make git\n"
    assert done.stderr == said
    assert not (tmp_path / ".venv").exists()


def test_unknown_hash_is_refused(tmp_path: Path) -> None:
    """The bootstrap lock is what pip checks uv against; a wrong hash stops the set-up."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "uv-0.0.1-py3-none-any.whl").write_bytes(b"not what was locked")
    shown = run(
        tmp_path, "-c",
        "from tools import setup; setup.BOOTSTRAP.write_text('uv==0.0.1 --hash=sha256:' + '0' * 64);"
        "raise SystemExit(setup.main([]))",
        PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), PIP_CONFIG_FILE=os.devnull,
    )  # fmt: skip
    assert shown.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in shown.stderr


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose uv only writes down what it was asked; returns the note's path."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    note = tmp_path / "asked"
    (binaries / "uv").write_text(f'#!/bin/sh\necho "$@" > {note}\n')
    (binaries / "uv").chmod(0o755)
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    return note


def test_first_install_takes_the_runtime(environment: Path) -> None:
    setup.install("runtime")
    assert "--require-hashes" in environment.read_text()
    assert "/requirements.lock" in environment.read_text()
    environment.unlink()
    setup.install("runtime")
    assert not environment.exists(), "the second time there is nothing to do"


def test_runtime_after_dev_takes_nothing_away(environment: Path) -> None:
    setup.install("dev")
    environment.unlink()
    setup.install("runtime")
    assert not environment.exists()
    setup.STAMP.write_text("requirements-dev.lock of another day")
    setup.install("runtime")
    assert "/requirements-dev.lock" in environment.read_text()


def test_dev_after_runtime_installs_the_rest(environment: Path) -> None:
    setup.install("runtime")
    setup.install("dev")
    assert "/requirements-dev.lock" in environment.read_text()


def test_uv_takes_the_indexes_of_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = file:///a\nextra-index-url = file:///b\n  file:///c\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_INDEX_URL", "file:///from-the-environment")
    found = setup.uv_environment()
    assert found["UV_DEFAULT_INDEX"] == "file:///from-the-environment"
    assert {"file:///b", "file:///c"} <= set(found["UV_INDEX"].split())
    assert "UV_INDEX" not in setup.uv_environment(partial=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "file:///own")
    assert setup.uv_environment()["UV_DEFAULT_INDEX"] == "file:///own"


def test_lock_files_name_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.no_addresses() == []
    lock = tmp_path / "requirements.lock"
    lock.write_text("--index-url https://host.example/simple\nuv==1\n")
    monkeypatch.setitem(setup.LOCKS, "runtime", lock)
    assert check.no_addresses() == ["requirements.lock:1: --index-url https://host.example/simple"]


def test_changed_vendored_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.vendored_files() == []
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "lib.js").write_text("changed")
    (tmp_path / "SHA256SUMS").write_text("00  lib/lib.js\n11  lib/gone.js\n")
    monkeypatch.setattr(check, "VENDOR", tmp_path)
    assert [line.split(":")[0] for line in check.vendored_files()] == [
        "static/vendor/lib/gone.js",
        "static/vendor/lib/lib.js",
    ]
