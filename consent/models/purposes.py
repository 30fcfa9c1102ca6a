"""Purposes: what a study says that it is for, who answers for it, and its privacy notices."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models.vocabulary import (
    LEAST_AGE,
    LEAST_CHILD_AGE,
    ControllerKind,
    ExceptionReason,
    LawfulBasis,
    MediaKind,
    PurposeState,
    Sector,
)


class Purpose(models.Model):
    """A study: why faces are recorded, what is measured, and how long anything is kept.

    Fields:
        sample_rate: how many moments of a second of film are read; 0 for every picture of it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("what it is for"))
    necessity = models.TextField(_("why it takes faces"))
    people = models.CharField(_("whose faces"), max_length=200)
    lawful_basis = models.CharField(
        max_length=20, choices=LawfulBasis, default=LawfulBasis.EXPLICIT_CONSENT
    )
    officer_contact = models.CharField(_("data protection officer"), max_length=200)
    authority = models.CharField(_("supervisory authority"), max_length=200)
    recipients = models.TextField(_("recipients"))
    storage_location = models.CharField(_("storage location"), max_length=200)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=100)
    transfers = models.CharField(_("transfers to other countries"), max_length=400, blank=True)
    sector = models.CharField(_("sector"), max_length=20, choices=Sector)
    uses = models.JSONField(_("uses of the results"), default=list)
    exception = models.CharField(
        _("exception of Art. 5(1)(f)"),
        max_length=10,
        choices=ExceptionReason,
        default=ExceptionReason.NONE,
        blank=True,
    )
    exception_document = models.ForeignKey(
        "Document", models.PROTECT, null=True, related_name="exceptions"
    )
    categories = models.JSONField(_("data categories"), default=list)
    takes = models.CharField(
        _("what is taken in"), max_length=24, choices=MediaKind, default=MediaKind.PHOTOGRAPHS
    )
    sample_rate = models.PositiveSmallIntegerField(_("moments of a film (a second)"), default=10)
    keep_media = models.BooleanField(
        _("keep the photographs and films after analysis"), default=False
    )
    media_retention_days = models.PositiveIntegerField(_("keep photographs for (days)"), null=True)
    result_retention_days = models.PositiveIntegerField(_("keep results for (days)"), null=True)
    consent_validity_days = models.PositiveIntegerField(_("consent lasts (days)"), default=365)
    paper_allowed = models.BooleanField(_("consent on paper"), default=False)
    guardian_allowed = models.BooleanField(_("children with a guardian"), default=False)
    child_words = models.TextField(_("for the child"), blank=True)
    minimum_age = models.PositiveSmallIntegerField(_("minimum age"), default=18)
    state = models.CharField(max_length=10, choices=PurposeState, default=PurposeState.DRAFT)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    authors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    review_told_at = models.DateTimeField(null=True)
    sent_back_reason = models.TextField(blank=True)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True
    )
    looked_again = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="PurposeMember", related_name="purposes"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(lawful_basis=LawfulBasis.EXPLICIT_CONSENT),
                name="faces_only_with_explicit_consent",
            ),
            models.CheckConstraint(
                condition=models.Q(minimum_age__gte=LEAST_AGE), name="nobody_under_fourteen_alone"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> MediaKind:
        """What it takes in."""
        return MediaKind(self.takes)

    @property
    def controller(self) -> str:
        """Who answers for the data: the names of all controllers, without processors."""
        return ", ".join(
            c.name for c in self.controllers.all() if c.kind != ControllerKind.PROCESSOR
        )

    @property
    def youngest(self) -> int:
        """From which age people take part at all: alone, or with a guardian where that is allowed."""
        return LEAST_CHILD_AGE if self.guardian_allowed else self.minimum_age

    @property
    def contact(self) -> str:
        """How to reach the first controller."""
        return next((c.contact for c in self.controllers.all()), "")

    @property
    def recipient_list(self) -> list[str]:
        """Who receives anything, one each."""
        return [line.strip() for line in self.recipients.splitlines() if line.strip()]


class Controller(models.Model):
    """An organisation that answers for a purpose, or works for one that does."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.CASCADE, related_name="controllers")
    kind = models.CharField(_("part"), max_length=16, choices=ControllerKind)
    name = models.CharField(_("name"), max_length=200)
    address = models.CharField(_("address"), max_length=300)
    contact = models.CharField(_("contact"), max_length=200)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class PurposeMember(models.Model):
    """A researcher's assignment to a purpose."""

    purpose = models.ForeignKey(Purpose, models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "user"], name="one_assignment_each")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.purpose_id}"


class PurposeRefusal(models.Model):
    """What the screening refused: kept for the register, only ever added, and about no data subject.

    The description is left out on purpose: free text could name somebody.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    by = models.CharField(max_length=64)
    name = models.CharField(max_length=120)
    sector = models.CharField(max_length=60)
    uses = models.JSONField(default=list)
    exception = models.CharField(max_length=20, blank=True)
    articles = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.name} refused at {self.at:%Y-%m-%d %H:%M}"


class Notice(models.Model):
    """One version of a privacy notice in one language; never changed once published.

    ``pages``: language of the page → what stood around the study's own words there (``glance``,
    ``choices``) and the SHA-256 of the whole; ``consent.notice_pages`` writes and reads it. ``sha256``
    is that of the page in the notice's own language. ``change`` says what is new, and ``substantive``
    whether people are asked anew.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="notices")
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=10, choices=settings.LANGUAGES)
    title = models.CharField(max_length=200)
    summary = models.TextField(_("in plain words"))
    text = models.TextField(_("the full text"))
    pages = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64)
    substantive = models.BooleanField(default=True)
    change = models.TextField(_("what has changed"), blank=True)
    published_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "version", "language"], name="one_notice_per_version_language"
            )
        ]

    def __str__(self) -> str:
        return f"{self.title} (v{self.version}, {self.language})"
