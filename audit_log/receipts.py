"""Receipts: entries with their proofs in one document that is verified without this installation.

``tools/verify_access_log.py`` verifies it with nothing but the log's public key.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import Error

from audit_log.errors import LogUnavailable
from audit_log.models import LogEntry, PendingEntry
from audit_log.proofs import inclusion_proof
from audit_log.signing import verifier_key

FORMAT = "consentry-receipt/1"
POLL = 0.05


def receipt_document(entry_ids: Iterable[UUID]) -> dict[str, Any]:
    """The receipt of these entries, in this order, ready for JSON.

    Raises EntryNotIntegrated or EntryUnknown for an entry that cannot be proven, SigningKeyMissing
    when the log has no public key.
    """
    proofs = [inclusion_proof(entry_id) for entry_id in entry_ids]
    return {
        "format": FORMAT,
        "entries": [
            {"entry": base64.b64encode(proof.body).decode(), "proof": proof.text()}
            for proof in proofs
        ],
        "verifier_key": verifier_key(),
    }


def anything_pending() -> bool:
    """Whether entries are written that no tree holds yet. Raises LogUnavailable."""
    try:
        return PendingEntry.objects.exists()
    except Error as error:
        raise LogUnavailable from error


def wait_integrated(entry_ids: Iterable[UUID], timeout: float) -> bool:
    """Wait until a signed checkpoint covers all these entries, at most ``timeout`` seconds.

    Returns whether it does. It needs a running sequencer, and no transaction around it.
    """
    wanted = set(entry_ids)
    deadline = time.monotonic() + timeout
    while True:
        covered = LogEntry.objects.provable().filter(entry_id__in=wanted).count()
        if covered == len(wanted):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
