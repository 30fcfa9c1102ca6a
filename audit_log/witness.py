"""A witness: it sees that a log only grows, and says so under the log's checkpoints. No Django.

Source: https://c2sp.org/tlog-witness. It remembers one checkpoint of each log, the largest that it has
cosigned, and cosigns the next only with a proof that it continues that one. It remembers *before* it
answers, so whatever it has said it knows after a kill. A log that shows two people two histories must
get one of them past its witnesses. What contradicts the memory is kept: two notes that the log has
signed, and that cannot both be true, convict it before anybody.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from audit_log.checkpoint import (
    Checkpoint,
    InvalidNote,
    SignerKey,
    VerifierKey,
    decode,
    split_note,
    verify,
)
from audit_log.cosignature import cosign
from audit_log.durable_files import write_durably
from audit_log.merkle import InvalidProof, verify_consistency

MOST_LINES = 63
MOST_EVIDENCE = 100
MOST_UNPROVEN = 5
OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
TEXT, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    content_type: str = TEXT


class Refused(Exception):
    """The checkpoint is not cosigned; ``answer`` says why."""

    def __init__(self, status: int, body: str, content_type: str = TEXT) -> None:
        super().__init__(body)
        self.answer = Answer(status, body, content_type)


@dataclass(frozen=True)
class Submission:
    """What a log sends: the size of its last cosigned tree, the proof from it, the new note."""

    old: int
    proof: list[bytes]
    note: str


class Witness:
    """A witness with its key, its memory (a folder of its own), and the logs that it knows.

    ``logs``: verifier keys; several of one name while a log changes its key.
    """

    def __init__(self, folder: Path, key: SignerKey, logs: Iterable[VerifierKey]) -> None:
        self.folder = folder
        self.key = key
        self.logs: dict[str, list[VerifierKey]] = {}
        for log in logs:
            self.logs.setdefault(log.name, []).append(log)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one ``add-checkpoint`` request."""
        try:
            submission = read_submission(body)
            tree = self.signed_by_log(submission.note)
            with self.alone(tree.origin):
                return self.continue_log(submission, tree)
        except Refused as refusal:
            return refusal.answer

    def signed_by_log(self, note: str) -> Checkpoint:
        """The checkpoint, once a key of its log has been found under it. Raises Refused."""
        origin = note.partition("\n")[0]
        if origin not in self.logs:
            raise Refused(404, "This witness does not know the log.\n")
        for key in self.logs[origin]:
            try:
                return verify(note, key)
            except InvalidNote:
                continue
        raise Refused(403, "No key that this witness knows of the log has signed the checkpoint.\n")

    def continue_log(self, submission: Submission, tree: Checkpoint) -> Answer:
        """Cosign a tree that continues the remembered one. Raises Refused."""
        if submission.old > tree.size:
            raise Refused(400, "The old size is larger than that of the checkpoint.\n")
        known = self.remembered(tree.origin)
        size = known.size if known else 0
        forked = known is not None and tree.size == size and tree.root != known.root
        if forked:
            self.keep("evidence", submission.note, MOST_EVIDENCE)
        if forked or submission.old != size:
            raise Refused(409, f"{size}\n", SIZE)
        try:
            if known:
                verify_consistency(size, tree.size, submission.proof, known.root, tree.root)
            elif submission.proof:
                raise InvalidProof("a proof from nothing is empty")
        except InvalidProof as error:
            if known:
                # The note may be an honest one: anybody can send it with a proof of nothing.
                self.keep("unproven", submission.note, MOST_UNPROVEN)
            raise Refused(422, f"The consistency proof does not verify: {error}.\n") from None
        write_durably(self.path(tree.origin), submission.note, replace=True)
        return Answer(200, cosign(submission.note, self.key, int(time.time())))

    def remembered(self, origin: str) -> Checkpoint | None:
        """The largest tree of a log that was cosigned. Raises Refused when its file is damaged."""
        try:
            text, _ = split_note(self.path(origin).read_bytes().decode())
            return Checkpoint.parse(text)
        except FileNotFoundError:
            return None
        except (UnicodeDecodeError, InvalidNote):
            # Nobody knows what was promised, so nothing more is.
            raise Refused(500, "The witness cannot read its memory of this log.\n") from None

    def path(self, origin: str) -> Path:
        """The file of the checkpoint that was cosigned last."""
        return self.folder / sha256(origin.encode()).hexdigest() / "cosigned"

    def keep(self, kind: str, note: str, most: int) -> None:
        """Keep a signed note that contradicts the memory, or may, together with the latter."""
        folder = self.path(note.partition("\n")[0]).parent
        if len(list(folder.glob(f"{kind}-*"))) >= most:
            return  # enough to ask questions; a disk that is full would stop the witness
        memory = (folder / "cosigned").read_bytes()
        name = sha256(note.encode()).hexdigest()[:16]
        write_durably(folder / f"{kind}-{name}", memory + b"\n\n" + note.encode(), replace=False)

    @contextmanager
    def alone(self, origin: str) -> Iterator[None]:
        """Let no other thread or process compare and remember meanwhile."""
        folder = self.path(origin).parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def read_submission(body: bytes) -> Submission:
    """Read the body of an ``add-checkpoint`` request. Raises Refused."""
    try:
        head, separator, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old = OLD.fullmatch(first)
        if not separator or old is None or len(lines) > MOST_LINES:
            raise InvalidNote("expected 'old SIZE', up to 63 hashes, an empty line, a checkpoint")
        text, _ = split_note(note)
        Checkpoint.parse(text)
        return Submission(int(old[1]), [decode(line) for line in lines], note)
    except (UnicodeDecodeError, InvalidNote) as error:
        raise Refused(400, f"This is not an add-checkpoint request: {error}.\n") from None
