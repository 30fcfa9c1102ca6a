"""Invitations: one-time links by which a person comes to a purpose's notice.

The token is a bearer credential: whoever holds it can enter as the person it was meant for. So an API
client never sees one, a link that was shown to an operator is marked as such for ever, and a signed-in
operator cannot redeem any. ``docs/threat-model.md`` says what is left.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from accounts.models import User
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.enforcement import require_not_attester
from consent.errors import InvalidPurpose, InvitationInvalid
from consent.messages import language_for, queue_message
from consent.models import DataSubject, Invitation, Purpose, PurposeState
from consent.records import record_request, subject_log_name
from vault.tags import Tagger, tagger

VALID_FOR = timedelta(days=14)
REFUSAL = gettext_lazy(
    "This invitation is not valid: it was used, has expired, or was replaced by a newer one."
)


def token_hash(token: str) -> bytes:
    """SHA-256 of the token; a bare hash will do for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def invitation_url(token: str) -> str:
    """The address a person opens; it names nobody."""
    return settings.SITE_URL + reverse("invitation", args=[token])


def create_invitation(
    actor: Actor, subject: DataSubject, purpose: Purpose, *, show_to_operator: bool
) -> str:
    """A new one-time link, replacing any open one for the same person and purpose; returns the token.

    ``show_to_operator`` says that the caller will display it (a laboratory without e-mail); it is
    recorded, and the consent record names it as the method of collection. Raises InvalidPurpose unless
    the purpose is open, and ConsentRefused for whoever attested a consent on paper and would see the link.
    """
    if purpose.state != PurposeState.OPEN:
        raise InvalidPurpose("This purpose is not open; nobody can be invited now.")
    if show_to_operator:
        require_not_attester(actor, subject.id)
    record_request(actor, subject, purpose, "link" if show_to_operator else "e-mail")
    tags = tagger(subject.id, purpose.id)
    token, invitation = new_invitation(subject, purpose, show_to_operator=show_to_operator)
    with transaction.atomic():
        file_invitation(actor, invitation, tags)
    return token


def new_invitation(
    subject: DataSubject, purpose: Purpose, *, show_to_operator: bool
) -> tuple[str, Invitation]:
    """A new token and its row, not yet filed: until then the link leads nowhere."""
    token, now = secrets.token_urlsafe(32), timezone.now()
    return token, Invitation(
        id=uuid7(),
        subject=subject,
        purpose=purpose,
        token_sha256=token_hash(token),
        shown_to_operator=show_to_operator,
        created_at=now,
        expires_at=now + VALID_FOR,
    )


def file_invitation(actor: Actor, invitation: Invitation, tags: Tagger) -> None:
    """Put it in the place of any open one, with its entry, in the caller's transaction."""
    Invitation.objects.filter(
        subject_id=invitation.subject_id,
        purpose_id=invitation.purpose_id,
        redeemed_at=None,
        revoked_at=None,
    ).update(revoked_at=invitation.created_at)
    invitation.save(force_insert=True)
    shown = invitation.shown_to_operator
    append(
        Draft(
            action=Action.INVITATION_SHOW if shown else Action.INVITATION_CREATE,
            actor=actor.log_name(),
            purpose_id=invitation.purpose_id,
            subject_tag=tags.subject(),
            object_tag=tags.object("invitation", invitation.id),
        )
    )


def send_invitation(actor: Actor, subject: DataSubject, purpose: Purpose) -> None:
    """Queue an invitation to the person's own address; raises UnknownSubject when there is none."""
    token = create_invitation(actor, subject, purpose, show_to_operator=False)
    with override(language_for(subject, purpose)):
        heading = _("Invitation: %(purpose)s") % {"purpose": purpose.name}
        paragraphs = [
            _("%(controller)s invites you to take part in “%(purpose)s”.")
            % {"controller": purpose.controller, "purpose": purpose.name},
            _(
                "Nothing is recorded before you have read what it is about and said yes. "
                "You can say no, and you can withdraw at any time."
            ),
            invitation_url(token),
            _("The link works once and for 14 days. Do not pass it on: it is yours alone."),
        ]
    queue_message(
        actor,
        subject,
        purpose,
        kind="invitation",
        heading=heading,
        text="\n\n".join(paragraphs),
    )


def find_invitation(token: str) -> Invitation:
    """The open invitation behind a token; raises InvitationInvalid, the same for every reason."""
    invitation = (
        Invitation.objects.select_related("subject__user", "purpose")
        .filter(
            token_sha256=token_hash(token),
            redeemed_at=None,
            revoked_at=None,
            expires_at__gt=timezone.now(),
        )
        .first()
    )
    if invitation is None:
        raise InvitationInvalid(REFUSAL)
    return invitation


def redeem(token: str) -> tuple[User, Invitation]:
    """Use an invitation up; returns the account to sign in. Two browsers at once: one wins."""
    found = find_invitation(token)
    tags = tagger(found.subject_id, found.purpose_id)
    with transaction.atomic():
        won = Invitation.objects.filter(
            pk=found.pk, redeemed_at=None, revoked_at=None, expires_at__gt=timezone.now()
        ).update(redeemed_at=timezone.now())
        if not won:
            raise InvitationInvalid(REFUSAL)
        subject = DataSubject.objects.select_for_update().get(pk=found.subject_id)
        if subject.user is None:
            subject.user = User.objects.create_subject()
            subject.save(update_fields=["user"])
        append(
            Draft(
                action=Action.INVITATION_REDEEM,
                actor=subject_log_name(tags),
                purpose_id=found.purpose_id,
                subject_tag=tags.subject(),
                object_tag=tags.object("invitation", found.id),
            )
        )
    return subject.user, found
