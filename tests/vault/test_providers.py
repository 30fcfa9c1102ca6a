"""Epoch keys in files: private, never overwritten, gone when destroyed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from vault.errors import InsecureKeyFile, RootKeyMissing, WrongRootKey
from vault.providers import file as file_module
from vault.providers.file import FileProvider

KEY = os.urandom(32)
EPOCH = uuid7()


@pytest.fixture
def provider(tmp_path: Path) -> FileProvider:
    made = FileProvider(tmp_path / "root" / "epochs")
    made.create(EPOCH)
    return made


def test_key_file_is_private_and_alone(provider: FileProvider) -> None:
    path = provider.path(EPOCH)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(provider.folder.stat().st_mode) == 0o700
    assert path.stat().st_size == 32
    assert list(provider.folder.iterdir()) == [path]
    assert path.stat().st_nlink == 1


def test_wrapped_key_opens_again(provider: FileProvider) -> None:
    wrapped = provider.wrap(EPOCH, KEY, b"aad")
    assert len(wrapped) == 61
    assert provider.unwrap(EPOCH, wrapped, b"aad") == KEY
    assert provider.wrap(EPOCH, KEY, b"aad") != wrapped


def test_creating_again_changes_nothing(provider: FileProvider) -> None:
    before = provider.path(EPOCH).read_bytes()
    provider.create(EPOCH)
    assert provider.path(EPOCH).read_bytes() == before
    assert len(list(provider.folder.iterdir())) == 1


def test_wrapped_key_is_bound(provider: FileProvider) -> None:
    wrapped = provider.wrap(EPOCH, KEY, b"aad")
    other = uuid7()
    provider.create(other)
    changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for epoch, body, aad in (
        (EPOCH, wrapped, b"other"),
        (EPOCH, changed, b"aad"),
        (EPOCH, b"\x02" + wrapped[1:], b"aad"),
        (EPOCH, wrapped[:5], b"aad"),
        (EPOCH, b"", b"aad"),
        (other, wrapped, b"aad"),
    ):
        with pytest.raises(WrongRootKey):
            provider.unwrap(epoch, body, aad)


def test_destroyed_key_is_gone(provider: FileProvider) -> None:
    wrapped = provider.wrap(EPOCH, KEY, b"aad")
    before = provider.path(EPOCH).read_bytes()
    with provider.path(EPOCH).open("rb") as still_open:
        provider.destroy(EPOCH)
        assert still_open.read() not in (before, b"")  # overwritten before it was removed
    provider.destroy(EPOCH)
    assert list(provider.folder.iterdir()) == []
    with pytest.raises(RootKeyMissing, match=str(EPOCH)):
        provider.unwrap(EPOCH, wrapped, b"aad")
    with pytest.raises(RootKeyMissing):
        provider.wrap(EPOCH, KEY, b"aad")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o666, 0o700])
def test_key_file_that_others_can_read_is_refused(provider: FileProvider, mode: int) -> None:
    wrapped = provider.wrap(EPOCH, KEY, b"aad")
    provider.path(EPOCH).chmod(mode)
    with pytest.raises(InsecureKeyFile, match=f"has mode {mode:04o}; expected 0600"):
        provider.unwrap(EPOCH, wrapped, b"aad")
    with pytest.raises(InsecureKeyFile):
        provider.wrap(EPOCH, KEY, b"aad")


@pytest.mark.parametrize("mode", [0o750, 0o755, 0o777])
def test_folder_that_others_can_enter_is_refused(provider: FileProvider, mode: int) -> None:
    provider.folder.chmod(mode)
    with pytest.raises(InsecureKeyFile, match=f"has mode {mode:04o}; expected 0700"):
        provider.wrap(EPOCH, KEY, b"aad")
    with pytest.raises(InsecureKeyFile):
        provider.create(uuid7())


def test_another_owner_is_refused(provider: FileProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = os.geteuid() + 1
    monkeypatch.setattr(file_module.os, "geteuid", lambda: stranger)
    with pytest.raises(InsecureKeyFile, match=f"expected {stranger}"):
        provider.wrap(EPOCH, KEY, b"aad")


def test_file_of_the_wrong_size_is_refused(provider: FileProvider) -> None:
    provider.path(EPOCH).write_bytes(b"short")
    with pytest.raises(InsecureKeyFile, match="expected a file of 32 bytes, got 5"):
        provider.wrap(EPOCH, KEY, b"aad")


def test_link_is_refused(provider: FileProvider, tmp_path: Path) -> None:
    path = provider.path(EPOCH)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InsecureKeyFile, match="plain file"):
        provider.wrap(EPOCH, KEY, b"aad")


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RootKeyMissing, match="folder"):
        FileProvider(tmp_path / "none").wrap(EPOCH, KEY, b"aad")
