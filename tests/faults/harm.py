"""What a tired operator does to an installation, each as a context that mends it again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections

from config import env
from tests.absent import absent
from tests.databases import create, drop, is_sqlite, point


@contextmanager
def gone(alias: str) -> Iterator[None]:
    """A database is not where it was: its file is moved, or no database has its name."""
    name = str(connections[alias].settings_dict["NAME"])
    if not is_sqlite():
        point(alias, f"{name}_gone")
        yield
        point(alias, name)
        return
    connections[alias].close()
    away = Path(name).rename(f"{name}.away")
    point(alias, env.sqlite_name(name))  # as the settings have it
    yield
    assert not Path(name).exists(), "a new database was made in its place"
    point(alias, name)
    away.rename(name)


def restart_server() -> None:
    """The database server starts again: to this process' connections nobody answers any more."""
    if is_sqlite():
        pytest.skip("SQLite has no server")
    for each in connections.all(initialized_only=True):
        if each.connection is None:
            continue
        killer = each.copy()
        with killer.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [each.connection.info.backend_pid])
        killer.close()


@contextmanager
def emptied(alias: str) -> Iterator[None]:
    """A new, empty database stands in the place of the old one."""
    name = str(connections[alias].settings_dict["NAME"])
    empty = f"{name}_empty"
    Path(empty).touch() if is_sqlite() else create(empty)
    point(alias, empty)
    yield
    tables = connections[alias].introspection.table_names()
    point(alias, name)
    None if is_sqlite() else drop(empty)
    assert tables == []


def epochs() -> Path:
    return settings.KEYS_DIR / "epochs"


@contextmanager
def folder_gone() -> Iterator[None]:
    away = epochs().rename(settings.KEYS_DIR / "elsewhere")
    yield
    assert not epochs().exists()
    away.rename(epochs())


@contextmanager
def other_key() -> Iterator[None]:
    kept = {path: path.read_bytes() for path in epochs().glob("*.key")}
    for path in kept:
        path.write_bytes(os.urandom(32))
    yield
    for path, key in kept.items():
        path.write_bytes(key)


@contextmanager
def folder_open() -> Iterator[None]:
    epochs().chmod(0o755)
    yield
    epochs().chmod(0o700)


KEYS_AWAY: dict[str, tuple[Callable[[], AbstractContextManager[None]], str]] = {
    "keystore-gone": (lambda: gone("keystore"), "keystore-unavailable"),
    "keystore-empty": (lambda: emptied("keystore"), "keystore-unavailable"),
    "folder-gone": (folder_gone, "root-key-missing"),
    "other-key": (other_key, "wrong-root-key"),
    "folder-open": (folder_open, "insecure-key-file"),
}


class SmallDisk:
    """The databases lie on a file system that can be filled to the last byte."""

    def __init__(self, folder: Path) -> None:
        self.filler = folder / "filler"

    def fill(self) -> None:
        with self.filler.open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def clear(self) -> None:
        self.filler.unlink(missing_ok=True)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A file system of this size lies at ``folder``, which is made; needs the right to mount."""
    folder.mkdir()
    mount = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        absent("the right to mount a file system that is soon full (root, CAP_SYS_ADMIN)")
    try:
        yield
    finally:
        subprocess.run(["/usr/bin/env", "umount", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Both SQLite databases move to a file system of 16 MiB."""
    if not is_sqlite():
        pytest.skip("the disk of a database server is not ours to fill")
    with mounted(folder, "16m"):
        names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}
        for alias, name in names.items():
            connections[alias].close()
            point(alias, str(shutil.copy(name, folder)))
        try:
            yield SmallDisk(folder)
        finally:
            for alias, name in names.items():
                point(alias, name)
