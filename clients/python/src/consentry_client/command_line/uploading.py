"""``consentry upload``: the photographs and films of a folder, each once."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from consentry_client.clients import Client
from consentry_client.command_line.chosen_files import Chosen, by_map, by_name
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.lines import LACKS_SCOPE, Outcomes, why
from consentry_client.command_line.outcomes import SOME_FAILED, Stop
from consentry_client.command_line.progress import Bar
from consentry_client.command_line.upload_record import UploadRecord
from consentry_client.command_line.upload_state import (
    UploadState,
    hash_of,
    idempotency_key,
    state_folder,
)
from consentry_client.errors import (
    ApiError,
    FileChanged,
    NotAuthenticated,
    NotFound,
    Refused,
    Throttled,
    Unavailable,
)

LARGE = 8_000_000
"""Bytes from which a file is sent piece by piece, so that a broken upload goes on where it was."""
FOR_ALL = (NotAuthenticated, Throttled, Unavailable)
"""What the next file would be answered, too."""
TAKEN = "given"
"""The one state of a consent in which anything about somebody is taken."""
UNKNOWN = "unknown to this key"
READS = "recordings:read"


def upload(given: argparse.Namespace) -> int:
    """Send what is missing, or say what would be sent."""
    folder: Path = given.folder
    if not folder.is_dir():
        raise Stop(f"{folder} is not a folder.")
    files = by_map(folder, given.map) if given.map else by_name(folder)
    with open_client(given.purpose) as (client, purpose):
        sending = Sending(client, purpose, UploadState(state_folder(), purpose))
        if given.dry_run:
            return sending.rehearse(files)
        if given.record:
            sending.record = record_of(client, given.record)
        return sending.send(files)


def record_of(client: Client, path: Path) -> UploadRecord:
    """Where it is written down what was sent; raises Stop before anything is sent."""
    if READS not in client.me().scopes:
        raise Stop(
            f"This key may not say whom recordings are about: it lacks {READS}.", SOME_FAILED
        )
    return UploadRecord(path)


class Sending:
    """One run of the command."""

    def __init__(self, client: Client, purpose: str, state: UploadState) -> None:
        self.client, self.purpose, self.state = client, purpose, state
        self.outcomes = Outcomes(frozenset({"refused", "failed", "would be refused"}))
        self.record: UploadRecord | None = None

    def send(self, files: list[Chosen]) -> int:
        """Send each file that was not sent yet; one line for each. Returns the exit status."""
        self.bar = Bar(sum(size_of(each.path) for each in files if each.subject))
        try:
            for each in files:
                outcome, more = self.outcome_of(each)
                self.bar.clear()
                self.outcomes.add(outcome, each.name, more)
        finally:
            self.bar.clear()
        return self.outcomes.end()

    def outcome_of(self, chosen: Chosen) -> tuple[str, str]:
        """Send one file: what became of it. Raises what the next file would meet as well."""
        if not chosen.subject:
            return "skipped", chosen.why_not
        try:
            outcome, recording = self.send_one(chosen.path, chosen.subject)
            return outcome, f"recording {recording}" + self.write_down(chosen.name, recording)
        except FOR_ALL:
            raise
        except Refused as error:
            if error.code == LACKS_SCOPE:
                raise Stop(
                    "This key may not upload: it lacks recordings:upload.", SOME_FAILED
                ) from None
            return "refused", why(error)
        except ApiError as error:
            return "refused", why(error)
        except (FileChanged, OSError) as error:
            return "failed", why(error)
        finally:
            self.bar.done(size_of(chosen.path))

    def send_one(self, path: Path, subject: str) -> tuple[str, str]:
        """Send a file unless it was sent before: which of the two it is, and the recording."""
        file_hash = hash_of(path)
        tag = self.state.tag(subject, file_hash)
        if recording := self.state.recordings.get(tag):
            return "there", recording
        key = idempotency_key(self.purpose, subject, file_hash)
        if path.stat().st_size < LARGE:
            made = self.client.upload(
                path,
                subject=subject,
                purpose=self.purpose,
                idempotency_key=key,
                progress=self.bar.file,
            ).id
        else:
            made = self.client.upload_resumable(
                path,
                subject=subject,
                purpose=self.purpose,
                idempotency_key=key,
                resume=self.state.begun.get(tag, ""),
                begun=lambda at: self.state.note_begun(tag, at),
                progress=self.bar.file,
            )
        self.state.note_done(tag, str(made))
        return "sent", str(made)

    def write_down(self, name: str, recording: str) -> str:
        """Add a recording to the record, unless it stands there; what the line about it says more."""
        if self.record is None or self.record.has(name, recording):
            return ""
        about: UUID | None = None
        with suppress(NotFound):  # erased with everything since an earlier run
            about = self.client.recording(recording).subject
        if about is None:
            return ", of which the server has no person any more: not in the record"
        self.record.add(name, about, recording)
        return ""

    def rehearse(self, files: list[Chosen]) -> int:
        """Say what would be sent about whom, and what would be refused. Sends nothing."""
        consents: dict[str, str] = {}
        for each in files:
            if not each.subject:
                self.outcomes.add("skipped", each.name, each.why_not)
                continue
            try:
                tag = self.state.tag(each.subject, hash_of(each.path))
            except OSError as error:
                self.outcomes.add("failed", each.name, why(error))
                continue
            if tag in self.state.recordings:
                self.outcomes.add("there", each.name)
                continue
            if each.subject not in consents:
                consents[each.subject] = self.consent_of(each.subject)
            status = consents[each.subject]
            taken = "would send" if status in (TAKEN, UNKNOWN) else "would be refused"
            self.outcomes.add(taken, each.name, f"about {each.subject}, consent: {status}")
        return self.outcomes.end()

    def consent_of(self, subject: str) -> str:
        """Where somebody's consent stands, in a word. Asking makes no entry: it is no reading."""
        try:
            return self.client.find_subject(subject).status
        except NotFound:
            return "never asked"
        except Refused:
            return UNKNOWN


def size_of(path: Path) -> int:
    """The bytes of a file; none of one that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
