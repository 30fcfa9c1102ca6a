"""What was sent already, so that a second run sends only what is missing.

One file for each purpose, only ever added to, so that it is right whenever the command is killed. It holds
no reference and no file name: an upload is known by a hash of both with the file's bytes, keyed with a
secret of this file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from consentry_client.command_line.private_files import read_private
from consentry_client.whole_files import make_folder


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where it lies: CONSENTRY_STATE, or ``consentry`` in the user's folder of states."""
    if given := environment.get("CONSENTRY_STATE"):
        return Path(given)
    home = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "consentry"


class UploadState:
    """The uploads of one purpose.

    Fields:
        recordings: by the tag of an upload, the recording that came of it.
        begun: by the tag of an upload that was not finished, the address at which it goes on.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        self.path = make_folder(folder) / f"uploads-{purpose}.jsonl"
        self.recordings: dict[str, str] = {}
        self.begun: dict[str, str] = {}
        self.secret = b""
        if self.path.exists():
            self.read()
        if not self.secret:
            self.secret = secrets.token_bytes(32)
            self.add({"secret": self.secret.hex()})

    def read(self) -> None:
        """Take up what earlier runs wrote; a line that a crash cut off is left aside."""
        for line in read_private(self.path).decode(errors="replace").split("\n"):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if "secret" in row:
                self.secret = bytes.fromhex(row["secret"])
            elif "recording" in row:
                self.recordings[row["upload"]] = row["recording"]
                self.begun.pop(row["upload"], None)
            elif "at" in row:
                self.begun[row["upload"]] = row["at"]

    def add(self, row: dict[str, str]) -> None:
        """Write one line, on the disk before anything else happens."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            # A newline first: what a crash has cut off must not spoil this line too.
            file.write(b"\n" + json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def tag(self, subject: str, file_hash: str) -> str:
        """By what an upload is known here."""
        text = json.dumps([subject, file_hash]).encode()
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()

    def note_begun(self, tag: str, at: str) -> None:
        """An upload goes on at this address."""
        self.begun[tag] = at
        self.add({"upload": tag, "at": at})

    def note_done(self, tag: str, recording: str) -> None:
        """An upload became a recording."""
        self.recordings[tag] = recording
        self.begun.pop(tag, None)
        self.add({"upload": tag, "recording": recording})


def hash_of(path: Path) -> str:
    """The SHA-256 of a file's bytes; raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def idempotency_key(purpose: str, subject: str, file_hash: str) -> str:
    """The same for the same file about the same person, also where this file of states was lost."""
    return hashlib.sha256(json.dumps([purpose, subject, file_hash]).encode()).hexdigest()
