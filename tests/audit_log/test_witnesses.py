"""The log asks a real witness, ``manage.py run_witness`` in a process of its own, over HTTP."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from audit_log import signing, witnesses
from audit_log.actions import Action
from audit_log.checkpoint import SignerKey
from audit_log.cosignature import WitnessKey, cosignatures, witness_key
from audit_log.entries import Draft
from audit_log.errors import WitnessError
from audit_log.export import export_log
from audit_log.log import append, append_durable
from audit_log.models import Checkpoint, Cosignature
from audit_log.proofs import inclusion_proof
from audit_log.receipts import receipt_document
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.witnessed import RECENT, published_checkpoint, standings
from audit_log.witnesses import Asker
from tests.cast import operator
from tests.processes import ROOT, running, wait_for
from tools import verify_access_log

pytestmark = [pytest.mark.usefixtures("fresh_db"), pytest.mark.processes]
RUN = [sys.executable, str(ROOT / "manage.py"), "run_witness"]
DRAFT = Draft(action=Action.LOG_READ, actor="system:worker")


@dataclass
class Running:
    """A witness that answers."""

    name: str
    key: WitnessKey
    url: str
    folder: Path


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def witness(folder: Path, name: str, port: int = 0) -> Iterator[Running]:
    """A running witness of this test's log."""
    address = f"127.0.0.1:{port or free_port()}"
    output = folder.with_suffix(".log")
    log = signing.verifier_key()
    command = [*RUN, str(folder), "--name", f"{name}.example", "--log", log, "--bind", address]
    with running(command, output):
        wait_for(lambda: "Listening at" in output.read_text(), what="a witness that answers")
        key = WitnessKey.parse(output.read_text().splitlines()[0])
        yield Running(name, key, f"http://{address}", folder)


def write_policy(settings: Any, tmp_path: Path, needed: str, *witnesses: Running) -> None:
    path = tmp_path / "policy"
    names = " ".join(each.name for each in witnesses)
    lines = [f"witness {each.name} {each.key} {each.url}" for each in witnesses]
    path.write_text(
        "\n".join([*lines, f"group all-of-them {needed} {names}", "quorum all-of-them"])
    )
    settings.LOG_WITNESS_POLICY = str(path)


def grow(count: int = 1) -> Checkpoint:
    with transaction.atomic():
        for _ in range(count):
            append(DRAFT)
    integrate_once()
    newest = Checkpoint.objects.order_by("-size").first()
    assert newest is not None
    return newest


@contextmanager
def liar(folder: Path, body: str) -> Iterator[Running]:
    """What calls itself a witness, and always says that it has cosigned a tree of ``body`` entries."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(409)
            self.send_header("Content-Type", "text/x.tlog.size")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        key = witness_key(SignerKey.generate("liar.example"))
        yield Running("liar", key, f"http://127.0.0.1:{server.server_port}", folder)
        server.shutdown()


@pytest.mark.parametrize("body", ["x", "9" * 18, "9" * 5_000, "9" * 100_000])
def test_a_witness_that_answers_nonsense_keeps_nobody_from_the_next(
    settings: Any, tmp_path: Path, body: str
) -> None:
    with liar(tmp_path / "liar", body) as first, witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "any", first, one)
        grow(2)
        with pytest.raises(WitnessError) as told:
            Asker().ask_all()
        assert len(str(told.value)) < 400
        (kept,) = Cosignature.objects.all()
        assert kept.witness == str(one.key)


def test_a_log_that_grows_is_witnessed_and_its_receipts_say_so(
    settings: Any, tmp_path: Path
) -> None:
    with witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "all", one)
        asker = Asker()
        entry = append_durable(DRAFT).entry_id
        assert asker.ask_all() == 0, "there is nothing to ask about yet"
        grow(4)
        assert asker.ask_all() == 1
        assert asker.ask_all() == 0, "the log has not grown"
        grow(3)
        assert asker.ask_all() == 0, "it is asked every ten seconds, not more often"
        assert Asker().ask_all() == 1, "a keeper that has just started asks at once"
        page = Client().get("/log/checkpoint").content.decode()
        assert [each.witness for each in cosignatures(page, [one.key])] == [one.key]
        assert cosignatures(inclusion_proof(entry).note, [one.key])
        assert [(each.size, each.name) for each in standings()] == [(8, "one")]
        officer = operator(Role.DPO, "olga").sign_in()
        assert "one: cosigned 8 entries," in officer.get(reverse("operate_log")).content.decode()
        settings.LOG_WITNESS_POLICY = ""
        assert "none: nobody outside" in officer.get(reverse("operate_log")).content.decode()


def test_a_verifier_asks_for_as_many_witnesses_as_its_user_wants(
    settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(*arguments: object) -> tuple[int, str]:
        status = verify_access_log.main([*map(str, arguments), "--key", signing.verifier_key()])
        return status, capsys.readouterr().out.splitlines()[-1]

    with witness(tmp_path / "one", "one") as one, witness(tmp_path / "two", "two") as two:
        write_policy(settings, tmp_path, "any", one)
        entry = append_durable(DRAFT).entry_id
        grow(4)
        Asker().ask_all()
        receipt, folder = tmp_path / "receipt.json", tmp_path / "export"
        receipt.write_text(json.dumps(receipt_document([entry])))
        export_log(Folder(folder))
    for what in (["receipt", receipt], ["export", folder]):
        assert say(*what)[0] == 0
        status, line = say(*what, "--witness", one.key)
        assert (status, line.endswith("and cosigned by 1 or more witnesses")) == (0, True)
        both = ["--witness", one.key, "--witness", two.key]
        assert say(*what, *both, "--needed", 1)[0] == 0
        status, line = say(*what, *both)
        assert (status, "1 of the witnesses you named have cosigned" in line) == (1, True)
        for wrong in (["--needed", 1], [*both, "--needed", 0], [*both, "--needed", 3]):
            with pytest.raises(SystemExit):
                say(*what, *wrong)
            assert "--needed must be 1 to" in capsys.readouterr().err
        assert say(*what, "--witness", signing.verifier_key())[0] == 1, "the log is no witness"


def test_two_of_three_are_enough_and_one_is_not(settings: Any, tmp_path: Path) -> None:
    with ExitStack() as stack:
        one, two, three = (stack.enter_context(witness(tmp_path / n, n)) for n in ("a", "b", "c"))
        gone = free_port()
        two.url, three.url = f"http://127.0.0.1:{gone}", f"http://127.0.0.1:{gone}"
        write_policy(settings, tmp_path, "2", one, two, three)
        newest = grow(5)
        with pytest.raises(WitnessError, match=r"b: .*; c: "):
            Asker().ask_all()
        assert published_checkpoint() == newest, "the log goes on"
        assert Cosignature.objects.count() == 1
        entry = append_durable(DRAFT).entry_id
        newest = grow()
        assert inclusion_proof(entry).size == newest.size
        stack.enter_context(witness(tmp_path / "b", "b", gone))
        write_policy(settings, tmp_path, "2", one, two)
        assert Asker().ask_all() == 2
        grow(2)
        assert published_checkpoint() == newest, "witnessed comes before newest"
        assert inclusion_proof(entry).size == newest.size


def test_after_ten_minutes_without_witnesses_the_newest_checkpoint_is_published(
    settings: Any, tmp_path: Path
) -> None:
    with witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "all", one)
        witnessed = grow(2)
        Asker().ask_all()
    later = timezone.now() + timedelta(hours=1)  # in which nothing happened
    with time_machine.travel(later):
        grow()
        assert published_checkpoint() == witnessed
    with time_machine.travel(later + RECENT - timedelta(seconds=5)):
        grow()
        assert published_checkpoint() == witnessed
    with time_machine.travel(later + RECENT + timedelta(seconds=5)):
        newest = grow()
        assert published_checkpoint() == newest
        with pytest.raises(WitnessError):
            Asker().ask_all()


def test_failures_are_waited_out_longer_and_longer(settings: Any, tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "all", one)
    grow()
    asker = Asker()
    waits = []
    for _ in range(7):
        asker.due.clear()
        before = time.monotonic()
        with pytest.raises(WitnessError, match="one"):
            asker.ask_all()
        waits.append(round(asker.due["one"] - before, -1))
    assert waits == [20, 40, 80, 160, 300, 300, 300]
    assert asker.ask_all() == 0, "not before it is due"


def test_a_witness_refuses_a_log_that_was_put_back_and_written_on(
    settings: Any, tmp_path: Path
) -> None:
    """Attack 2: yesterday's backup *and* yesterday's memory outside the database; only it knows."""
    with witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "all", one)
        grow(3)
        with yesterday(tmp_path):
            grow(4)
            assert Asker().ask_all() == 1
        shorter = grow(1)
        with pytest.raises(WitnessError, match="cosigned a tree of 7 entries; this log has 4"):
            Asker().ask_all()
        longer = grow(6)
        assert longer.size == 10
        with pytest.raises(WitnessError, match="422"):
            Asker().ask_all()
        assert not Cosignature.objects.exists()
        (evidence,) = one.folder.glob("*/unproven-*")
        assert longer.note in evidence.read_text(), "what the log has signed convicts it"
        assert shorter.note not in evidence.read_text()


def test_a_witness_refuses_a_second_root_for_one_size(settings: Any, tmp_path: Path) -> None:
    """Attack 3, by a log that shows two people two histories."""
    with witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "all", one)
        grow(3)
        with yesterday(tmp_path):
            first = grow(4)
            assert Asker().ask_all() == 1
        second = grow(4)
        assert (first.size, first.root != second.root) == (second.size, True)
        with pytest.raises(WitnessError, match="another tree of 7 entries"):
            Asker().ask_all()
        (evidence,) = one.folder.glob("*/evidence-*")
        assert first.note in evidence.read_text()
        assert second.note in evidence.read_text()


@contextmanager
def yesterday(tmp_path: Path) -> Iterator[None]:
    """Afterwards everything that this installation holds is as it was before, as after a backup."""
    memory = tmp_path / "memory"
    shutil.copy(signing.highest_path(), memory)
    try:
        with transaction.atomic():
            yield
            raise Undone
    except Undone:
        shutil.copy(memory, signing.highest_path())


class Undone(Exception):
    pass


def test_a_witness_that_forgot_is_given_the_whole_log_again(settings: Any, tmp_path: Path) -> None:
    port = free_port()
    with witness(tmp_path / "one", "one", port) as one:
        write_policy(settings, tmp_path, "all", one)
        grow(3)
        Asker().ask_all()
    key = (tmp_path / "one" / "witness_key").read_text()
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "witness_key").write_text(key)
    (tmp_path / "one" / "witness_key").chmod(0o600)
    grow(2)
    with witness(tmp_path / "one", "one", port):
        assert Asker().ask_all() == 1


def test_a_false_answer_is_not_kept(settings: Any, tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one") as one, witness(tmp_path / "two", "two") as two:
        write_policy(settings, tmp_path, "all", Running("one", one.key, two.url, one.folder))
        grow()
        with pytest.raises(WitnessError, match="no cosignature by the key of the policy"):
            Asker().ask_all()
        write_policy(settings, tmp_path, "all", Running("one", one.key, f"{one.url}/x", one.folder))
        with pytest.raises(WitnessError, match="status 404"):
            Asker().ask_all()
    assert not Cosignature.objects.exists()


def test_a_cosignature_is_never_changed_or_removed(settings: Any, tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one") as one:
        write_policy(settings, tmp_path, "all", one)
        grow()
        Asker().ask_all()
    row = Cosignature.objects.get()
    assert not witnesses.keep(
        row.checkpoint, cosignatures(row.checkpoint.cosigned_note(), [one.key])[0]
    )
    for change in (
        "UPDATE audit_log_cosignature SET line = ''",
        "DELETE FROM audit_log_cosignature",
    ):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connections["default"].cursor() as cursor,
        ):
            cursor.execute(change)


def test_a_policy_that_cannot_be_read_stops_the_start_but_not_the_log(
    settings: Any, tmp_path: Path
) -> None:
    newest = grow()
    settings.LOG_WITNESS_POLICY = str(tmp_path / "none")
    assert [each.id for each in run_checks() if each.id == "consentry.E013"]
    assert published_checkpoint() == newest
    (tmp_path / "none").write_text("quorum nobody")
    assert "line 1: there is no nobody" in str(
        next(each for each in run_checks() if each.id == "consentry.E013")
    )
    settings.LOG_WITNESS_POLICY = ""
    assert not [each for each in run_checks() if each.id == "consentry.E013"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--log", "KEY"], "give the witness a --name"),
        (["--name", "one.example"], "Name at least one log"),
        (["--name", "one.example", "--log", "nonsense"], "base64"),
        (["--name", "one two", "--log", "KEY"], "no spaces and no plus"),
        (["--name", "one.example", "--log", "KEY", "--bind", "everywhere"], "expected HOST:PORT"),
    ],
)
def test_a_witness_does_not_start_half_set_up(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    given = [signing.verifier_key() if each == "KEY" else each for each in arguments]
    with pytest.raises(CommandError, match=re.escape(words)):
        call_command("run_witness", str(tmp_path / "one"), *given, stdout=StringIO())


def test_a_witness_keeps_its_name_and_its_key_to_itself(tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one"):
        pass
    log = signing.verifier_key()
    with pytest.raises(CommandError, match=r"is the key of one\.example"):
        call_command("run_witness", str(tmp_path / "one"), "--name", "two.example", "--log", log)
    (tmp_path / "one" / "witness_key").chmod(0o644)
    with pytest.raises(CommandError, match="can be read by others"):
        call_command("run_witness", str(tmp_path / "one"), "--log", log)
