"""What people ask of those who hold their data (GDPR Art. 15 to 21), and the answers."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models.people import DataSubject
from consent.models.purposes import Purpose


class RequestKind(models.TextChoices):
    """What is asked for; a complaint may be about anything."""

    ACCESS = "access", _("Access to data")
    RECTIFICATION = "rectification", _("Correction")
    RESTRICTION = "restriction", _("Restriction of use")
    OBJECTION = "objection", _("Objection")
    PORTABILITY = "portability", _("Data to take along")
    ERASURE = "erasure", _("Erasure")
    COMPLAINT = "complaint", _("Complaint")


class RequestState(models.TextChoices):
    """The life of a request."""

    OPEN = "open", _("Waits for the staff")
    TAKEN = "taken", _("Looked after")
    ANSWERED = "answered", _("Answered")
    RETRACTED = "retracted", _("Taken back")


class RequestOutcome(models.TextChoices):
    """What came of it."""

    DONE = "done", _("Done as asked")
    PARTLY = "partly", _("Done in part")
    REFUSED = "refused", _("Refused")


class RefusalGround(models.TextChoices):
    """Why a request may be refused; the codes are those of the access log."""

    NO_SUCH_DATA = "no-such-data", _("There are no data of this kind")
    NOT_APPLICABLE = "does-not-apply", _("This right does not apply here")
    RIGHTS_OF_OTHERS = "rights-of-others", _("It would harm the rights of others")
    LEGAL_OBLIGATION = "legal-obligation", _("The law asks for the opposite")
    LEGAL_CLAIM = "legal-claim", _("The data are needed for a legal claim")
    EXCESSIVE = "excessive-request", _("It is plainly unfounded or excessive")


class ExtensionReason(models.TextChoices):
    """Why an answer may take two months more (Art. 12(3)); the codes are those of the access log."""

    COMPLEX = "request-complex", _("The request is complex")
    MANY = "many-requests", _("There are many requests")


class OperatorsTold(models.TextChoices):
    """What operators were told last of a request, by e-mail: ``consent.operator_notes``."""

    NOT_YET = ""
    NEW = "new"
    SOON = "soon"
    OVERDUE = "overdue"


WAITING = (RequestState.OPEN, RequestState.TAKEN)


class SubjectRequestQuerySet(models.QuerySet["SubjectRequest"]):
    """Requests by what is left to do."""

    def waiting(self) -> Self:
        """Neither answered nor taken back."""
        return self.filter(state__in=WAITING)

    def overdue(self) -> Self:
        """Those that wait although their day is over."""
        return self.waiting().filter(due_at__lt=timezone.now())

    def ended(self) -> Self:
        """Answered, or taken back."""
        return self.exclude(state__in=WAITING)


class SubjectRequest(models.Model):
    """One request of a person's, with its clock; what was written and answered is sealed.

    Without a purpose it is about everything here. The texts go with the account, or with the row, which
    stays for a while after the end as proof that there was an answer. ``erased_at``: its end has begun.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="requests")
    purpose = models.ForeignKey(Purpose, models.PROTECT, null=True, related_name="requests")
    kind = models.CharField(max_length=13, choices=RequestKind)
    state = models.CharField(max_length=9, choices=RequestState, default=RequestState.OPEN)
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    taken_at = models.DateTimeField(null=True)
    extended_at = models.DateTimeField(null=True)
    extension_reason = models.CharField(max_length=15, blank=True, choices=ExtensionReason)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=7, blank=True, choices=RequestOutcome)
    ground = models.CharField(max_length=17, blank=True, choices=RefusalGround)
    text_key_id = models.UUIDField(null=True)
    text_sealed = models.BinaryField(null=True)
    answer_key_id = models.UUIDField(null=True)
    answer_sealed = models.BinaryField(null=True)
    erased_at = models.DateTimeField(null=True)
    operators_told = models.CharField(max_length=7, blank=True)

    objects = SubjectRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(due_at__gt=F("received_at")), name="request_has_a_clock"
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.ANSWERED, ended_at__isnull=False)
                & ~Q(outcome="")
                & Q(owner__isnull=False)
                | ~Q(state=RequestState.ANSWERED) & Q(outcome=""),
                name="answer_has_outcome_and_owner",
            ),
            models.CheckConstraint(
                condition=Q(outcome=RequestOutcome.REFUSED) & ~Q(ground="")
                | ~Q(outcome=RequestOutcome.REFUSED) & Q(ground=""),
                name="refusal_has_a_ground",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=["open", "taken"]),
                name="requests_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still due."""
        return self.state in WAITING

    @property
    def is_overdue(self) -> bool:
        """Whether its day is over without an answer."""
        return self.is_waiting and self.due_at < timezone.now()
