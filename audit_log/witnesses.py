"""Asking witnesses for their word on this log: the client of C2SP ``tlog-witness``. Keeper only."""

from __future__ import annotations

import base64
import time

import httpx
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit_log.bounded import TooLong, body_of
from audit_log.checkpoint import SIZE, InvalidNote
from audit_log.cosignature import Cosignature as Word
from audit_log.cosignature import WitnessKey, cosignatures
from audit_log.errors import WitnessError
from audit_log.models import Checkpoint, Cosignature
from audit_log.proofs import consistency_proof
from audit_log.witnessed import policy

EVERY = 10.0  # seconds between two questions to a witness, when the log has grown
LONGEST = 300.0  # seconds: the longest wait after failures, which double it
TIMEOUT = 10.0
MOST_BYTES = 16_384  # of an answer


class Asker:
    """Asks every witness in turn, each in its own time. Held by the keeper."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self.failures: dict[str, int] = {}

    def ask_all(self) -> int:
        """Ask each witness that is due about the newest checkpoint; how many cosigned it.

        Raises WitnessError, after everybody was asked, when somebody did not.
        """
        newest = Checkpoint.objects.order_by("-size").first()
        wanted = policy()
        given, problems = 0, []
        for name, url in wanted.urls.items():
            key = wanted.witnesses[name]
            last = last_size(key)
            if newest is None or last == newest.size or time.monotonic() < self.due.get(name, 0):
                continue
            try:
                given += ask(key, url, newest, last)
            except (WitnessError, httpx.HTTPError) as error:
                self.failures[name] = self.failures.get(name, 0) + 1
                problems.append(f"{name}: {error or type(error).__name__}")
            else:
                self.failures.pop(name, None)
            wait = min(LONGEST, EVERY * 2 ** self.failures.get(name, 0))
            self.due[name] = time.monotonic() + wait
        if problems:
            raise WitnessError("; ".join(problems))
        return given


def last_size(key: WitnessKey) -> int:
    """The size of the largest tree that a witness has cosigned, as far as is known here; else 0."""
    last = Cosignature.objects.filter(witness=str(key)).order_by("-checkpoint_id").first()
    return last.checkpoint_id if last else 0


def ask(key: WitnessKey, url: str, newest: Checkpoint, last: int) -> bool:
    """Ask one witness to cosign; whether it has. Raises WitnessError and httpx.HTTPError."""
    status, text = post(url, request_body(last, newest))
    if status == httpx.codes.CONFLICT and SIZE.fullmatch(text.strip()):
        # It remembers another size than we do, perhaps from before a restore.
        known = int(text)
        if known > newest.size:
            raise WitnessError(
                f"It has cosigned a tree of {known} entries; this log has {newest.size}. "
                "The log was put back, or somebody else signs with its key."
            )
        if known != last:
            status, text = post(url, request_body(known, newest))
    if status == httpx.codes.CONFLICT:
        raise WitnessError(
            f"It has cosigned another tree of {text[:200].strip()} entries than this log."
        )
    if status != httpx.codes.OK:
        raise WitnessError(f"It answered with status {status}: {text[:200].strip()}")
    try:
        words = cosignatures(newest.note + text, [key])
    except InvalidNote as error:
        raise WitnessError(f"Its answer is not a cosignature: {error}.") from None
    if not words:
        raise WitnessError("Its answer has no cosignature by the key of the policy.")
    return keep(newest, words[0])


def request_body(old: int, newest: Checkpoint) -> bytes:
    """The body of ``add-checkpoint``: the old size, the consistency proof, the note."""
    hashes = consistency_proof(old, newest.size) if old else []
    lines = "".join(f"{base64.b64encode(value).decode()}\n" for value in hashes)
    return f"old {old}\n{lines}\n{newest.note}".encode()


def post(url: str, body: bytes) -> tuple[int, str]:
    """The status and text of an answer. Raises WitnessError for one that has no end."""
    with (
        httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
        client.stream("POST", f"{url}/add-checkpoint", content=body) as answer,
    ):
        try:
            return answer.status_code, body_of(answer, MOST_BYTES).decode(errors="replace")
        except TooLong:
            raise WitnessError(f"Its answer has more than {MOST_BYTES} bytes.") from None


def keep(checkpoint: Checkpoint, word: Word) -> bool:
    """Keep what a witness said; False when another keeper was first."""
    row = Cosignature(
        checkpoint=checkpoint, witness=str(word.witness), line=word.line, at=timezone.now()
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True
