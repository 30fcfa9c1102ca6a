import base64
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_log.checkpoint import Checkpoint, InvalidNote, SignerKey, VerifierKey, sign, verify

# golang.org/x/mod/sumdb/note's own test key and note.
PETER = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuG"
    "UgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = SignerKey.generate("log.example/study")
TREE = Checkpoint(KEY.name, 7, b"r" * 32)


def test_go_key_and_signature_are_understood() -> None:
    assert str(PETER) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    # The signature fits; what fails is only that the text is no checkpoint.
    with pytest.raises(InvalidNote, match="three lines"):
        verify(PETER_NOTE, PETER)
    with pytest.raises(InvalidNote, match="does not fit the text"):
        verify(PETER_NOTE.replace("answer", "question"), PETER)


@given(size=st.integers(0, 10**18), root=st.binary(min_size=32, max_size=32))
def test_signed_checkpoint_verifies(size: int, root: bytes) -> None:
    tree = Checkpoint(KEY.name, size, root)
    assert verify(sign(tree, KEY), KEY.verifier) == tree


def test_text_is_three_lines() -> None:
    assert TREE.text() == f"log.example/study\n7\n{base64.b64encode(b'r' * 32).decode()}\n"


def test_extension_lines_are_let_pass() -> None:
    assert Checkpoint.parse(TREE.text() + "more\n") == TREE


def test_signatures_of_others_are_ignored() -> None:
    other = SignerKey.generate("witness.example")
    cosigned = sign(TREE, KEY) + sign(TREE, other).split("\n\n")[1]
    assert verify(cosigned, KEY.verifier) == TREE
    assert verify(sign(TREE, KEY), KEY.verifier) == TREE
    with pytest.raises(InvalidNote, match="no signature by"):
        verify(sign(TREE, KEY), other.verifier)
    with pytest.raises(InvalidNote, match="no signature by"):
        verify(sign(TREE, KEY), SignerKey.generate(KEY.name).verifier)


def test_signature_by_the_key_of_another_origin_is_refused() -> None:
    foreign = dataclasses.replace(TREE, origin="elsewhere.example")
    with pytest.raises(InvalidNote, match="expected origin"):
        verify(sign(foreign, KEY), KEY.verifier)


@given(position=st.integers(0, 200), bit=st.integers(0, 6))
def test_note_with_one_changed_bit_is_refused(position: int, bit: int) -> None:
    note = bytearray(sign(TREE, KEY).encode())
    position %= len(note)
    note[position] ^= 1 << bit
    with pytest.raises((InvalidNote, UnicodeDecodeError)):
        verify(note.decode(), KEY.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n1\nAAAA\n",
        "a\n\n1\n" + TREE.text().split("\n")[2] + "\n",
        TREE.text().rstrip("\n"),
        TREE.text().replace("\n7\n", "\n07\n"),
        TREE.text().replace("\n7\n", "\n-7\n"),
        TREE.text().replace("\n7\n", "\n\u0667\n"),
        TREE.text().replace("\n7\n", "\n" + "9" * 40 + "\n"),
        TREE.text().replace("=", "!"),
    ],
)
def test_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint.parse(text)


LINE = sign(TREE, KEY).split("\n\n")[1]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text without signatures\n",
        TREE.text() + "\n",
        TREE.text() + "\n" + LINE.rstrip("\n"),
        TREE.text() + "\n" + LINE.replace("—", "-"),
        TREE.text() + "\n" + LINE.replace(" ", "  ", 1),
        TREE.text() + "\n— " + KEY.name + " AAAA\n",
        TREE.text() + "\n— " + KEY.name + " %%%%\n",
        TREE.text() + "\n— " + KEY.name + " \n",
        TREE.text() + "\n— a+b " + LINE.split(" ")[2],
        TREE.text() + "\n" + LINE * 65,
        TREE.text() + "\x07\n\n" + LINE,
        "x" * 1_000_001,
        "\n\n" + LINE,
    ],
)
def test_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(InvalidNote):
        verify(note, KEY.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "two words+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc",
    ],
)
def test_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        VerifierKey.parse(text)


def test_signing_key_is_read_back_and_never_shown() -> None:
    text = KEY.encode()
    assert SignerKey.parse(text + "\n") == KEY
    secret = text.rpartition("+")[2]
    assert secret not in repr(KEY)
    for damaged in (text[8:], text.replace("log.example", "log.exampel"), text[:-8]):
        with pytest.raises(InvalidNote) as refused:
            SignerKey.parse(damaged)
        assert secret[:16] not in str(refused.value)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb"])
def test_origin_with_spaces_or_plus_is_refused(name: str) -> None:
    with pytest.raises(InvalidNote):
        SignerKey.generate(name)
