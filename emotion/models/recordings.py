"""Recordings, the analyses made of them, their results, and the disputes about whom they show."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, UUIDField
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from accounts.models import Role
from audit_log.actions import ReasonCode
from audit_log.prepared import Columns, Given, Prepared
from consent.models import DataCategory, DataSubject, ErasureRequest, Purpose

MAX_TRIES = 3
"""How many tries an analysis may use up by killing its worker or failing, before it ends as failed."""


class MediaState(models.TextChoices):
    """Whether the recorded media still exist."""

    STORED = "stored", _("Stored, sealed")
    ERASED = "erased", _("Erased")


class RecordingQuerySet(models.QuerySet["Recording"]):
    """Look-ups that authorise: what is not the actor's is not there."""

    def visible_to(self, actor: Actor) -> Self:
        """The recordings whose existence and state this actor may know of."""
        if actor.kind == "subject":
            return self.filter(subject__user_id=actor.id)
        if actor.kind == "client":
            return self.filter(purpose_id=actor.purpose_id)
        if actor.role == Role.RESEARCHER:
            return self.filter(purpose__members=actor.id)
        if actor.role in {Role.ADMINISTRATOR, Role.DPO}:
            return self
        return self.none()


class Recording(models.Model):
    """What one person's face was recorded with for one purpose: one photograph or one film.

    Fields:
        width, height: pixels; of a film they, and its seconds, are known when it was first opened.
        sealed_markers: what was shown when, as it came with a film; under the media's key.
        covered_at: since when what is stored shows nobody but the person, so that it may be kept and
            looked at; None for media as they came, which wait to be measured.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="recordings")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="recordings")
    uploaded_by = models.CharField(max_length=64)
    media_type = models.CharField(max_length=20)
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    sealed_markers = models.BinaryField(null=True)
    size = models.PositiveBigIntegerField()
    media_state = models.CharField(max_length=8, choices=MediaState, default=MediaState.STORED)
    media_key_id = models.UUIDField()
    keep_media = models.BooleanField()
    covered_at = models.DateTimeField(null=True)
    media_retain_until = models.DateTimeField()
    retain_until = models.DateTimeField()
    created_at = models.DateTimeField()
    disputed_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["purpose", "id"], name="recordings_listed"),
            models.Index(
                fields=["retain_until"],
                condition=models.Q(erased_at__isnull=True),
                name="recordings_due",
            ),
            models.Index(
                fields=["media_retain_until"],
                condition=models.Q(media_state="stored"),
                name="recordings_media_due",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_kept(self) -> bool:
        """Whether there is something to look at: media that are stored, and covered."""
        return self.media_state == MediaState.STORED and self.covered_at is not None

    @property
    def is_film(self) -> bool:
        """Whether it is a film, by what its bytes said on arrival."""
        return self.media_type.startswith("video/")


class AnalysisState(models.TextChoices):
    """One run on a recording."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Being analysed")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    ERASED = "erased", _("Erased")


UNDER_WAY = (AnalysisState.QUEUED, AnalysisState.RUNNING)


class AnalysisQuerySet(models.QuerySet["Analysis"]):
    """Look-ups that authorise, through the recording."""

    def visible_to(self, actor: Actor) -> Self:
        """The analyses of the recordings that this actor may know of."""
        if actor.kind == "client":
            return self.in_purpose(actor.purpose_id)
        return self.filter(recording__in=Recording.objects.visible_to(actor))

    def in_purpose(self, purpose_id: UUID | Given | None) -> Self:
        """The analyses of one purpose, which are what its API clients may know of."""
        return self.filter(recording__purpose_id=purpose_id)


class Analysis(models.Model):
    """One run on a recording. The row is the truth; a queued message only points at it.

    Fields:
        attempt: grows with each claim and tells which worker's claim is the newest.
        tries: the claims that count: not those that the installation or what the person decided ended.
        resend_at: from when the keeper may point the workers at it once more; None before it did so.
        media_code: why the media could not be read, see ``inference.media_codes``.
        progress: the share of a film that has been read, 0 to 1; expected_at: when it will be done.
        key_index: of one that was asked for once more, a keyed hash of the idempotency key.
        pack_sha256: of the manifest of the pack that was to read expressions; "" where none was.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    recording = models.ForeignKey(Recording, models.PROTECT, related_name="analyses")
    state = models.CharField(max_length=9, choices=AnalysisState, default=AnalysisState.QUEUED)
    reason = models.CharField(max_length=40, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    resend_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField()
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    media_code = models.CharField(max_length=40, blank=True)
    progress = models.FloatField(default=0.0)
    expected_at = models.DateTimeField(null=True)
    categories = models.JSONField(default=list)
    key_index = models.BinaryField(max_length=32, null=True, unique=True)
    pack_sha256 = models.CharField(max_length=64, blank=True)

    objects = AnalysisQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["state", "not_before"],
                condition=models.Q(state__in=["queued", "running"]),
                name="analyses_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"

    @property
    def percent(self) -> int:
        """How much of a film has been read, in whole per cent, rounded down."""
        return int(self.progress * 100)


class Result(models.Model):
    """One data category of an analysis, sealed under a key of its own.

    part: 0 is the reading as JSON; of a film, 1 and on are the stretches of its series as Parquet, which
    are sealed one by one while it is read and closed to readers until all is done.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    analysis = models.ForeignKey(Analysis, models.PROTECT, related_name="results")
    category = models.CharField(max_length=20)
    part = models.PositiveIntegerField(default=0)
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    retain_until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["retain_until"], name="results_due")]
        constraints = [
            models.UniqueConstraint(
                fields=["analysis", "category", "part"], name="one_result_per_part"
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} of {self.analysis_id}"


class DisputeQuerySet(models.QuerySet["Dispute"]):
    """Look-ups that authorise, and what still waits for an answer."""

    def visible_to(self, actor: Actor) -> Self:
        """The disputes of the recordings that this actor may know of."""
        return self.filter(recording__in=Recording.objects.visible_to(actor))

    def open(self) -> Self:
        """Neither taken back by the person nor answered by an operator."""
        return self.filter(retracted_at=None, handled_at=None)


class Dispute(models.Model):
    """A person's word that a recording filed under their name does not show them.

    It is open until the person takes it back or an operator answers it. Rows stay: who filed the wrong
    person must be findable after the recording is gone.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    recording = models.ForeignKey(Recording, models.PROTECT, related_name="disputes")
    opened_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    retracted_at = models.DateTimeField(null=True)
    handled_at = models.DateTimeField(null=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True
    )

    objects = DisputeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recording"],
                condition=models.Q(retracted_at=None, handled_at=None),
                name="one_open_dispute_each",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


def erasures_of_each(*, media: bool) -> QuerySet[ErasureRequest]:
    """The erasures not yet done of an outer query's recordings, or of their media besides."""
    reach = Q(recording_id=OuterRef("pk")) | Q(recording_id=None)
    return ErasureRequest.objects.filter(
        reach,
        subject_id=OuterRef("subject_id"),
        purpose_id=OuterRef("purpose_id"),
        category__in=["", DataCategory.MEDIA] if media else [""],
        only_key=None,
        rows_removed_at=None,
    )


def media_may_stay(recording_id: UUID) -> bool:
    """Whether the media are there, undisputed, and nothing has filed their erasure."""
    return isinstance(recording_standing(recording_id, media=True), datetime)


def first_result_due() -> QuerySet[Result, Any]:
    """The earliest date of the results of an outer query's recordings."""
    rows = Result.objects.filter(analysis__recording=OuterRef("pk"))
    return rows.order_by("retain_until").values("retain_until")[:1]


class Standing(NamedTuple):
    """What decides how a recording stands."""

    retain_until: datetime
    results_until: datetime | None
    media_retain_until: datetime
    media_state: str
    disputed_at: datetime | None
    given_up: bool


def standing_of(*, media: bool) -> Prepared[Standing]:
    """The question how one recording, or only its media, stands."""
    return Prepared(
        Columns(Standing),
        lambda: Recording.objects.filter(pk=Given("id", UUIDField()), erased_at=None).annotate(
            given_up=Exists(erasures_of_each(media=media)),
            results_until=Subquery(first_result_due()),
        ),
    )


WHOLE_STANDS, MEDIA_STAND = standing_of(media=False), standing_of(media=True)


def recording_standing(recording_id: UUID, *, media: bool) -> datetime | ReasonCode | None:
    """Read afresh how a recording (or only its media) stands, for the gate.

    Until when it may be kept; RECORDING_DISPUTED while somebody says that it does not show them;
    BEING_ERASED from the moment its erasure is filed, also while a legal hold postpones that; None when
    it is gone.
    """
    found = (MEDIA_STAND if media else WHOLE_STANDS).first(id=recording_id)
    if found is None:
        return None
    if found.given_up:
        return ReasonCode.BEING_ERASED
    if found.disputed_at is not None:
        return ReasonCode.RECORDING_DISPUTED
    if not media:
        return min(found.retain_until, found.results_until or found.retain_until)
    if found.media_state != MediaState.STORED:
        return None
    return min(found.media_retain_until, found.retain_until)
