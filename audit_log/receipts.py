"""Receipts: entries with their proofs in one document that is verified without this installation.

``tools/verify_access_log.py`` verifies it with nothing but the log's public key.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import Error

from audit_log.actions import Action
from audit_log.entries import Entry, parse
from audit_log.errors import EntryNotIntegrated, InvalidEntry, LogUnavailable
from audit_log.models import LogEntry, PendingEntry
from audit_log.promises import certificate, promise
from audit_log.proofs import Covering, covering, inclusion_proof
from audit_log.signing import key_history, verifier_key

FORMAT = "consentry-receipt/1"
POLL = 0.05


def receipt_document(entry_ids: Iterable[UUID]) -> dict[str, Any]:
    """The receipt of these entries, in this order, ready for JSON.

    An entry that no checkpoint covers yet stands there with a promise. Raises EntryUnknown, and
    SigningKeyMissing when a key of the log is missing. Not for use in a transaction.
    """
    under = covering()
    items = [item(entry_id, under) for entry_id in entry_ids]
    document: dict[str, Any] = {"format": FORMAT, "entries": items, "verifier_key": verifier_key()}
    if any("promise" in each for each in items):
        document["promise_certificate"] = certificate()
    return document


def verify_command(file: str) -> str:
    """The command that verifies a file of receipts beside the one-file verifier, with the log's keys in it.

    In double quotes, which every shell takes: a key has letters, digits and ``.:+/=-`` only. Of several
    each says which sizes it may sign: one that was ended may be in wrong hands.
    """
    first, *older = key_history().records
    said = [f"{r.key} {r.sizes()}" for r in (first, *older)] if older else [str(first.key)]
    keys = " ".join(f'--key "{each}"' for each in said)
    return f"python3 verify_access_log.py receipt {file} {keys}"


def item(entry_id: UUID, under: Sequence[Covering]) -> dict[str, str]:
    """An entry with its proof, or with a promise as long as there is none."""
    try:
        proof = inclusion_proof(entry_id, under)
    except EntryNotIntegrated:
        body, promised = promise(entry_id)
        return {"entry": base64.b64encode(body).decode(), "promise": promised}
    return {"entry": base64.b64encode(proof.body).decode(), "proof": proof.text()}


def pending_about(consent_tags: Iterable[bytes], actions: Iterable[Action]) -> list[UUID]:
    """The ids of entries of these kinds about these consent records that wait for the tree.

    Raises LogUnavailable.
    """
    tags, kinds = set(consent_tags), set(actions)
    try:
        drafts = {each.id: each.draft for each in waiting_entries()}
    except Error as error:
        raise LogUnavailable from error
    return [
        id for id, draft in drafts.items() if draft.consent_tag in tags and draft.action in kinds
    ]


def waiting_entries() -> list[Entry]:
    """What waits for its place, the oldest first: a fifth of a second's worth while a keeper runs.

    What is damaged is left out: it proves nothing, and must not stand in the way of other people's entries.
    """
    found = []
    for row in PendingEntry.objects.order_by("entry_id"):
        with suppress(InvalidEntry):
            found.append(parse(row.body))
    return found


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
