"""The log verified at its address: by anybody from the hashes, by an auditor from the entries."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils import timezone

from accounts.actors import SYSTEM_SETUP
from accounts.auditors import create_token
from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import SignerKey, sign
from audit_log.entries import Draft
from audit_log.errors import ExportInvalid
from audit_log.log import append_durable
from audit_log.models import Checkpoint
from audit_log.remote import MOST, Remote, signed_tree, verify_remote
from audit_log.rotation import rotate
from audit_log.sequencer import integrate_once
from audit_log.tiles import bundle, read_bundle

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)


@pytest.fixture
def token() -> str:
    """A log of 300 entries and an auditor's token."""
    ends = timezone.now() + timedelta(days=1)
    text = create_token(SYSTEM_SETUP, name="auditor", expires_at=ends)[1]
    for _ in range(299):
        append_durable(DRAFT)
    integrate_once()
    return text


class Quiet(WSGIRequestHandler):
    def log_message(self, *given: object) -> None:
        """Nothing."""


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False


@pytest.fixture
def address(token: str) -> Iterator[str]:
    """A real server of this installation, on this machine."""
    application = get_wsgi_application()

    def closing(environ: dict[str, object], start: object) -> list[bytes]:
        try:
            return [b"".join(application(environ, start))]
        finally:
            connections.close_all()

    with make_server("127.0.0.1", 0, closing, Server, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/log"
        server.shutdown()
        thread.join()


def command(*words: str) -> str:
    out = io.StringIO()
    call_command("verify_log", *words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_with_a_token_from_the_entries_and_without_one_from_the_hashes(
    address: str, token: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    root = Checkpoint.objects.get(size=300).root.hex()
    assert command("--url", address, "--token-file", str(file)) == (
        f"verified: 300 entries, root {root}\n"
    )
    said = command("--url", f"{address}/", "--key", signing.verifier_key())
    integrate_once()  # fetching was written down meanwhile
    assert said == (
        f"verified: the hashes of 300 entries, root {root}; the entries themselves were not seen "
        "(they need --token-file)\n"
    )
    file.write_text("cna_wrong_token")
    with pytest.raises(CommandError, match=r"NOT VERIFIED: .*answer is 401"):
        command("--url", address, "--token-file", str(file))
    with pytest.raises(CommandError, match="no signature by"):
        command(
            "--url", address, "--key", str(SignerKey.generate(signing.public_key().name).verifier)
        )
    with pytest.raises(CommandError, match="not canonical base64"):
        command("--url", address, "--key", "nonsense")


def test_several_keys_one_of_which_signed(address: str) -> None:
    old = signing.verifier_key()
    rotate(timedelta(0))
    append_durable(DRAFT)
    integrate_once()
    with pytest.raises(ExportInvalid, match="no signature"):
        verify_remote(Remote(address, keys=[old]))
    with pytest.raises(ExportInvalid, match="each must say which sizes it signs"):
        verify_remote(Remote(address, keys=[old, signing.verifier_key()]))
    newer, older = signing.key_history().records
    both = [f"{each.key} {each.sizes()}" for each in (older, newer)]
    assert verify_remote(Remote(address, keys=both)).size > 300


def test_a_key_that_was_ended_signs_nothing_beyond_its_end() -> None:
    """Also where it was stolen: who knows the sizes of all keys takes nothing more of it."""
    stolen, newer = SignerKey.generate("a.example/log"), SignerKey.generate("a.example/log")
    keys = [f"{stolen.verifier} from=1 to=5", f"{newer.verifier} from=6"]
    for size, fits in ((5, True), (50, False)):
        note = sign(SignedTree("a.example/log", size, bytes(32)), stolen).encode()
        with nullcontext() if fits else pytest.raises(ExportInvalid, match="signs no more"):
            assert signed_tree(note, keys).size == size


Files = dict[str, bytes]


@pytest.fixture
def files(address: str, token: str) -> Files:
    """Everything that is published, fetched once; a test gives back what it likes."""
    found: Files = {}
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        for path in (
            "checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1",
            "tile/entries/000", "tile/entries/001.p/44",
        ):  # fmt: skip
            found[f"/log/{path}"] = client.get(f"{address}/{path}").content
    return found


def verified(files: Files, token: str = "") -> SignedTree:
    def answer(request: httpx.Request) -> httpx.Response:
        secret = request.headers.get("Authorization", "")
        assert bool(secret) == request.url.path.startswith("/log/tile/entries/"), "only for entries"
        body = files.get(request.url.path)
        return httpx.Response(200, content=body) if body is not None else httpx.Response(404)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return verify_remote(Remote("https://log.example/log", token), client=client)


def test_what_is_fetched_and_does_not_fit_is_found(files: Files, token: str) -> None:
    assert verified(files).size == verified(files, token).size == 300
    for path in list(files):
        entries = path.startswith("/log/tile/entries/")
        others = {name: body for name, body in files.items() if name != path}
        harmed = [{path: body} for body in (files[path][:-1], files[path] + b"\0", b"")]
        for harm in (*harmed, {}):
            with pytest.raises(ExportInvalid):
                verified(others | harm, token)
            if not entries:
                with pytest.raises(ExportInvalid):
                    verified(others | harm)
    forged = read_bundle(files["/log/tile/entries/000"])
    forged[7] = forged[7].replace(b"result:read", b"result:save")
    with pytest.raises(ExportInvalid):
        verified({**files, "/log/tile/entries/000": bundle(forged)}, token)
    tile = files["/log/tile/0/000"]
    with pytest.raises(ExportInvalid):
        verified({**files, "/log/tile/0/000": tile[:32] + tile[:32] + tile[64:]})
    key = signing.signer_key()
    other = sign(SignedTree(key.name, 300, b"r" * 32), key)
    with pytest.raises(ExportInvalid, match="do not make the root"):
        verified({**files, "/log/checkpoint": other.encode()})


def test_addresses_and_answers_that_cannot_be(files: Files) -> None:
    for url in ("", "log.example/log", "ftp://log.example/log", "https:///log"):
        with pytest.raises(ExportInvalid, match="expected https"):
            Remote(url)
    with pytest.raises(ExportInvalid, match="https only"):
        Remote("http://log.example/log", "cna_a_b")
    with pytest.raises(ExportInvalid, match="ConnectError"):
        verify_remote(Remote("http://127.0.0.1:9/log"))


def test_an_answer_without_an_end_is_left() -> None:
    sent: list[int] = []

    def endless(_environ: object, start: Callable[..., object]) -> Iterator[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        while True:
            sent.append(65_536)
            yield b"x" * 65_536

    with make_server("127.0.0.1", 0, endless, Server, Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ExportInvalid, match="checkpoint: more than"):
            verify_remote(Remote(f"http://127.0.0.1:{server.server_port}/log"))
        server.shutdown()
    assert sum(sent) < 2 * MOST
