"""What ``verify_log`` found last: a small file in VAR_DIR, for the page of the log and the keeper."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from audit_log.durable_files import write_durably
from audit_log.verification import Verdict


@dataclass(frozen=True, kw_only=True)
class LastVerdict:
    """A verdict on the whole log and when it was given; ``problem`` is empty when everything fitted."""

    at: datetime
    entries: int
    problem: str


def path() -> Path:
    """Where it lies."""
    return Path(settings.VAR_DIR) / "log_verdict.json"


def remember(verdict: Verdict) -> None:
    """Keep a verdict. Raises OSError when it cannot be written."""
    last = LastVerdict(at=timezone.now(), entries=verdict.entries, problem=verdict.problem)
    content = json.dumps(asdict(last) | {"at": last.at.isoformat()})
    write_durably(path(), content, replace=True)


def last_verdict() -> LastVerdict | None:
    """The verdict given last; None before the first, and for a file that nobody can read."""
    try:
        found = json.loads(path().read_bytes())
        return LastVerdict(
            at=datetime.fromisoformat(found["at"]),
            entries=int(found["entries"]),
            problem=str(found["problem"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
