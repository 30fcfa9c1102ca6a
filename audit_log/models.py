"""The tables of the access log. Rows are only ever added; the database itself refuses anything else.
The one exception is the clock's mark, which is no history.

``LogEntry`` repeats some fields of the body in columns so that they can be searched; the body is what
counts, and ``verify_log`` compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit_log.actions import Outcome
from audit_log.entries import Entry, parse
from audit_log.fields import BytesField


class PendingEntry(models.Model):
    """An entry that is written but has no place in the tree yet; it leaves only by integration.

    Ids are UUIDv7, so their index gives the order of time; another on ``created`` would cost each
    append a page of a journal that is flushed before anything is released.
    """

    entry_id = models.UUIDField(primary_key=True, editable=False)
    created = models.DateTimeField()
    leaf_hash = BytesField(max_length=32)
    body = BytesField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.entry_id)


class LogEntryQuerySet(models.QuerySet["LogEntry"]):
    """What is looked for in the log. Tags are made by the vault; the log knows no people."""

    def newest_first(self) -> LogEntryQuerySet:
        """The order of the pages."""
        return self.order_by("-index")

    def latest_first(self) -> LogEntryQuerySet:
        """The order in which operators look for something: by time, whatever was integrated first."""
        return self.order_by("-time", "-index")

    def about_subject(self, tags: Iterable[bytes]) -> LogEntryQuerySet:
        """Entries about the person who has these tags (one per purpose)."""
        return self.filter(subject_tag__in=present(tags))

    def about_object(self, tags: Iterable[bytes]) -> LogEntryQuerySet:
        """Entries about the recordings, analyses or contact records with these tags."""
        return self.filter(object_tag__in=present(tags))

    def of_purpose(self, purpose_id: UUID) -> LogEntryQuerySet:
        """Entries of one purpose."""
        return self.filter(purpose_id=purpose_id)

    def provable(self) -> LogEntryQuerySet:
        """Entries that a signed checkpoint covers, so that a receipt can be made for them."""
        newest = Checkpoint.objects.order_by("-size").values("size")[:1]
        return self.filter(index__lt=models.Subquery(newest))


def present(tags: Iterable[bytes]) -> list[bytes]:
    """The tags that say something: an empty tag would match everything that has none."""
    return [tag for tag in tags if tag]


class LogEntry(models.Model):
    """An entry at its place in the tree; indices are contiguous from 0."""

    index = models.BigIntegerField(primary_key=True, editable=False)
    entry_id = models.UUIDField(unique=True, editable=False)
    leaf_hash = BytesField(max_length=32)
    body = BytesField()
    time = models.DateTimeField(_("time"))
    actor = models.CharField(_("actor"), max_length=80)
    action = models.CharField(_("action"), max_length=40)
    outcome = models.CharField(_("outcome"), max_length=10)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    purpose_id = models.UUIDField(_("purpose"), null=True)
    subject_tag = BytesField(max_length=32, blank=True)
    object_tag = BytesField(max_length=32, blank=True)
    consent_tag = BytesField(max_length=32, blank=True)

    objects = LogEntryQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("verify_log", "Can verify the access log"),
            ("view_own_entries", "Can view the entries about oneself"),
        ]
        # What is about somebody is listed by place; what operators look for by time, so that a span
        # of days is a part of the same index. Most actors never do most things, which no statistics
        # of single columns say: what else is looked for is included, so that (on PostgreSQL) the
        # index alone answers, whatever fits together or does not.
        indexes = [
            models.Index(fields=["subject_tag", "index"], name="log_by_subject"),
            models.Index(fields=["object_tag", "index"], name="log_by_object"),
            models.Index(fields=["consent_tag", "index"], name="log_by_consent"),
            models.Index(fields=["time"], name="log_by_time"),
            models.Index(
                fields=["actor", "time"],
                include=["index", "action", "outcome", "reason", "purpose_id"],
                name="log_by_actor",
            ),
            models.Index(
                fields=["action", "time"],
                include=["index", "outcome", "reason", "purpose_id"],
                name="log_by_action",
            ),
            models.Index(
                fields=["purpose_id", "time"],
                include=["index", "action", "outcome", "reason"],
                name="log_by_purpose",
            ),
            # Most entries are "ok" without a reason; who looks for those looks at the newest.
            models.Index(
                fields=["outcome", "time"],
                include=["index", "actor", "action", "reason", "purpose_id"],
                name="log_by_outcome",
                condition=~models.Q(outcome=Outcome.OK.value),
            ),
            models.Index(
                fields=["reason", "time"],
                include=["index", "action", "outcome", "purpose_id"],
                name="log_by_reason",
                condition=~models.Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.index}: {self.action} {self.outcome}"

    def entry(self) -> Entry:
        """The entry as its body says it, which is what the tree covers."""
        return parse(self.body)

    def detail(self) -> dict[str, Any]:
        """What the entry adds to its fields, by name; under no name what is no JSON object."""
        told = bytes.fromhex(json.loads(self.body)["detail"])
        try:
            found = json.loads(told or b"{}")
        except ValueError:
            found = told.hex()
        return found if isinstance(found, dict) else {"": found}


class TreeNode(models.Model):
    """The hash of one complete subtree, at its position in the layout of Go's ``tlog``."""

    position = models.BigIntegerField(primary_key=True, editable=False)
    hash = BytesField(max_length=32)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.position)


class Checkpoint(models.Model):
    """A signed tree size and root hash; the highest one is published."""

    size = models.BigIntegerField(primary_key=True, editable=False)
    root = BytesField(max_length=32)
    note = models.TextField(_("signed note"))
    signed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"checkpoint of {self.size} entries"

    def cosigned_note(self) -> str:
        """The signed note with the lines of the witnesses below it."""
        return self.note + "".join(each.line for each in self.cosignatures.order_by("pk"))


class Cosignature(models.Model):
    """What a witness said about a checkpoint. Only the first word of each about one tree is kept.

    Fields:
        witness: its public key, as ``WitnessKey`` writes it.
        line: the signature line, with the time inside; ``at``: when it came here.
    """

    id = models.BigAutoField(primary_key=True)
    checkpoint = models.ForeignKey(
        Checkpoint, on_delete=models.PROTECT, related_name="cosignatures"
    )
    witness = models.CharField(max_length=400)
    line = models.CharField(max_length=600)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["witness", "checkpoint"], name="audit_log_one_cosignature"
            )
        ]

    def __str__(self) -> str:
        return f"cosignature of {self.checkpoint_id} entries by {self.witness}"


class ClockMark(models.Model):
    """The latest time that this installation has seen: one row, moved on by the keeper only.

    Fields:
        at: UTC; while the clock is in doubt, the last time that was believed.
        suspect_since: what the clock said when it was found to be ahead, perhaps; None when it is not.
        held_for: how long, while the keeper ran, destruction by date has been held back since then.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, editable=False)
    at = models.DateTimeField()
    suspect_since = models.DateTimeField(null=True)
    held_for = models.DurationField(default=timedelta)

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="audit_log_one_clock_mark")
        ]

    def __str__(self) -> str:
        return f"{self.at}"
