"""Tables of purposes, notices, data subjects and their consent.

``ConsentEvent`` only grows (the database refuses anything else); ``ConsentState`` is the one mutable
row per subject and purpose that flows lock. Whatever names a person is sealed: contact data and
references appear here as ciphertext plus a keyed index.
"""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class DataCategory(models.TextChoices):
    """What may be collected or measured; each is consented to on its own."""

    MEDIA = "media", _("Photographs of my face")
    EXPRESSION = "expression", _("Apparent expression")
    BLENDSHAPES = "blendshapes", _("Facial movements (blendshapes)")
    HEAD_POSE = "head-pose", _("Posture of my head")
    BODY_MOTION = "body-motion", _("Movements of my body")


NOT_MEASURED = frozenset({DataCategory.HEAD_POSE, DataCategory.BODY_MOTION})
"""Named, but no model here measures them yet: a consent to them would be a consent to nothing."""


class LawfulBasis(models.TextChoices):
    """On what the processing rests. One member on purpose: the gate opens nothing without a consent."""

    EXPLICIT_CONSENT = (
        "explicit-consent",
        _("Explicit consent (GDPR Art. 6(1)(a) and 9(2)(a))"),
    )


class Sector(models.TextChoices):
    """Where a purpose belongs; a closed list, so that the screening can be complete."""

    RESEARCH = "research", _("Scientific research")
    USABILITY = "usability", _("Usability and product tests with volunteers")
    HEALTH = "health", _("Health care and therapy support")
    ARTS = "arts", _("Arts and exhibitions with volunteers")
    WORKPLACE = "workplace", _("Workplace")
    RECRUITMENT = "recruitment", _("Recruitment")
    EDUCATION = "education", _("Education")
    LAW_ENFORCEMENT = "law-enforcement", _("Law enforcement")
    BORDER = "border", _("Border control and migration")
    PUBLIC_SPACE = "public-space", _("Watching publicly accessible places")


class Use(models.TextChoices):
    """What the results are for; a closed list too."""

    STATISTICS = "statistics", _("Statistics about a group")
    INDIVIDUAL_FEEDBACK = "individual-feedback", _("Feedback to the person")
    METHOD_VALIDATION = "method-validation", _("Validation of a method")
    PROTECTED_TRAIT = "protected-trait", _("Inference of a protected trait")
    AUTOMATED_DECISION = "automated-decision", _("Automated decisions about a person")
    LIE_DETECTION = "lie-detection", _("Detection of lies or intent")
    IDENTIFICATION = "identification", _("Recognition of who a person is")


class ExceptionReason(models.TextChoices):
    """What AI Act Art. 5(1)(f) leaves open at work and in education; it has to be documented."""

    NONE = "", _("None")
    MEDICAL = "medical", _("A medical reason")
    SAFETY = "safety", _("A safety reason")


class PurposeState(models.TextChoices):
    """The life of a purpose."""

    DRAFT = "draft", _("Draft")
    SENT_BACK = "sent-back", _("Sent back")
    IN_REVIEW = "in-review", _("In review")
    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")


LEAST_AGE = 14
"""Under this age consent is a guardian's (PIPL Art. 31), and no guardian can consent here yet."""


class Purpose(models.Model):
    """A study: why faces are recorded, what is measured, and how long anything is kept."""

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
    keep_media = models.BooleanField(_("keep the photographs after analysis"), default=False)
    media_retention_days = models.PositiveIntegerField(_("keep photographs for (days)"), null=True)
    result_retention_days = models.PositiveIntegerField(_("keep results for (days)"), null=True)
    consent_validity_days = models.PositiveIntegerField(_("consent lasts (days)"), default=365)
    minimum_age = models.PositiveSmallIntegerField(_("minimum age"), default=18)
    state = models.CharField(max_length=10, choices=PurposeState, default=PurposeState.DRAFT)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    authors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
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
                condition=models.Q(minimum_age__gte=LEAST_AGE), name="nobody_under_fourteen"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def controller(self) -> str:
        """Who answers for the data: the names of all controllers, without processors."""
        return ", ".join(
            c.name for c in self.controllers.all() if c.kind != ControllerKind.PROCESSOR
        )

    @property
    def contact(self) -> str:
        """How to reach the first controller."""
        return next((c.contact for c in self.controllers.all()), "")

    @property
    def recipient_list(self) -> list[str]:
        """Who receives anything, one each."""
        return [line.strip() for line in self.recipients.splitlines() if line.strip()]


class ControllerKind(models.TextChoices):
    """In which part an organisation takes part (ISO/IEC TS 27560: type of the party)."""

    CONTROLLER = "controller", _("Controller")
    JOINT = "joint-controller", _("Joint controller")
    PROCESSOR = "processor", _("Processor")


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


class Document(models.Model):
    """A small paper about a purpose, never about a person: an assessment, or a reason that is documented.

    Rows are only ever added; ``sha256`` is of the content, lower-case hex.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="documents")
    name = models.CharField(max_length=120)
    media_type = models.CharField(max_length=30)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ResidualRisk(models.TextChoices):
    """What is left after the measures; a high one needs the authority's answer first (Art. 36)."""

    LOW = "low", _("Low")
    MODERATE = "moderate", _("Moderate")
    HIGH = "high", _("High")


class ImpactAssessment(models.Model):
    """One version of a purpose's data protection impact assessment (GDPR Art. 35(7)).

    A change makes a new version, which nobody has approved yet. ``void_since`` says that the purpose
    itself changed after the approval.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="assessments")
    version = models.PositiveIntegerField()
    necessity = models.TextField(_("necessity and proportionality"), blank=True)
    risks = models.TextField(_("risks to the people"), blank=True)
    measures = models.TextField(_("measures against them"), blank=True)
    consultation = models.TextField(_("who was heard"), blank=True)
    residual_risk = models.CharField(_("residual risk"), max_length=8, choices=ResidualRisk)
    prior_consultation = models.TextField(_("what the supervisory authority said"), blank=True)
    document = models.ForeignKey(Document, models.PROTECT, null=True, related_name="assessments")
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    written_at = models.DateTimeField()
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True)
    void_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "version"], name="one_assessment_per_version"
            )
        ]

    def __str__(self) -> str:
        return f"assessment v{self.version} of {self.purpose_id}"

    @property
    def is_approved(self) -> bool:
        """Whether the approval still stands."""
        return self.approved_at is not None and self.void_since is None


class ExceptionApproval(models.Model):
    """Somebody agreed that a medical or safety reason of Art. 5(1)(f) holds, having read its document."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.CASCADE, related_name="exception_approvals")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    statement = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "by"], name="one_exception_approval_each")
        ]

    def __str__(self) -> str:
        return f"approved by {self.by_id}"


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


class DataSubject(models.Model):
    """A person whose face may be recorded. The row itself says nothing about who they are.

    Of a closed account nothing else is left: ``receipts_sha256`` is the hash of the link under which the
    receipts of its erasures can be had for a while, ``tags_ended_at`` when the last entry was written.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="data_subject"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    receipts_sha256 = models.BinaryField(max_length=32, null=True, unique=True)
    tags_ended_at = models.DateTimeField(null=True)
    tags_destroyed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class Contact(models.Model):
    """A subject's e-mail address and name, sealed under their account key; found by keyed index."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.OneToOneField(DataSubject, models.PROTECT, related_name="contact")
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    email_index = models.BinaryField(max_length=32, unique=True)

    def __str__(self) -> str:
        return str(self.id)


class SubjectReference(models.Model):
    """What a study calls a subject (a participant number): sealed, found by an index per purpose.

    The index outlives the sealed value, so that a study that asks for a withdrawn person gets a
    refusal instead of a stranger.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="references")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="+")
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    index = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "index"], name="one_subject_per_reference"),
            models.UniqueConstraint(fields=["purpose", "subject"], name="one_reference_each"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Invitation(models.Model):
    """A one-time link by which a subject comes in; only the hash of its token is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="invitations")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="invitations")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    shown_to_operator = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class ConsentStatus(models.TextChoices):
    """Where the consent of one subject to one purpose stands."""

    REQUESTED = "requested", _("Asked")
    GIVEN = "given", _("Given")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")


class EventKind(models.TextChoices):
    """What can happen to a consent."""

    REQUESTED = "requested", _("asked for")
    NOTICE_SHOWN = "notice-shown", _("notice shown")
    GIVEN = "given", _("given")
    RENEWED = "renewed", _("renewed")
    REAFFIRMED = "re-affirmed", _("confirmed again")
    NARROWED = "narrowed", _("narrowed to fewer data categories")
    RESTRICTED = "restricted", _("paused")
    RESUMED = "resumed", _("taken up again")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")
    EXPIRED = "expired", _("expired")


class ConsentEvent(models.Model):
    """One event in the history of a consent. Rows are only ever added."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="consent_events")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="consent_events")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=EventKind)
    at = models.DateTimeField()
    by = models.CharField(max_length=64)
    method = models.CharField(max_length=40)
    categories = models.JSONField(default=list)
    notice = models.ForeignKey(Notice, models.PROTECT, null=True, related_name="+")
    notice_sha256 = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=10, blank=True)
    valid_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "purpose", "sequence"], name="one_event_per_sequence"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"


class ConsentStateQuerySet(models.QuerySet["ConsentState"]):
    """States by what is left of them."""

    def not_given_up(self) -> Self:
        """Those whose last change no erasure of everything has followed."""
        whole = ErasureRequest.objects.whole().filter(
            subject_id=models.OuterRef("subject_id"),
            purpose_id=models.OuterRef("purpose_id"),
            requested_at__gte=models.OuterRef("changed_at"),
        )
        return self.exclude(models.Exists(whole))


class ConsentState(models.Model):
    """What is so now for one subject and one purpose; rebuildable from the events.

    From ``tags_ended_at`` on nothing is written about this person in this purpose any more, because the
    key of their tags is destroyed (``consent.last_entries``).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Found by the unique constraint, which begins with it: an index of its own would only be in the way.
    subject = models.ForeignKey(
        DataSubject, models.PROTECT, related_name="consent_states", db_index=False
    )
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="consent_states")
    status = models.CharField(max_length=10, choices=ConsentStatus)
    version = models.PositiveIntegerField(default=0)
    sequence = models.PositiveIntegerField(default=0)
    categories = models.JSONField(default=list)
    notice = models.ForeignKey(Notice, models.PROTECT, null=True, related_name="+")
    event = models.ForeignKey(ConsentEvent, models.PROTECT, null=True, related_name="+")
    valid_until = models.DateTimeField(null=True)
    restricted_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()
    tags_ended_at = models.DateTimeField(null=True)
    tags_destroyed_at = models.DateTimeField(null=True)

    objects = ConsentStateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "purpose"], name="one_state_each")
        ]

    def __str__(self) -> str:
        return f"{self.status} v{self.version}"


class HoldReason(models.TextChoices):
    """Why something that is due must be kept for a while; the codes are those of the access log."""

    LEGAL_CLAIM = "legal-claim", _("A legal claim was made or is expected")
    AUTHORITY_REQUEST = "authority-request", _("A court or an authority has asked for it")
    INCIDENT = "incident-investigation", _("An incident is being investigated")
    COMPLAINT = "complaint", _("A complaint is being looked into")


class LegalHoldQuerySet(models.QuerySet["LegalHold"]):
    """Holds by whether they stand and what they cover."""

    def standing(self) -> Self:
        """Neither lifted nor ended; a date alone ends none before the keeper has written it down."""
        return self.filter(over_at=None)

    def covering(self, subject_id: Any, purpose_id: Any) -> Self:
        """Those over everybody in the purpose, or over this person in it."""
        return self.filter(
            models.Q(subject_id=None) | models.Q(subject_id=subject_id), purpose_id=purpose_id
        )


class LegalHold(models.Model):
    """Postpones the destruction of what a purpose, or one person in it, has; permits nothing.

    There is no free text on purpose: whatever the matter is about would name people. ``over_at`` is when
    it ended, and ``lifted_by`` who lifted it before its date.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="holds")
    subject = models.ForeignKey(DataSubject, models.PROTECT, null=True, related_name="holds")
    reason = models.CharField(max_length=24, choices=HoldReason)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    entry_ids = models.JSONField(default=list)

    objects = LegalHoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("placed_at")), name="hold_has_an_end"
            )
        ]
        indexes = [
            models.Index(
                fields=["purpose", "subject"],
                condition=models.Q(over_at__isnull=True),
                name="holds_standing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} until {self.ends_at:%Y-%m-%d}"


class ErasureCause(models.TextChoices):
    """Why something is erased."""

    WITHDRAWAL = "withdrawal", _("Consent withdrawn")
    RETENTION = "retention", _("Retention period over")
    NOT_KEPT = "media-not-kept", _("Photographs are not kept after analysis")
    DISPUTE = "dispute", _("The recording does not show this person")
    NARROWED = "narrowed", _("A data category is no longer consented to")
    PURPOSE_END = "purpose-end", _("The study has ended")
    UNUSED = "unused", _("Three years without a visit")
    ACCOUNT = "account-closed", _("The account is closed")


class ErasureQuerySet(models.QuerySet["ErasureRequest"]):
    """Erasures by what they reach."""

    def whole(self) -> Self:
        """Those of everything that a person has in a purpose."""
        return self.filter(recording_id=None, category="", purpose__isnull=False)

    def of_account(self) -> Self:
        """Those of contact data and messages."""
        return self.filter(purpose=None)

    def held(self) -> Self:
        """Those that a legal hold keeps from beginning."""
        return self.filter(is_held(), begun_at=None)

    def waiting(self) -> Self:
        """Those that can go on now: not done, and begun or not held."""
        return self.filter(~is_held() | models.Q(begun_at__isnull=False), rows_removed_at=None)


def is_held() -> models.Q:
    """Whether a standing hold covers an erasure.

    An account's erasure waits for those of every purpose of the person's: without an address it could not
    be said whose the evidence is.
    """
    subject, standing = models.OuterRef("subject_id"), LegalHold.objects.standing()
    here = standing.covering(subject, models.OuterRef("purpose_id"))
    everybody = models.Q(subject_id=None, purpose__consent_states__subject_id=subject)
    anywhere = standing.filter(everybody | models.Q(subject_id=subject))
    return models.Q(models.Exists(here)) | models.Q(models.Exists(anywhere), purpose=None)


class ErasureRequest(models.Model):
    """An erasure on its way: keys first, then blobs and rows, then the epoch that wrapped the keys.

    Without a purpose it is the account's: contact data and messages. From ``begun_at`` on no legal hold
    stops it any more: half destroyed is no evidence.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="erasures")
    purpose = models.ForeignKey(Purpose, models.PROTECT, null=True, related_name="erasures")
    cause = models.CharField(max_length=14, choices=ErasureCause)
    recording_id = models.UUIDField(null=True)
    category = models.CharField(max_length=20, blank=True)
    requested_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    keys_destroyed_at = models.DateTimeField(null=True)
    key_ids = models.JSONField(default=list)
    rows_removed_at = models.DateTimeField(null=True)
    final_at = models.DateTimeField(null=True)
    receipt_taken_at = models.DateTimeField(null=True)
    entry_ids = models.JSONField(default=list)

    objects = ErasureQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["requested_at"],
                condition=models.Q(final_at__isnull=True),
                name="erasures_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.cause} at {self.requested_at:%Y-%m-%d %H:%M}"


class OutboxMessage(models.Model):
    """A message to a data subject, sealed: the address and the one-time link are nobody else's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="messages")
    purpose = models.ForeignKey(Purpose, models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=20)
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class SignInCode(models.Model):
    """A six-digit code sent to a subject's address: kept as a keyed hash, ten minutes, five tries."""

    subject = models.OneToOneField(DataSubject, models.CASCADE, related_name="sign_in_code")
    code_hash = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.subject_id)
