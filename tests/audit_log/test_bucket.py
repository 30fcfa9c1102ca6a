"""The log exported to a bucket, over HTTP to a real S3 server."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest
from django.core.management import CommandError

from audit_log import signing
from audit_log.bucket import Bucket
from audit_log.errors import ExportInvalid
from audit_log.export import export_log, verify_export
from audit_log.exported_keys import HISTORY
from audit_log.storage import Folder
from tests.audit_log.exports import command, files, write
from tests.audit_log.s3 import S3Server
from tests.processes import ROOT, environment

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "s3://copies/a study/log"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    made = S3Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.end()


@pytest.fixture
def folder(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty bucket and the variables that open it; where the objects of ``ADDRESS`` lie."""
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket("s3://copies")
    for part in obstore.list(bucket.store):
        obstore.delete(bucket.store, [each["path"] for each in part])
    return server.files / "a study" / "log"


def test_a_bucket_holds_what_a_folder_would(folder: Path, tmp_path: Path) -> None:
    write(255)
    assert "255 of them new, 2 tiles" in command("export_log", ADDRESS)
    write(2)
    assert "257 entries, 2 of them new, 5 tiles" in command("export_log", ADDRESS)
    export_log(Folder(tmp_path / "log"))
    assert files(folder) == files(tmp_path / "log"), "the partial tiles of full ones are gone, too"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert "0 of them new, 0 tiles" in command("export_log", ADDRESS)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write(1)
    command("export_log", ADDRESS)
    again = {
        path.name for path, at in before.items() if path.is_file() and path.stat().st_mtime_ns != at
    }
    assert again == {"checkpoint"}, "a full tile and the keys are sent once"
    assert command("verify_log", "--export", ADDRESS).startswith("verified: 258 entries, root ")


def test_objects_have_the_headers_of_the_web_server(folder: Path) -> None:
    write(3)
    command("export_log", ADDRESS)
    bucket = Bucket(ADDRESS)
    for path, kind, cache in (
        ("checkpoint", "text/plain; charset=utf-8", "no-store"),
        (HISTORY, "text/plain; charset=utf-8", "no-store"),
        ("tile/0/000.p/3", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/entries/000.p/3", "application/octet-stream", "no-store"),
    ):
        found = obstore.get(bucket.store, path).attributes
        assert found["Content-Type"] == kind
        assert cache in found["Cache-Control"]


DYING = """
import os, signal, sys
import django
django.setup()
from audit_log.bucket import Bucket
from audit_log.storage import Folder
from django.core.management import call_command
left, honest = int(sys.argv[2]), Bucket.write
def dying(*given):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    honest(*given)
Bucket.write = dying
call_command("export_log", sys.argv[1])
"""


def test_killed_while_it_sends_the_bucket_is_still_a_log(folder: Path) -> None:
    write(255)
    command("export_log", ADDRESS)
    write(2)
    for sent in (2, 5):  # of five tiles; at the end only the checkpoint is missing
        done = subprocess.run(
            [sys.executable, "-c", DYING, ADDRESS, str(sent)], cwd=ROOT, env=environment()
        )
        assert done.returncode == -signal.SIGKILL
        assert verify_export(Folder(folder)).size == 255
    assert (folder / "tile/0/000").is_file(), "it came so far"
    assert export_log(Bucket(ADDRESS)).files == 5
    assert verify_export(Folder(folder)).size == 257


def test_a_public_bucket_is_verified_at_its_address(folder: Path) -> None:
    write(5)
    command("export_log", ADDRESS)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *given: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder))) as public:
        thread = threading.Thread(target=public.serve_forever)
        thread.start()
        try:
            said = command(
                "verify_log", "--url", f"http://127.0.0.1:{public.server_port}", "--key",
                signing.verifier_key(),
            )  # fmt: skip
        finally:
            public.shutdown()
            thread.join()
    assert said.startswith("verified: the hashes of 5 entries")


def test_a_bucket_that_was_touched_is_not_verified(folder: Path) -> None:
    write(5)
    command("export_log", ADDRESS)
    bundle = folder / "tile/entries/000.p/5"
    bundle.write_bytes(bundle.read_bytes().replace(b"result:read", b"result:save", 1))
    with pytest.raises(CommandError, match="NOT VERIFIED"):
        command("verify_log", "--export", ADDRESS)


def test_what_opens_no_bucket_is_said_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(1)
    for wrong in ("s3://", "s3:///log", "s3://copies/log?x=1", "gs://copies/log"):
        with pytest.raises(CommandError, match="expected s3://BUCKET/PREFIX"):
            command("export_log", wrong)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        with pytest.raises(CommandError, match="privileges") as refused:
            command("export_log", ADDRESS)
        assert "\n" not in str(refused.value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with monkeypatch.context() as patch:
            patch.delenv(name)
            with pytest.raises(ExportInvalid, match=f"{name} is not set"):
                Bucket(ADDRESS)
    for endpoint in ("http://s3.example.org", "ftp://127.0.0.1", "s3.example.org"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(ExportInvalid, match="must be https"):
            Bucket(ADDRESS)
