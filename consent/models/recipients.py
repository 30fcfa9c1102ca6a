"""Recipients (GDPR Art. 19): the programs that may hold copies, and what each of them is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Case, OuterRef, Q, Subquery, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from accounts.models import ApiClient
from consent.models.endings import ErasureRequest
from consent.models.people import DataSubject
from consent.models.purposes import Purpose

CONFIRMED_WITHIN = timedelta(days=3)
"""How long a program may take to confirm an erasure before the operators are shown that it has not."""


UNDER_WAY = Q(next_attempt_at__isnull=False, given_up_at=None, acknowledged_at=None)


class TellingKind(models.TextChoices):
    """What a recipient is told; the codes are the types of the webhook's events."""

    WITHDRAWN = "consent.withdrawn", _("Consent withdrawn")
    NARROWED = "consent.narrowed", _("A part of the consent withdrawn")
    PAUSED = "consent.paused", _("Processing paused")
    RESUMED = "consent.resumed", _("Processing resumed")
    EXPIRED = "consent.expired", _("Consent ended")
    GIVEN = "consent.given", _("Consent given")
    CHANGED = "consent.changed", _("Consent given anew, perhaps with other choices")
    REFUSED = "consent.refused", _("Consent refused")
    EXPIRING = "consent.expiring", _("Consent ends soon")
    ANALYSIS_DONE = "analysis.done", _("Analysis done")
    ANALYSIS_FAILED = "analysis.failed", _("Analysis failed")
    ANALYSIS_REFUSED = "analysis.refused", _("Analysis refused")
    ERASURE = "erasure.required", _("Erasure required")


MANDATORY = frozenset({TellingKind.WITHDRAWN, TellingKind.ERASURE})
"""What no recipient can do without: it may have copies."""
OF_ANALYSES = frozenset(
    {TellingKind.ANALYSIS_DONE, TellingKind.ANALYSIS_FAILED, TellingKind.ANALYSIS_REFUSED}
)


class Delivery(models.TextChoices):
    """How far something that a client is told has come."""

    WAITING = "waiting", _("Waits")
    DELIVERED = "delivered", _("Told")
    GIVEN_UP = "given-up", _("Given up")
    CONFIRMED = "confirmed", _("Confirmed")
    DROPPED = "dropped", _("Not sent any more")


@dataclass(frozen=True)
class OldSecret:
    """A secret of a webhook, sealed, that is valid beside the newest for a while."""

    sealed: str
    until: datetime


class WebhookEndpoint(models.Model):
    """Where a client is told by itself; at most one that is not disabled.

    The secrets are sealed like operators' second factors (``vault.credentials``). ``previous``: older ones
    with their ends, the newest first. ``kinds``: of what it is told. After a failure nothing is sent before
    ``quiet_until``, so that a dead recipient does not use up everybody's time. ``served_at``: when
    something was last sent to the client, here or at an address before; whoever waits longest is next.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(ApiClient, models.PROTECT, related_name="webhooks")
    url = models.URLField(_("address"), max_length=500)
    secret_sealed = models.TextField(editable=False)
    previous = models.JSONField(default=list, editable=False)
    kinds = models.JSONField(default=list)
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True)
    quiet_until = models.DateTimeField(null=True)
    served_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client"], condition=Q(disabled_at=None), name="one_webhook_per_client"
            )
        ]

    def __str__(self) -> str:
        return f"webhook {self.id}"

    def old_secrets(self) -> list[OldSecret]:
        """The older secrets that are still valid, the newest first."""
        kept = [OldSecret(sealed, datetime.fromisoformat(until)) for sealed, until in self.previous]
        return [each for each in kept if timezone.now() < each.until]

    def keep_old(self, secrets: Iterable[OldSecret]) -> None:
        """Let these be the older secrets; the row is not saved."""
        self.previous = [[each.sealed, each.until.isoformat()] for each in secrets]

    @property
    def previous_until(self) -> datetime | None:
        """Until when any older secret is valid."""
        return max((each.until for each in self.old_secrets()), default=None)


def of_live_clients() -> Q:
    """The condition of what belongs to a client that can still act; for webhooks and what is told."""
    return Q(client__revoked_at=None, client__expires_at__gt=timezone.now())


class TellingQuerySet(models.QuerySet["Telling"]):
    """Tellings by what is still to be done about them."""

    def erasures(self) -> Self:
        """Those that ask for an acknowledgement."""
        return self.filter(kind=TellingKind.ERASURE)

    def news(self) -> Self:
        """Those that are told for convenience only."""
        return self.exclude(kind__in=MANDATORY)

    def in_state(self, state: Delivery) -> Self:
        """Those that have come so far; the same order of questions as ``Telling.state``."""
        found = self
        for each, condition in BY_STATE.items():
            if each is state:
                return found.filter(condition)
            found = found.exclude(condition)
        return found

    def not_held(self) -> Self:
        """Without the erasures that a legal hold postpones: then copies are evidence too."""
        return self.exclude(erasure__in=ErasureRequest.objects.held())

    def unacknowledged(self) -> Self:
        """Erasures that their client has not said to have carried out."""
        return self.erasures().filter(acknowledged_at=None)

    def under_way(self) -> Self:
        """Those that go to a webhook sooner or later, if there is one.

        A program that has ended hears only of what it must erase: whoever has its webhook may not be whom
        the study means.
        """
        return self.filter(
            UNDER_WAY,
            Q(kind__in=MANDATORY) | of_live_clients(),
            client__in=WebhookEndpoint.objects.filter(disabled_at=None).values("client"),
        )

    def to_send(self) -> Self:
        """Those to send now: due, and to a client whose webhook is not left in peace for a while.

        The client that was served longest ago has its turn, so that no backlog and no slow recipient holds
        up anybody else; of one client's what is mandatory comes before news.
        """
        now = timezone.now()
        live = WebhookEndpoint.objects.filter(disabled_at=None)
        quiet = live.filter(quiet_until__gt=now)
        served = Subquery(live.filter(client=OuterRef("client")).values("served_at"))
        return (
            self.not_held()
            .under_way()
            .filter(next_attempt_at__lte=now, reference_id__isnull=False)
            .exclude(client__in=quiet.values("client"))
            .order_by(
                served.asc(nulls_first=True),
                Case(When(kind__in=MANDATORY, then=0), default=1),
                "next_attempt_at",
            )
        )

    def of_use(self) -> Self:
        """Those whose client has still to be told, or can still confirm: it must find the person."""
        to_confirm = of_live_clients() & Q(kind=TellingKind.ERASURE, acknowledged_at=None)
        return self.filter(to_confirm | Q(pk__in=self.model.objects.under_way().values("pk")))

    def missing(self) -> Self:
        """What operators should see to: given up, or not confirmed in three days by a key that could.

        Not news: whoever missed it asks for the state.
        """
        due = timezone.now() - CONFIRMED_WITHIN
        late = of_live_clients() & Q(kind=TellingKind.ERASURE, created_at__lte=due)
        given_up = Q(kind__in=MANDATORY, given_up_at__isnull=False)
        return self.not_held().filter(late | given_up, acknowledged_at=None)


BY_STATE = {
    Delivery.CONFIRMED: Q(acknowledged_at__isnull=False),
    Delivery.GIVEN_UP: Q(given_up_at__isnull=False),
    Delivery.WAITING: Q(next_attempt_at__isnull=False),
    Delivery.DELIVERED: Q(delivered_at__isnull=False),
    Delivery.DROPPED: Q(),
}


class Telling(models.Model):
    """One thing that one client is told about one person; a row of the outbox.

    ``analysis_id`` with its ``recording_id`` says which analysis ended. ``reference_id`` is the opaque id
    under which the client knows the person; it goes when nothing links the log to them any more and
    nothing is left to tell. ``next_attempt_at`` is None once it was delivered, until somebody has it sent
    again (``replayed_at``: when last), and where it is not sent any more; ``delivered_at`` stays the first
    time. ``last_status`` is the HTTP status of the last answer, 0 when there was none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(ApiClient, models.PROTECT, related_name="tellings")
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="tellings")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=17, choices=TellingKind)
    reference_id = models.UUIDField(null=True)
    erasure = models.ForeignKey(ErasureRequest, models.PROTECT, null=True, related_name="tellings")
    # Plain ids: recordings and analyses live in a room above this one.
    recording_id = models.UUIDField(null=True)
    analysis_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_status = models.PositiveSmallIntegerField(null=True)
    delivered_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    replayed_at = models.DateTimeField(null=True)
    entry_ids = models.JSONField(default=list)

    objects = TellingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=TellingKind.ERASURE.value, erasure__isnull=False)
                | (~Q(kind=TellingKind.ERASURE.value) & Q(erasure=None)),
                name="telling_names_its_erasure",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__startswith="analysis.",
                    analysis_id__isnull=False,
                    recording_id__isnull=False,
                )
                | (~Q(kind__startswith="analysis.") & Q(analysis_id=None, recording_id=None)),
                name="telling_names_its_analysis",
            ),
            models.UniqueConstraint(fields=["client", "erasure"], name="one_telling_of_an_erasure"),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=UNDER_WAY,
                name="tellings_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def state(self) -> Delivery:
        """How far it has come."""
        if self.acknowledged_at is not None:
            return Delivery.CONFIRMED
        if self.given_up_at is not None:
            return Delivery.GIVEN_UP
        if self.next_attempt_at is not None:
            return Delivery.WAITING
        return Delivery.DELIVERED if self.delivered_at is not None else Delivery.DROPPED
