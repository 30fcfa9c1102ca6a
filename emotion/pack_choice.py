"""Which of the packs that are here reads expressions: using another one, and going back.

A row says which, with the SHA-256 of its manifest, so that a pack which was exchanged on the disk reads
nobody. Each change is an entry of the access log, under the name of whoever made it.
"""

from __future__ import annotations

from pathlib import Path

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from emotion.active_pack import ROLE, installed
from emotion.errors import PackRefused
from emotion.inference.models import BUILT_IN, pack_digest
from emotion.inference.pack_process import problems_in_a_child
from emotion.inference.pack_reports import against_use
from emotion.models import ActivePack


def find_pack(name: str) -> Path:
    """The folder of a pack. Raises PackRefused when there is none of this name."""
    for folder in installed():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in installed())
    raise PackRefused([f"there is no pack {name!r}; there are: {known}"])


def activate(actor: Actor, name: str) -> None:
    """Let a pack read expressions from now on. Raises PackRefused without its papers and evaluation."""
    folder = find_pack(name)
    problems = problems_in_a_child(folder) or against_use(folder)
    if problems:
        raise PackRefused(problems)
    if folder == BUILT_IN:
        retire(actor)
        return
    with transaction.atomic():
        note(Action.MODEL_ACTIVATE, actor, folder)
        ActivePack.objects.update_or_create(
            role=ROLE,
            defaults={"pack": name, "sha256": pack_digest(folder), "since": timezone.now()},
        )


def retire(actor: Actor) -> str:
    """Go back to the product's own pack; the name of the one that was used, or "".

    Its folder stays: results that it gave name it.
    """
    with transaction.atomic():
        row = ActivePack.objects.select_for_update().filter(role=ROLE).first()
        if row is None:
            return ""
        # Of the row and not of the folder, which may be gone: that is a reason to go back.
        tag = bytes.fromhex(row.sha256)
        append(Draft(action=Action.MODEL_RETIRE, actor=actor.log_name(), object_tag=tag))
        row.delete()
    return row.pack


def note(action: Action, actor: Actor, folder: Path) -> None:
    """The entry of a change; its object is the SHA-256 of the pack's manifest."""
    tag = bytes.fromhex(pack_digest(folder))
    append(Draft(action=action, actor=actor.log_name(), object_tag=tag))
