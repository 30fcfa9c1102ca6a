from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, override_settings

from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import verify
from audit_log.entries import Draft
from audit_log.export import export_log
from audit_log.exported_keys import HISTORY
from audit_log.log import append_durable
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture(autouse=True)
def only_these_addresses() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="audit_log.urls", MIDDLEWARE=[]):
        yield


def test_checkpoint_is_the_latest_signed_note() -> None:
    for _ in range(3):
        append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
        integrate_once()
    answer = Client().get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert verify(answer.content.decode(), signing.public_key()).size == 3


def test_empty_log_has_no_checkpoint() -> None:
    answer = Client().get("/log/checkpoint")
    assert answer.status_code == 404
    assert "nothing is signed" in answer.content.decode()


def test_the_first_line_is_the_verifier_key() -> None:
    answer = Client().get("/.well-known/consentry-log-key")
    assert answer.content.decode().splitlines()[0] == signing.verifier_key()
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("address", ["/log/checkpoint", "/.well-known/consentry-log-key"])
def test_nothing_is_written_through_them(address: str) -> None:
    assert Client().post(address).status_code == 405


def test_hash_tiles_are_those_of_the_published_log(tmp_path: Path) -> None:
    for _ in range(300):
        append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
    integrate_once()
    folder = tmp_path / "log"
    export_log(Folder(folder))
    files = [path for path in folder.rglob("*") if path.is_file() and "entries" not in path.parts]
    hashes = [path for path in files if path.name != HISTORY]
    assert len(hashes) == 1 + 3
    published = Client().get(f"/.well-known/{HISTORY}").content
    assert published == (folder / HISTORY).read_bytes()
    for path in hashes:
        answer = Client().get(f"/log/{path.relative_to(folder)}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        cached = answer["Cache-Control"]
        assert ("immutable" in cached) == (path.name != "checkpoint")
    earlier = Client().get("/log/tile/0/001.p/20")  # the width that the log had some time ago
    assert earlier.content == (folder / "tile/0/001.p/44").read_bytes()[: 20 * 32]


@pytest.mark.parametrize(
    "path",
    [
        "0/002", "0/001", "0/001.p/45", "0/000.p/256", "0/000.p/0", "0/000.p/01", "0/x000/000",
        "0/0", "0/00000", "1/001", "8/000", "99/000.p/1", "0/../0/000", "entries/000", "0/x",
    ],
)  # fmt: skip
def test_what_is_no_tile_of_the_log_is_not_there(path: str) -> None:
    for _ in range(300):
        append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
    integrate_once()
    assert Client().get(f"/log/tile/{path}").status_code == 404


def test_an_empty_log_has_no_tile() -> None:
    append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
    assert Client().get("/log/tile/0/000.p/1").status_code == 404
