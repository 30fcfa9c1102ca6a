"""Epoch keys with each provider: bound, never made anew, gone when destroyed; and its own dangers."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import httpx
import pytest
from uuid_utils.compat import uuid7

from tests.vault.bao import POLICY, Bao
from vault.errors import InsecureKeyFile, ProviderUnavailable, RootKeyMissing, WrongRootKey
from vault.providers import Provider
from vault.providers import file as file_module
from vault.providers.file import FileProvider
from vault.providers.transit import PREFIX, data_of

KEY = os.urandom(32)
EPOCH = uuid7()


@pytest.fixture(params=["file", "transit"])
def any_provider(request: pytest.FixtureRequest, tmp_path: Path) -> Provider:
    """Each provider with the key of one epoch."""
    made: Provider
    if request.param == "file":
        made = FileProvider(tmp_path / "root" / "epochs")
    else:
        made = request.getfixturevalue("bao").provider()
    assert not made.has_keys()
    made.create(EPOCH)
    return made


# --- what every provider does ----------------------------------------


def test_wrapped_key_opens_again(any_provider: Provider) -> None:
    wrapped = any_provider.wrap(EPOCH, KEY, b"aad")
    assert KEY not in wrapped
    assert any_provider.unwrap(EPOCH, wrapped, b"aad") == KEY
    assert any_provider.wrap(EPOCH, KEY, b"aad") != wrapped


def test_it_says_where_a_key_lies(any_provider: Provider) -> None:
    assert str(EPOCH) in any_provider.place(EPOCH)


def test_creating_again_changes_nothing(any_provider: Provider) -> None:
    wrapped = any_provider.wrap(EPOCH, KEY, b"aad")
    any_provider.create(EPOCH)
    assert any_provider.unwrap(EPOCH, wrapped, b"aad") == KEY
    assert any_provider.has_keys()


def test_wrapped_key_is_bound(any_provider: Provider) -> None:
    wrapped = any_provider.wrap(EPOCH, KEY, b"aad")
    other = uuid7()
    any_provider.create(other)
    changed = wrapped[:-3] + bytes([wrapped[-3] ^ 1]) + wrapped[-2:]
    for epoch, body, aad in (
        (EPOCH, wrapped, b"other"),
        (EPOCH, wrapped, b""),
        (EPOCH, changed, b"aad"),
        (EPOCH, b"\x02" + wrapped[1:], b"aad"),
        (EPOCH, wrapped[:5], b"aad"),
        (EPOCH, b"", b"aad"),
        (EPOCH, b"\xff" * 61, b"aad"),
        (other, wrapped, b"aad"),
    ):
        with pytest.raises(WrongRootKey):
            any_provider.unwrap(epoch, body, aad)


def test_moved_keys_open_in_the_next_epoch_only(any_provider: Provider) -> None:
    new, keys = uuid7(), [os.urandom(32) for _ in range(3)]
    any_provider.create(new)
    bound = [
        (any_provider.wrap(EPOCH, key, b"old %d" % n), b"old %d" % n, b"new %d" % n)
        for n, key in enumerate(keys)
    ]
    moved = any_provider.rewrap(EPOCH, new, bound)
    assert [any_provider.unwrap(new, m, b"new %d" % n) for n, m in enumerate(moved)] == keys
    for epoch, aad in ((EPOCH, b"new 0"), (EPOCH, b"old 0"), (new, b"old 0"), (new, b"new 1")):
        with pytest.raises(WrongRootKey):
            any_provider.unwrap(epoch, moved[0], aad)
    assert any_provider.rewrap(EPOCH, new, []) == []
    wrong = [bound[0], (bound[1][0], b"other", b"new 1")]
    with pytest.raises(WrongRootKey):
        any_provider.rewrap(EPOCH, new, wrong)


def test_destroyed_key_is_gone_and_is_not_made_again(any_provider: Provider) -> None:
    wrapped = any_provider.wrap(EPOCH, KEY, b"aad")
    any_provider.destroy(EPOCH)
    any_provider.destroy(EPOCH)
    new = uuid7()
    any_provider.create(new)
    for _ in range(2):  # the first attempt must not have made it
        with pytest.raises(RootKeyMissing, match=str(EPOCH)):
            any_provider.wrap(EPOCH, KEY, b"aad")
        with pytest.raises(RootKeyMissing, match=str(EPOCH)):
            any_provider.unwrap(EPOCH, wrapped, b"aad")
        with pytest.raises(RootKeyMissing):
            any_provider.rewrap(EPOCH, new, [(wrapped, b"aad", b"aad")])


# --- key files ----------------------------------------


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


def test_a_key_file_is_never_written_again(provider: FileProvider) -> None:
    before = provider.path(EPOCH).read_bytes()
    provider.create(EPOCH)
    assert provider.path(EPOCH).read_bytes() == before
    assert len(list(provider.folder.iterdir())) == 1


def test_key_file_is_overwritten_before_it_is_removed(provider: FileProvider) -> None:
    before = provider.path(EPOCH).read_bytes()
    with provider.path(EPOCH).open("rb") as still_open:
        provider.destroy(EPOCH)
        assert still_open.read() not in (before, b"")
    assert list(provider.folder.iterdir()) == []


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


# --- a Transit server ----------------------------------------


def test_the_key_cannot_be_taken_out_of_the_server(bao: Bao) -> None:
    provider = bao.provider()
    provider.create(EPOCH)
    mount = str(provider.client.base_url.path).removeprefix("/v1/").strip("/")
    key = bao.ask("GET", f"{mount}/keys/{PREFIX}{EPOCH}")["data"]
    assert (key["type"], key["derived"], key["exportable"]) == ("aes256-gcm96", True, False)
    assert not key["allow_plaintext_backup"]
    for path in ("export/encryption-key", "backup"):  # not even for its administrator
        with pytest.raises(httpx.HTTPStatusError):
            bao.ask("GET", f"{mount}/{path}/{PREFIX}{EPOCH}")


def test_a_mount_that_makes_missing_keys_is_refused(bao: Bao) -> None:
    url, token = bao.mount()
    bao.ask("POST", f"{url.rpartition('/')[2]}/config/keys", disable_upsert=False)
    with pytest.raises(ProviderUnavailable, match="disable_upsert=true"):
        bao.provider(url, token).create(EPOCH)


def test_a_sealed_server_is_unavailable_and_then_goes_on(bao: Bao) -> None:
    provider = bao.provider()
    provider.create(EPOCH)
    wrapped = provider.wrap(EPOCH, KEY, b"aad")
    with bao.sealed():
        for do in (
            lambda: provider.wrap(EPOCH, KEY, b"aad"),
            lambda: provider.unwrap(EPOCH, wrapped, b"aad"),
            lambda: provider.create(uuid7()),
            lambda: provider.destroy(EPOCH),
            provider.has_keys,
        ):
            with pytest.raises(ProviderUnavailable, match="sealed"):
                do()
    assert provider.unwrap(EPOCH, wrapped, b"aad") == KEY


def test_a_server_that_is_not_there(bao: Bao) -> None:
    _, token = bao.mount()
    provider = bao.provider("http://127.0.0.1:9/transit", token)
    with pytest.raises(ProviderUnavailable, match="ConnectError"):
        provider.wrap(EPOCH, KEY, b"aad")


def test_a_token_that_is_renewed_ends_or_lies_open(bao: Bao) -> None:
    url, token = bao.mount()
    provider = bao.provider(url, token)
    provider.create(EPOCH)
    good = token.read_text()
    token.write_text("s.nonsense")
    with pytest.raises(ProviderUnavailable, match="refuses the token"):
        provider.wrap(EPOCH, KEY, b"aad")
    token.write_text(good)
    token.chmod(0o644)
    with pytest.raises(InsecureKeyFile, match="0644; expected 0600"):
        provider.wrap(EPOCH, KEY, b"aad")
    token.chmod(0o600)
    assert provider.wrap(EPOCH, KEY, b"aad")
    token.unlink()
    with pytest.raises(ProviderUnavailable, match="cannot be read"):
        provider.wrap(EPOCH, KEY, b"aad")


def test_the_documented_policy_is_the_one_that_is_tested() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    assert POLICY.format(mount="transit").strip() in page


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"sealed"'])
def test_another_server_in_the_place_of_the_keys_is_told(body: bytes) -> None:
    with pytest.raises(ProviderUnavailable, match="speaks no JSON"):
        data_of(httpx.Response(200, content=body))
