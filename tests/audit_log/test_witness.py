"""Cosignatures, policies, and a witness that is shown what logs should not do."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from audit_log import merkle
from audit_log.checkpoint import Checkpoint, InvalidNote, SignerKey, VerifierKey, sign
from audit_log.cosignature import WitnessKey, cosign, cosignatures, witness_key
from audit_log.witness import MOST_UNPROVEN, Witness
from audit_log.witness_policy import InvalidPolicy, read_policy
from audit_log.witness_server import MOST_BYTES, answer_to

LOG = SignerKey("log.example/study", b"l" * 32)
KEY = SignerKey("witness.example/w1", b"w" * 32)
LEAVES = [merkle.leaf_hash(bytes([i])) for i in range(40)]
OTHER = [merkle.leaf_hash(b"another history" + bytes([i])) for i in range(40)]
ROOT = Path(__file__).resolve().parent.parent.parent


def note(size: int, leaves: list[bytes] = LEAVES, key: SignerKey = LOG) -> str:
    return sign(Checkpoint(key.name, size, merkle.root_of(leaves[:size])), key)


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    def read(nodes: Sequence[merkle.Node]) -> list[bytes]:
        return [merkle.root_of(leaves[i << level : (i + 1) << level]) for level, i in nodes]

    return merkle.consistency_proof(old, new, read) if old else []


def body(old: int, hashes: list[bytes], signed: str) -> bytes:
    lines = "".join(f"{base64.b64encode(value).decode()}\n" for value in hashes)
    return f"old {old}\n{lines}\n{signed}".encode()


def step(old: int, new: int, leaves: list[bytes] = LEAVES) -> bytes:
    return body(old, proof(old, new, leaves), note(new, leaves))


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path, KEY, [LOG.verifier])


def evidence(witness: Witness, kind: str = "evidence") -> list[str]:
    return [path.read_text() for path in witness.folder.glob(f"*/{kind}-*")]


# --- cosignatures ----------------------------------------------------------------------------------


def test_a_cosignature_is_what_the_specification_says() -> None:
    """Taken apart by hand: key id, time, and a signature over the header, the time and the note."""
    line = cosign(note(7), KEY, 1679315147)
    dash, name, encoded = line.rstrip("\n").split(" ")
    data = base64.b64decode(encoded)
    assert (dash, name, len(data)) == ("—", "witness.example/w1", 4 + 8 + 64)
    assert int.from_bytes(data[4:12], "big") == 1679315147
    text = note(7).split("\n\n")[0] + "\n"
    signed = f"cosignature/v1\ntime 1679315147\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(KEY.verifier.public).verify(data[12:], signed)
    assert data[:4] == witness_key(KEY).key_id != KEY.verifier.key_id


def test_the_example_of_the_specification_can_be_read() -> None:
    """c2sp.org/tlog-cosignature gives no key, so only the form is looked at."""
    example = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
        "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b"
        "2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    assert cosignatures(example, [witness_key(KEY)]) == []


@given(time=st.integers(0, 2**63 - 1))
def test_a_cosignature_verifies_and_says_its_time(time: int) -> None:
    line = cosign(note(7), KEY, time)
    (found,) = cosignatures(note(7) + line, [witness_key(KEY)])
    assert (found.time, found.line, found.witness) == (time, line, witness_key(KEY))


def test_the_latest_of_several_counts_and_strangers_are_passed_over() -> None:
    stranger = SignerKey.generate("witness.example/w2")
    lines = [cosign(note(7), KEY, 5), cosign(note(7), KEY, 9), cosign(note(7), KEY, 7)]
    signed = note(7) + "".join(lines) + cosign(note(7), stranger, 3)
    assert [each.time for each in cosignatures(signed, [witness_key(KEY)])] == [9]
    assert len(cosignatures(signed, [witness_key(KEY), witness_key(stranger)])) == 2


def test_a_cosignature_of_another_tree_time_or_key_is_refused() -> None:
    line = cosign(note(7), KEY, 5)
    data = bytearray(base64.b64decode(line.split(" ")[2]))
    data[11] ^= 1  # the time
    moved = f"— {KEY.name} {base64.b64encode(data).decode()}\n"
    short = f"— {KEY.name} {base64.b64encode(bytes(data[:40])).decode()}\n"
    for signed in (note(8) + line, note(7) + moved, note(7) + short):
        with pytest.raises(InvalidNote, match="cosignature"):
            cosignatures(signed, [witness_key(KEY)])


def test_a_key_of_a_log_is_no_key_of_a_witness() -> None:
    text = str(witness_key(KEY))
    assert WitnessKey.parse(text) == witness_key(KEY)
    with pytest.raises(InvalidNote, match="0x01"):
        VerifierKey.parse(text)
    with pytest.raises(InvalidNote, match="0x04"):
        WitnessKey.parse(str(KEY.verifier))


# --- policies --------------------------------------------------------------------------------------

NAMES = ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
KEYS = {name: witness_key(SignerKey(f"{name}.example", name[:2].encode() * 16)) for name in NAMES}
EXAMPLE = "\n".join(
    [
        f"log {LOG.verifier} https://log.example",
        "# three here",
        *(f"witness {name} {KEYS[name]}" for name in NAMES[:3]),
        "group X-witnesses 2 X1 X2 X3",
        "",
        *(f"\twitness  {name} {KEYS[name]} https://{name}.example/" for name in NAMES[3:]),
        "group Y-witnesses any Y1 Y2 Y3",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y",
    ]
)


def test_the_example_of_the_specification_needs_two_and_one() -> None:
    policy = read_policy(EXAMPLE.encode())
    assert policy.witnesses == KEYS
    assert policy.urls == {name: f"https://{name}.example" for name in NAMES[3:]}
    for names, met in {
        "": False, "X1 X2": False, "X1 Y1": False, "Y1 Y2 Y3": False, "X1 X3 Y2": True,
        "X1 X2 X3 Y1 Y2 Y3": True,
    }.items():  # fmt: skip
        assert policy.is_met({KEYS[name] for name in names.split()}) is met, names
    assert read_policy(b"quorum none\n").is_met([])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line 'quorum NAME'"),
        ("quorum X1", "line 1: there is no X1"),
        (f"witness X1 {KEYS['X1']}\nwitness X1 {KEYS['X2']}\nquorum X1", "line 2: the name X1"),
        (f"witness X1 {KEYS['X1']}\nwitness X2 {KEYS['X1']}\nquorum X1", "line 2: the key of X2"),
        (f"witness none {KEYS['X1']}\nquorum none", "line 1: the name none"),
        (f"witness X1 {KEYS['X1']}\ngroup G 2 X1\nquorum G", "line 2: expected all, any or 1 to 1"),
        (f"witness X1 {KEYS['X1']}\ngroup G 0 X1\nquorum G", "line 2: expected all, any or 1"),
        (f"witness X1 {KEYS['X1']}\ngroup G all X1 X1\nquorum G", "line 2: X1 is in a group"),
        (f"witness X1 {KEYS['X1']}\nquorum X1\nquorum X1", "line 3: expected"),
        (f"witness X1 {LOG.verifier}\nquorum X1", "line 1: expected an Ed25519 key: 0x04"),
        ("quorum\x01none", "line 1: it has characters"),
        (f"witness X1 {KEYS['X1']} witness.example\nquorum X1", "line 1: expected https://HOST"),
        (f"witness X1 {KEYS['X1']} https://[x\nquorum X1", "line 1: expected https://HOST"),
        (f"witness X1 {KEYS['X1']} https://x:99999\nquorum X1", "line 1: expected https://HOST"),
        ("witness X1", "line 1: expected"),
    ],
)  # fmt: skip
def test_a_policy_that_means_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        read_policy(text.encode())
    assert words in str(refused.value)


# --- a witness -------------------------------------------------------------------------------------


def test_a_log_that_grows_is_cosigned_from_each_size_to_each(witness: Witness) -> None:
    sizes = [1, 2, 3, 7, 8, 31, 40]
    for old, new in zip([0, *sizes], sizes, strict=False):
        answer = witness.add_checkpoint(step(old, new))
        assert answer.status == 200
        assert len(cosignatures(note(new) + answer.body, [witness_key(KEY)])) == 1
        assert witness.add_checkpoint(body(new, [], note(new))).status == 200, "the same once more"
    assert not evidence(witness)


def test_who_does_not_know_the_size_is_told(witness: Witness) -> None:
    witness.add_checkpoint(step(0, 7))
    answer = witness.add_checkpoint(step(0, 9))
    assert (answer.status, answer.body, answer.content_type) == (409, "7\n", "text/x.tlog.size")
    assert witness.add_checkpoint(step(7, 9)).status == 200


def test_two_roots_for_one_size_are_refused_and_kept_as_evidence(witness: Witness) -> None:
    """Attack 3: both notes bear the log's signature, and whoever has the file can show it."""
    witness.add_checkpoint(step(0, 7))
    for old in (7, 0, 3):
        answer = witness.add_checkpoint(body(old, [], note(7, OTHER)))
        assert (answer.status, answer.body) == (409, "7\n")
    (kept,) = evidence(witness)
    assert note(7) in kept
    assert note(7, OTHER) in kept
    assert witness.add_checkpoint(step(7, 8)).status == 200, "the true log goes on"


def test_a_log_that_was_rolled_back_and_written_on_is_refused(witness: Witness) -> None:
    """Attack 2: whatever proof it sends, the other history is not the continuation of this one."""
    witness.add_checkpoint(step(0, 20))
    other = LEAVES[:12] + OTHER[12:]
    tries = [proof(20, 30, other), proof(20, 30), [], [b"\0" * 32] * 5]
    for hashes in tries:
        assert witness.add_checkpoint(body(20, hashes, note(30, other))).status == 422
    assert witness.add_checkpoint(body(12, proof(12, 14, other), note(14, other))).status == 409
    assert witness.add_checkpoint(body(20, [], note(14, other))).status == 400
    assert len(evidence(witness, "unproven")) == 1
    assert not evidence(witness)
    assert witness.add_checkpoint(step(20, 30)).status == 200


def test_who_sends_honest_notes_without_a_proof_leaves_room_for_evidence(witness: Witness) -> None:
    """Published checkpoints are in everybody's hands, and prove nothing against the log."""
    witness.add_checkpoint(step(0, 7))
    for size in range(8, 30):
        assert witness.add_checkpoint(body(7, [b"\0" * 32], note(size))).status == 422
    assert len(evidence(witness, "unproven")) == MOST_UNPROVEN
    assert witness.add_checkpoint(body(7, [], note(7, OTHER))).status == 409
    (kept,) = evidence(witness)
    assert note(7, OTHER) in kept


def test_a_proof_from_nothing_is_empty(witness: Witness) -> None:
    assert witness.add_checkpoint(body(0, [LEAVES[0]], note(2))).status == 422
    assert not evidence(witness)


def test_strange_logs_and_keys_are_refused(witness: Witness) -> None:
    stranger = SignerKey.generate("other.example/log")
    impostor = SignerKey.generate(LOG.name)
    assert witness.add_checkpoint(body(0, [], note(3, key=stranger))).status == 404
    assert witness.add_checkpoint(body(0, [], note(3, key=impostor))).status == 403
    assert not list(witness.folder.iterdir())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"old 3", b"old 03\n\n" + note(3).encode(), b"old -1\n\n" + note(3).encode(),
        b"old 0\n" + note(3).encode(), b"old 0\n\nnot a note\n", b"\xff\xfe",
        b"old 0\nnot base64\n\n" + note(3).encode(),
        b"old 0\n" + b"AAAA\n" * 64 + b"\n" + note(3).encode(),
        b"old 0\n\n" + note(3).replace("\n3\n", "\n03\n").encode(),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(witness: Witness, data: bytes) -> None:
    answer = witness.add_checkpoint(data)
    assert answer.status == 400
    assert answer.body.startswith("This is not an add-checkpoint request")


def test_a_damaged_memory_stops_the_witness(witness: Witness) -> None:
    witness.add_checkpoint(step(0, 7))
    witness.path(LOG.name).write_text("gone")
    assert witness.add_checkpoint(step(0, 9)).status == 500
    assert witness.add_checkpoint(step(7, 9)).status == 500


def test_a_witness_remembers_before_it_answers(witness: Witness) -> None:
    """Killed between the two, it knows what it may have said: the other history is refused for good."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from audit_log import witness as module\n"
        "from audit_log.checkpoint import SignerKey, VerifierKey\n"
        "module.cosign = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "w = module.Witness(Path(sys.argv[1]), SignerKey.parse(sys.argv[2]),"
        " [VerifierKey.parse(sys.argv[3])])\n"
        "w.add_checkpoint(sys.stdin.buffer.read())\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, str(witness.folder), KEY.encode(), str(LOG.verifier)],
        input=step(0, 7), cwd=ROOT, capture_output=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert witness.add_checkpoint(body(0, [], note(7, OTHER))).status == 409
    assert witness.add_checkpoint(body(7, [], note(7))).status == 200


def test_of_two_histories_at_once_one_is_cosigned(witness: Witness) -> None:
    answers: list[int] = []
    together = threading.Barrier(8)

    def send(leaves: list[bytes]) -> None:
        together.wait()
        answers.append(witness.add_checkpoint(step(0, 9, leaves)).status)

    threads = [threading.Thread(target=send, args=([LEAVES, OTHER][i % 2],)) for i in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [200] + [409] * 7


def test_the_server_answers_one_address(witness: Witness) -> None:
    class Body:
        def read(self, size: int) -> bytes:
            return step(0, 3)[:size]

    def ask(**changes: object) -> int:
        environ = {"PATH_INFO": "/add-checkpoint", "REQUEST_METHOD": "POST", "wsgi.input": Body()}
        environ |= {"CONTENT_LENGTH": str(len(step(0, 3)))}
        return answer_to(witness, environ | changes).status

    assert ask(PATH_INFO="/") == 404
    assert ask(REQUEST_METHOD="GET") == 405
    assert ask(CONTENT_LENGTH="") == 411
    assert ask(CONTENT_LENGTH=str(MOST_BYTES + 1)) == 413
    assert ask() == 200
