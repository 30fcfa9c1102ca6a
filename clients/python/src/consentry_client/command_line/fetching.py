"""``consentry results``: fetch what is not here yet. Every fetch is a reading that the person sees."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from consentry_client.clients import Client
from consentry_client.command_line.copies_here import place
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.lines import LACKS_SCOPE, Outcomes, why
from consentry_client.command_line.outcomes import SOME_FAILED, Stop
from consentry_client.command_line.tables import SERIES_WRITERS, WRITERS, require_parquet, rows_of
from consentry_client.errors import Conflict, Gone, NotFound, Refused
from consentry_client.models import AccessReason, Analysis, Recording
from consentry_client.whole_files import make_folder, replacing

DUTY = """\
These copies are yours now: neither the log nor an erasure reaches them. When somebody withdraws you must
erase theirs: consentry erasures --delete-from FOLDER --acknowledge"""


def results(given: argparse.Namespace) -> int:
    """Fetch the results of all finished analyses that are not in the folder in this form."""
    if given.to == "parquet":
        require_parquet()  # before anything is read, which would be an entry in vain
    outcomes = Outcomes(frozenset({"refused"}))
    folder = make_folder(given.folder)
    with open_client(given.purpose) as (client, _purpose):
        fetching = Fetching(client, folder, given.to, given.reason)
        for recording in client.recordings(order="oldest"):
            for analysis in recording.analyses:
                if analysis.state == "done":
                    outcomes.add(*fetching.outcome_of(recording, analysis))
    status = outcomes.end()
    if outcomes.counts["fetched"]:
        print(DUTY)
    return status


class Fetching:
    """One run of the command."""

    def __init__(self, client: Client, folder: Path, form: str, reason: AccessReason) -> None:
        self.client, self.folder, self.form, self.reason = client, folder, form, reason

    def outcome_of(self, recording: Recording, analysis: Analysis) -> tuple[str, str, str]:
        """Fetch the result of one analysis: the line about it."""
        name = f"analysis {analysis.id}"
        target = place(self.folder, recording.subject, recording.id, analysis.id)
        if any(target.glob(f"*.{self.form}")):
            return "there", name, ""
        try:
            self.fetch(recording, analysis, target)
        except Refused as error:
            if error.code == LACKS_SCOPE:
                raise Stop("This key may not read: it lacks results:read.", SOME_FAILED) from None
            return "refused", name, why(error)
        except (Gone, NotFound, Conflict) as error:
            return "gone", name, why(error)
        return "fetched", name, str(target)

    def fetch(self, recording: Recording, analysis: Analysis, target: Path) -> None:
        """Fetch one result into a folder that is there as a whole or not at all."""
        parts = self.client.result(analysis.id, reason=self.reason).parts
        make_folder(target.parent)
        made = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))  # 0700
        try:
            for category, part in parts.items():
                write(made / f"{category}.json", json.dumps(part, indent=1).encode() + b"\n")
                if self.form in WRITERS:
                    table = self.table_of(recording, analysis, category, part)
                    write(made / f"{category}.{self.form}", table)
            shutil.rmtree(target, ignore_errors=True)  # the same in another form
            made.rename(target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise

    def table_of(
        self, recording: Recording, analysis: Analysis, category: str, part: dict[str, Any]
    ) -> bytes:
        """One category as a table: of a film its series, else the figures; the ids begin each row."""
        about = {
            "subject": str(recording.subject),
            "recording": str(recording.id),
            "analysis": str(analysis.id),
            "recorded_at": recording.created_at.isoformat(),
        }
        if recording.media_type.startswith("video/"):
            try:
                series = self.client.series(
                    analysis.id,
                    category,
                    reason=self.reason,
                    format="csv" if self.form == "csv" else "parquet",
                )
                return SERIES_WRITERS[self.form](series, about)
            except NotFound:
                pass  # measured as a whole only
        return WRITERS[self.form](list(rows_of(category, part)), about)


def write(path: Path, body: bytes) -> None:
    """A file that only its owner can read."""
    with replacing(path) as file:
        file.write(body)
