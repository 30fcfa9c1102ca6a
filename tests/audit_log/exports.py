"""What the tests of exports, to folders and to buckets, have in common."""

from __future__ import annotations

import io
from pathlib import Path

from django.core.management import call_command

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.sequencer import integrate_once

DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)


def write(number: int) -> None:
    """So many entries, in the tree and signed."""
    for _ in range(number):
        append_durable(DRAFT)
    integrate_once()


def files(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def command(*words: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()
