"""The one-file verifier, on receipts of a real log and on forged ones."""

from __future__ import annotations

import base64
import copy
import json
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from uuid_utils.compat import uuid7

from audit_log import merkle, signing
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.checkpoint import Checkpoint, SignerKey, VerifierKey, sign
from audit_log.entries import Draft, Entry
from audit_log.export import export_log
from audit_log.exported_keys import HISTORY, key_files
from audit_log.key_history import KeyHistory, KeyRecord
from audit_log.log import append_durable
from audit_log.models import Checkpoint as CheckpointRow
from audit_log.models import LogEntry
from audit_log.receipts import receipt_document, verify_command
from audit_log.rotation import retire, rotate
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from tools.verify_access_log import main

pytestmark = pytest.mark.usefixtures("fresh_db")
TOOL = Path(settings.BASE_DIR) / "tools" / "verify_access_log.py"
PURPOSE = uuid.UUID("11111111-2222-3333-4444-555555555555")
Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    """A receipt of three of seven entries."""
    drafts = [
        Draft(action=Action.LOG_START, actor="system:keeper"),
        Draft(
            action=Action.CONSENT_GIVE,
            actor=f"subject:{'5' * 64}",
            subject_tag=b"\x55" * 32,
            purpose_id=PURPOSE,
        ),
        Draft(action=Action.LOG_READ, actor=f"operator:{uuid.UUID(int=3)}"),
        Draft(
            action=Action.RESULT_READ,
            actor=f"client:{uuid.UUID(int=4)}",
            outcome=Outcome.REFUSED,
            reason=ReasonCode.CONSENT_WITHDRAWN,
        ),
        *[Draft(action=Action.LOGIN_FAIL, actor="anonymous", outcome=Outcome.FAILED)] * 3,
    ]
    ids = []
    for draft in drafts:
        ids.append(append_durable(draft).entry_id)
        integrate_once()
    return receipt_document([ids[1], ids[3], ids[6]])


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the tool on a document; gives its exit status and what it printed."""

    def run(document: Any, key: str | None = None) -> tuple[int, str]:
        file = tmp_path / "receipt.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        status = main(["receipt", str(file), "--key", key or signing.verifier_key()])
        return status, capsys.readouterr().out

    return run


Check = Callable[..., tuple[int, str]]


def refused(outcome: tuple[int, str], words: str) -> None:
    status, output = outcome
    assert status == 1
    verdict = output.splitlines()[-1]
    assert verdict.startswith("NOT VERIFIED: ")
    assert words in verdict
    assert "\nverified" not in output


def test_real_receipt_is_verified_by_the_file_alone(document: Document, tmp_path: Path) -> None:
    """Run as its reader runs it: a copy in another folder, isolated from this project."""
    shutil.copy(TOOL, tmp_path / "verify.py")
    (tmp_path / "receipt.json").write_text(json.dumps(document))
    command = [sys.executable, "-I", "verify.py", "receipt", "receipt.json", "--key"]
    done = subprocess.run(
        [*command, signing.verifier_key()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == (
        f"verified: 3 entries are in the log {signing.public_key().name}, "
        "under a checkpoint signed by its key"
    )
    document["entries"][1]["entry"] = document["entries"][0]["entry"]
    (tmp_path / "receipt.json").write_text(json.dumps(document))
    done = subprocess.run(
        [*command, signing.verifier_key()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("NOT VERIFIED: ")


def test_facts_are_told_in_plain_words(document: Document, check: Check) -> None:
    _, output = check(document)
    assert f"who:           a data subject, known here as {'5' * 64}" in output
    assert "what:          consent:give" in output
    assert "outcome:       done" in output
    assert f"purpose:       {PURPOSE}" in output
    assert "place:         1 in a log of 7 entries" in output
    assert f"who:           API client {uuid.UUID(int=4)}" in output
    assert "outcome:       refused\n  reason:        consent-withdrawn" in output
    assert "who:           somebody who was not signed in" in output
    assert "outcome:       failed" in output


def test_what_an_entry_adds_is_told_from_the_bytes_that_are_proven(check: Check) -> None:
    details = [b'{"keys":["0190"]}', b"\x1b[31m", b"\xff"]
    ids = [
        append_durable(Draft(action=Action.LOG_READ, actor="anonymous", detail=each)).entry_id
        for each in details
    ]
    integrate_once()
    document = receipt_document(ids)
    status, output = check(document)
    assert status == 0
    assert [line[17:] for line in output.splitlines() if line.startswith("  detail:")] == [
        '{"keys":["0190"]}', "?[31m", "ff",
    ]  # fmt: skip
    body = base64.b64decode(document["entries"][0]["entry"])
    other = body.replace(b"0190".hex().encode(), b"0191".hex().encode())
    document["entries"][0]["entry"] = base64.b64encode(other).decode()
    refused(check(document), "not in the signed tree")


def test_receipt_of_one_entry(document: Document, check: Check) -> None:
    document["entries"] = document["entries"][:1]
    status, output = check(document)
    assert status == 0
    assert "verified: 1 entry is in the log" in output


def test_what_is_only_stated_is_named(document: Document, check: Check) -> None:
    status, output = check(document | {"erasure": {"t1": "2026-01-01"}})
    assert status == 0
    assert "Not covered by the proof, only stated: erasure." in output


def edit(document: Document, change: Callable[[Document], None]) -> Document:
    changed = copy.deepcopy(document)
    change(changed["entries"][1])
    return changed


def test_every_changed_byte_of_an_entry_is_found(document: Document, check: Check) -> None:
    body = base64.b64decode(document["entries"][1]["entry"])
    for position in range(0, len(body), 7):
        forged = bytearray(body)
        forged[position] ^= 1
        changed = edit(document, lambda e, f=forged: e.update(entry=base64.b64encode(f).decode()))
        refused(check(changed), "is not in the signed tree")


def test_every_changed_line_of_a_proof_is_found(document: Document, check: Check) -> None:
    lines = document["entries"][1]["proof"].split("\n")
    for number in range(len(lines)):
        for replacement in ([], ["x"], [lines[number], lines[number]]):
            if len(replacement) == 2 and lines[number].startswith("— "):
                continue  # the same signature twice is as good as once
            proof = "\n".join([*lines[:number], *replacement, *lines[number + 1 :]])
            refused(check(edit(document, lambda e, p=proof: e.update(proof=p))), "")


def test_extra_data_is_let_pass(document: Document, check: Check) -> None:
    changed = edit(
        document, lambda e: e.update(proof=e["proof"].replace("\nindex", "\nextra AAAA\nindex", 1))
    )
    assert check(changed)[0] == 0


def test_cosignature_of_a_witness_is_ignored(document: Document, check: Check) -> None:
    witness = SignerKey.generate("witness.example")
    same_name = SignerKey.generate(signing.public_key().name)
    tree = Checkpoint("witness.example", 1, b"r" * 32)
    for other in (witness, same_name):
        line = sign(tree, other).split("\n\n")[1]
        assert check(edit(document, lambda e, x=line: e.update(proof=e["proof"] + x)))[0] == 0


def test_receipt_of_another_log_is_refused(document: Document, check: Check) -> None:
    for name in (signing.public_key().name, "elsewhere.example"):
        other = str(SignerKey.generate(name).verifier)
        refused(check(document, other), "not signed by a key you gave")


def resigned(text: str) -> Callable[[Document], None]:
    """Sign another note text with the log's own key, and put it under the proof."""

    class Text(Checkpoint):
        def text(self) -> str:
            return text

    def change(entry: Document) -> None:
        note = sign(Text("", 0, b""), signing.signer_key())
        entry["proof"] = entry["proof"].partition("\n\n")[0] + "\n\n" + note

    return change


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("elsewhere.example\n7\n" + "A" * 43 + "=\n", "not signed by a key"),
        ("{name}\n07\n" + "A" * 43 + "=\n", "malformed"),
        ("{name}\n7\n", "malformed"),
        ("{name}\n7\nAAAA\n", "32 bytes"),
        ("{name}\n7\n" + "A" * 43 + "=\n", "not in the signed tree"),
        ("{name}\n3\n" + "A" * 43 + "=\n", "the log has 3 entries"),
        ("{name}\n4\n" + "A" * 43 + "=\n", "too long"),
        ("{name}\n4096\n" + "A" * 43 + "=\n", "too short"),
    ],
)
def test_checkpoint_that_does_not_fit_is_refused(
    text: str, words: str, document: Document, check: Check
) -> None:
    signed = resigned(text.format(name=signing.public_key().name))
    refused(check(edit(document, signed)), words)


def test_two_trees_of_one_size_are_evidence(document: Document, check: Check) -> None:
    key = signing.signer_key()
    forged = base64.b64decode(document["entries"][0]["entry"]).replace(b"give", b"read")
    single = sign(Checkpoint(key.name, 1, merkle.leaf_hash(forged)), key)
    other = base64.b64decode(document["entries"][1]["entry"])
    double = sign(Checkpoint(key.name, 1, merkle.leaf_hash(other)), key)
    head = "c2sp.org/tlog-proof@v1\nindex 0\n\n"
    document["entries"] = [
        {"entry": base64.b64encode(forged).decode(), "proof": head + single},
        {"entry": base64.b64encode(other).decode(), "proof": head + double},
    ]
    refused(check(document), "two different trees of 1 entries")
    document["entries"] = document["entries"][:1]
    assert check(document)[0] == 0


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"v":1}', b"x", b"[" * 100_000, b'"\\ud800"', b'{"v": 1}']
)
def test_logged_bytes_that_are_no_entry_are_refused(
    body: bytes, document: Document, check: Check
) -> None:
    key = signing.signer_key()
    note = sign(Checkpoint(key.name, 1, merkle.leaf_hash(body)), key)
    document["entries"] = [
        {
            "entry": base64.b64encode(body).decode(),
            "proof": f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}",
        }
    ]
    refused(check(document), "an entry")


def test_terminal_tricks_are_not_printed(document: Document, check: Check) -> None:
    fields = json.loads(base64.b64decode(document["entries"][0]["entry"]))
    fields["action"] = "\x1b[2Jverified"
    body = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key = signing.signer_key()
    note = sign(Checkpoint(key.name, 1, merkle.leaf_hash(body)), key)
    document["entries"] = [
        {
            "entry": base64.b64encode(body).decode(),
            "proof": f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}",
        }
    ]
    status, output = check(document)
    assert status == 0
    assert "\x1b" not in output
    assert "?[2Jverified" in output


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("nonsense", "not JSON"),
        ("[]", "not a receipt"),
        ('{"format": "other"}', "not a receipt"),
        ('{"format": "consentry-receipt/1"}', "holds no entry"),
        ('{"format": "consentry-receipt/1", "entries": []}', "holds no entry"),
        ('{"format": "consentry-receipt/1", "entries": [1]}', "has an entry and a proof"),
        ('{"format": "consentry-receipt/1", "entries": [{"entry": "", "proof": 1}]}', "has an"),
        ('{"format": "consentry-receipt/1", "entries": [{"entry": "%", "proof": ""}]}', "base64"),
        ('{"format": "consentry-receipt/1", "entries": [{"entry": "AB==", "proof": ""}]}', "canon"),
        ('{"format": "consentry-receipt/1", "entries": [{"entry": "", "proof": ""}]}', "start"),
        (
            '{"format": "consentry-receipt/1", "entries": [{"entry": "", "proof": "\\ud800"}]}',
            "characters",
        ),
        (
            '{"format": "consentry-receipt/1", "entries": '
            '[{"entry": "", "proof": "c2sp.org/tlog-proof@v1\\n\\n"}]}',
            "no index",
        ),
    ],
)
def test_file_that_is_no_receipt_is_refused(document: str, words: str, check: Check) -> None:
    refused(check(document), words)


def test_missing_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = main(["receipt", str(tmp_path / "none"), "--key", signing.verifier_key()])
    refused((status, capsys.readouterr().out), "cannot be read")


@pytest.mark.parametrize("damage", ["", "name", "+00+AAAA", "name+00000000+AAAA", "na\u200bme+0+%"])
def test_damaged_key_is_refused(damage: str, document: Document, check: Check) -> None:
    refused(check(document, damage or " "), "key")


def test_key_with_another_hash_is_refused(document: Document, check: Check) -> None:
    name, _, rest = signing.verifier_key().partition("+")
    refused(check(document, f"{name}x+{rest}"), "copied wrongly")


# --- a whole exported log ----------------------------------------


@pytest.fixture
def exported(document: Document, tmp_path: Path) -> Path:
    """The log of the document and more, so that one bundle is full."""
    for _ in range(260):
        append_durable(Draft(action=Action.LOGIN_FAIL, actor="anonymous", outcome=Outcome.FAILED))
    integrate_once()
    export_log(Folder(tmp_path / "log"))
    return tmp_path / "log"


def of_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["export", str(folder), "--key", signing.verifier_key()])
    return status, capsys.readouterr().out


def test_a_whole_log_is_verified_without_the_installation(exported: Path, tmp_path: Path) -> None:
    alone = shutil.copy(TOOL, tmp_path / "verify.py")
    command = [sys.executable, "-I", str(alone), "export", str(exported)]
    done = subprocess.run(
        [*command, "--key", signing.verifier_key()], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified: all 267 entries are the log ")


def test_no_other_encoding_makes_a_sound_log_unsound(exported: Path, tmp_path: Path) -> None:
    detail = '{"note":"größer"}'.encode()
    id = append_durable(Draft(action=Action.LOG_READ, actor="anonymous", detail=detail)).entry_id
    integrate_once()
    (tmp_path / "receipt.json").write_text(json.dumps(receipt_document([id])))
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for words in (["export", str(exported)], ["receipt", str(tmp_path / "receipt.json")]):
        done = subprocess.run(
            [sys.executable, "-X", "utf8=0", str(TOOL), *words, "--key", signing.verifier_key()],
            env=plain, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1].startswith("verified: ")


def forged(folder: Path) -> None:
    """One entry says something else."""
    path = folder / "tile/entries/000"
    path.write_bytes(path.read_bytes().replace(b"anonymous", b"anonymouz", 1))


def cut_off(folder: Path) -> None:
    path = folder / "tile/entries/001.p/11"
    path.write_bytes(path.read_bytes()[:-1])


def left_out(folder: Path) -> None:
    path = folder / "tile/entries/001.p/11"
    data = path.read_bytes()
    path.write_bytes(data[2 + int.from_bytes(data[:2], "big") :])


def swapped(folder: Path) -> None:
    path = folder / "tile/entries/001.p/11"
    data = path.read_bytes()
    first = data[: 2 + int.from_bytes(data[:2], "big")]
    path.write_bytes(data[len(first) :] + first)


def missing(folder: Path) -> None:
    (folder / "tile/entries/000").unlink()


def without_checkpoint(folder: Path) -> None:
    (folder / "checkpoint").unlink()


def signed_by_another(folder: Path) -> None:
    name = signing.public_key().name
    (folder / "checkpoint").write_text(
        sign(Checkpoint(name, 267, b"r" * 32), SignerKey.generate(name))
    )


@pytest.mark.parametrize(
    "harm", [forged, cut_off, left_out, swapped, missing, without_checkpoint, signed_by_another]
)
def test_a_log_that_was_touched_is_not_verified(
    exported: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    assert of_export(exported, capsys)[0] == 0
    harm(exported)
    status, said = of_export(exported, capsys)
    assert status == 1
    assert said.startswith("NOT VERIFIED: ")


# --- an exported log whose key has changed ----------------------------------------


@dataclass(frozen=True)
class Rotated:
    """An exported log that three keys have signed, and the keys, the first one first."""

    folder: Path
    keys: list[str]

    def verify(self, *keys: str) -> int:
        return main(["export", str(self.folder), *(w for key in keys for w in ("--key", key))])

    @property
    def history(self) -> KeyHistory:
        return KeyHistory.parse((self.folder / HISTORY).read_text())

    def handover(self, key: str) -> Path:
        return self.folder / "consentry-log-handover" / VerifierKey.parse(key).key_id.hex()


@pytest.fixture
def rotated(tmp_path: Path) -> Rotated:
    keys = []
    for days in (30, 0, None):
        append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
        integrate_once()
        keys.append(signing.verifier_key())
        if len(keys) == 1:
            shutil.copy(signing.secrets_path(), signing.folder() / "stolen")
            early = receipt_document([LogEntry.objects.latest("index").entry_id])
            (signing.folder() / "early").write_text(json.dumps(early))
        if days is not None:
            retire()
            rotate(timedelta(days=days))
    export_log(Folder(tmp_path / "log"))
    return Rotated(tmp_path / "log", keys)


def test_any_one_key_of_the_history_is_enough(
    rotated: Rotated, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in rotated.keys:
        assert rotated.verify(key) == 0
    name = signing.public_key().name
    assert rotated.verify(str(SignerKey.generate(name).verifier)) == 1
    assert "does not say of a key that you gave" in capsys.readouterr().out.splitlines()[-1]
    (rotated.folder / HISTORY).unlink()
    assert rotated.verify(rotated.keys[0]) == 1, "nothing leads from it any more"
    assert rotated.verify(rotated.keys[2]) == 0


def test_an_export_that_was_killed_after_a_rotation_is_still_verified(
    rotated: Rotated, tmp_path: Path
) -> None:
    """The history comes first: it knows a key that signed nothing of what is there yet."""
    retire()
    rotate()
    for path, data in key_files().items():
        (rotated.folder / path).write_bytes(data)
    assert len(rotated.history.records) == 4
    assert [rotated.verify(key) for key in rotated.keys] == [0, 0, 0]


def siblings_of_the_first(hashes: list[bytes]) -> list[bytes]:
    """The inclusion proof of the first leaf."""
    if len(hashes) == 1:
        return []
    left = merkle.split(len(hashes))
    return [*siblings_of_the_first(hashes[:left]), merkle.root_of(hashes[left:])]


@pytest.fixture
def stolen(rotated: Rotated) -> Rotated:
    """The same log forged by whoever took the first key from an old copy, after it had ended."""
    name = signing.public_key().name
    forger = signing.read_secrets(signing.folder() / "stolen")[0]
    assert str(forger.verifier) == rotated.keys[0]
    body = Draft(action=Action.LOG_READ, actor="anonymous")
    bodies = [Entry(id=uuid7(), time=timezone.now(), draft=body).canonical() for _ in range(50)]
    tree = merkle.Frontier()
    shutil.rmtree(rotated.folder)
    for each in bodies:
        tree.add(merkle.leaf_hash(each))
    (rotated.folder / "tile/entries/000.p").mkdir(parents=True)
    (rotated.folder / "tile/entries/000.p/50").write_bytes(
        b"".join(len(each).to_bytes(2, "big") + each for each in bodies)
    )
    (rotated.folder / "tile/0/000.p").mkdir(parents=True)
    hashes = [merkle.leaf_hash(each) for each in bodies]
    (rotated.folder / "tile/0/000.p/50").write_bytes(b"".join(hashes))
    note = sign(Checkpoint(name, 50, tree.root()), forger)
    (rotated.folder / "checkpoint").write_text(note)
    path = siblings_of_the_first(hashes)
    lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in path)
    proof = f"c2sp.org/tlog-proof@v1\nindex 0\n{lines}\n{note}"
    entry = {"entry": base64.b64encode(bodies[0]).decode(), "proof": proof}
    document = {"format": "consentry-receipt/1", "entries": [entry]}
    (rotated.folder / "receipt.json").write_text(json.dumps(document))
    return rotated


def test_a_key_that_was_stolen_and_ended_convinces_nobody_who_knows_the_next(
    stolen: Rotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oldest, *newer = stolen.keys
    receipt = ["receipt", str(stolen.folder / "receipt.json")]
    assert stolen.verify(oldest) == main([*receipt, "--key", oldest]) == 0, "who knows no better"
    assert stolen.verify(oldest, newer[0]) == stolen.verify(*stolen.keys) == 1
    # A history of the forger's makes it no better: without the newer key, or with it where nothing is.
    first, second = list(signing.key_history().records)[-1:-3:-1]
    lone = KeyHistory((replace(first, to=None, until=None, ended=None),))
    later = KeyHistory((replace(second, start=60, ended=None, to=None), *lone.records))
    for history in (lone, later):
        (stolen.folder / HISTORY).write_text(str(history))
        assert stolen.verify(oldest) == 0
        assert stolen.verify(oldest, newer[0]) == 1
        assert "does not say of a key that you gave" in capsys.readouterr().out
    # A receipt: all keys at once are refused, and with their sizes the forged one is.
    assert main([*receipt, "--key", oldest, "--key", newer[0]]) == 1
    assert "say of each from which size on" in capsys.readouterr().out
    own = shlex.split(verify_command(receipt[1]))[2:]
    assert own.count("--key") == 3
    assert main(own) == 1
    assert "not signed by the key that counts" in capsys.readouterr().out
    published = tmp_path / "published"
    published.write_text(str(signing.key_history()))
    assert main([*receipt, "--history", str(published)]) == 1
    assert main([*receipt, "--history", str(published), "--key", oldest]) == 1
    assert main([*receipt, "--key", f"{oldest} from=1 to={first.to}"]) == 1
    assert "none of the keys may sign" in capsys.readouterr().out


def test_the_own_command_verifies_what_each_key_signed(
    rotated: Rotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Proofs that were taken before the key changed, too."""
    file = tmp_path / "receipt.json"
    document = receipt_document([LogEntry.objects.earliest("index").entry_id])
    document["entries"] += json.loads((signing.folder() / "early").read_text())["entries"]
    file.write_text(json.dumps(document))
    assert main(shlex.split(verify_command(str(file)))[2:]) == 0
    published = tmp_path / "published"
    published.write_text(str(signing.key_history()))
    assert main(["receipt", str(file), "--history", str(published)]) == 0
    stranger = str(SignerKey.generate(signing.public_key().name).verifier)
    words = ["receipt", str(file), "--history", str(published), "--key", stranger]
    assert main(words) == 1
    assert "does not name the key" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["receipt", str(file)])


def believed_by(rotated: Rotated, handover: str) -> None:
    """A key of the forger's signs the tree, and the history says that it followed."""
    old = signing.signer_key()
    tree, _note = latest()
    forger = SignerKey.generate(old.name)
    now = timezone.now()
    history = rotated.history.rotated(forger.verifier, size=tree.size - 1, at=now, until=now)
    (rotated.folder / HISTORY).write_text(str(history))
    (rotated.folder / "checkpoint").write_text(sign(tree, forger))
    before = CheckpointRow.objects.filter(size__lt=tree.size).latest("size")
    assert before.size == tree.size - 1
    note = {
        "none": None,
        "own": sign(Checkpoint(old.name, before.size, before.root), forger),
        "honest": before.note,
        "of-the-end": latest()[1],
    }[handover]
    if note is not None:
        rotated.handover(str(forger.verifier)).write_text(note)


def latest() -> tuple[Checkpoint, str]:
    found = signing.highest_checkpoint()
    assert found
    return found


@pytest.mark.parametrize("handover", ["none", "own", "honest", "of-the-end"])
def test_a_history_with_a_key_that_no_entry_names_is_refused(
    rotated: Rotated, handover: str, capsys: pytest.CaptureFixture[str]
) -> None:
    append_durable(Draft(action=Action.LOG_READ, actor="anonymous"))
    integrate_once()
    export_log(Folder(rotated.folder))
    believed_by(rotated, handover)
    for keys in ([rotated.keys[0]], [rotated.keys[2]], rotated.keys):
        assert rotated.verify(*keys) == 1
        assert "NOT VERIFIED" in capsys.readouterr().out


def changed(rotated: Rotated, change: Callable[[list[KeyRecord]], list[KeyRecord]]) -> None:
    records = change(list(rotated.history.records))
    text = "".join(f"{record.line()}\n" for record in records)
    (rotated.folder / HISTORY).write_text(f"{records[0].key}\n{text}")


Harm = Callable[[Rotated], None]
HARMS: dict[str, Harm] = {
    "first-key-left-out": lambda r: changed(r, lambda keys: keys[:-1]),
    "middle-key-left-out": lambda r: changed(r, lambda keys: [keys[0], keys[2]]),
    "last-key-left-out": lambda r: changed(r, lambda keys: keys[1:]),
    "begun-earlier": lambda r: changed(
        r, lambda keys: [replace(keys[0], start=keys[0].start - 1), *keys[1:]]
    ),
    "ended-before": lambda r: changed(r, lambda keys: [replace(keys[0], to=1), *keys[1:]]),
    "a-key-twice": lambda r: changed(r, lambda keys: [*keys, keys[0]]),
    "nonsense": lambda r: void((r.folder / HISTORY).write_text("nonsense\n")),
    "handover-gone": lambda r: r.handover(r.keys[1]).unlink(),
    "handover-of-another": lambda r: void(
        shutil.copy(r.handover(r.keys[2]), r.handover(r.keys[1]))
    ),
}


def void(_done: object) -> None:
    """Nothing."""


@pytest.mark.parametrize("harm", HARMS)
def test_a_history_that_was_touched_is_refused(rotated: Rotated, harm: str) -> None:
    HARMS[harm](rotated)
    assert rotated.verify(rotated.keys[0]) == 1
