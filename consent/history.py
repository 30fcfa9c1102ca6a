"""Who looked, in words: a data subject's entries of the access log, found by their own tags.

The tags are recomputed from the person's keys; the log itself names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiClient, User
from audit_log.actions import LOOKS, Action, Outcome, ReasonCode
from audit_log.models import LogEntry
from consent.models import DataSubject, Purpose
from vault.tags import tagger

Text = str | Promise
PROVEN_AT_ONCE = 1000
"""How many proofs are in one file: more would take longer than a request should."""

ACTIONS: dict[str, Text] = {
    Action.SUBJECT_CREATE: _("You were added to the study"),
    Action.CONSENT_REQUEST: _("You were asked for consent"),
    Action.CONSENT_CANCEL: _("The study took its question back"),
    Action.INVITATION_CREATE: _("An invitation was made for you"),
    Action.INVITATION_SHOW: _("An invitation was made and shown to the study's staff"),
    Action.INVITATION_REDEEM: _("Your invitation was opened"),
    Action.NOTICE_SHOW: _("The privacy notice was shown to you"),
    Action.CONSENT_GIVE: _("You consented"),
    Action.CONSENT_GUARDIAN: _("Your parent or guardian said yes"),
    Action.CONSENT_ATTEST: _("A consent that you signed on paper was entered"),
    Action.PAPER_READ: _("The scan of your signed paper was opened"),
    Action.CONSENT_REFUSE: _("You said no"),
    Action.CONSENT_WITHDRAW: _("You withdrew"),
    Action.CONSENT_NARROW: _("You stopped a part of it"),
    Action.CONSENT_RESTRICT: _("You paused the study"),
    Action.CONSENT_RESUME: _("You let the study go on"),
    Action.CONSENT_EXPIRE: _("Your consent ended"),
    Action.IDENTITY_READ: _("Your reference was looked up"),
    Action.MESSAGE_QUEUE: _("A message to you was written"),
    Action.MESSAGE_SEND: _("A message to you was sent"),
    Action.MESSAGE_READ: _("A message to you was opened"),
    Action.CAMERA_ALLOW: _("You were shown what the camera records"),
    Action.UPLOAD_BEGIN: _("The upload of a recording of you began"),
    Action.UPLOAD_PART: _("A part of a recording of you arrived"),
    Action.UPLOAD_ASSEMBLE: _("The parts of a recording of you were put together"),
    Action.UPLOAD_END: _("The unfinished upload of a recording of you was given up"),
    Action.MEDIA_UPLOAD: _("A photograph of you was uploaded"),
    Action.MEDIA_READ: _("A photograph or film of you was looked at"),
    Action.MEDIA_ANALYSE: _("A photograph of you was analysed"),
    Action.MEDIA_COVER: _("All but your head in a photograph or film of you was covered"),
    Action.RESULT_SAVE: _("A result about you was saved"),
    Action.RESULT_READ: _("A result about you was read"),
    Action.RESULT_EXPORT: _("A result about you was exported"),
    Action.RESULT_COUNT: _("A result about you was counted for a figure about the group"),
    Action.DISPUTE_OPEN: _("You said that a recording does not show you"),
    Action.DISPUTE_RETRACT: _("You said that a recording shows you after all"),
    Action.DISPUTE_HANDLE: _("The study's staff answered your dispute"),
    Action.REQUEST_MAKE: _("You sent a request"),
    Action.REQUEST_RETRACT: _("You took a request back"),
    Action.REQUEST_TAKE: _("Somebody began to look after your request"),
    Action.REQUEST_EXTEND: _("The answer to your request was put off"),
    Action.REQUEST_READ: _("Your request was read"),
    Action.REQUEST_ANSWER: _("Your request was answered"),
    Action.REQUEST_ERASE: _("A request of yours, or what you wrote in it, was erased"),
    Action.BREACH_PERSON_TOLD: _("You were told of a data breach"),
    Action.ANALYSIS_REFUSE: _("An analysis was stopped"),
    Action.ANALYSIS_FAIL: _("An analysis did not succeed"),
    Action.ANALYSIS_REPEAT: _("Another analysis was asked for"),
    Action.ANALYSIS_CANCEL: _("An analysis was cancelled"),
    Action.ACCOUNT_CLOSE: _("You closed your account"),
    Action.TAGS_DESTROY: _("What linked these entries to you was destroyed"),
    Action.HOLD_PLACE: _("A legal hold was placed on your data"),
    Action.HOLD_LIFT: _("The legal hold on your data was lifted"),
    Action.HOLD_END: _("The legal hold on your data ended"),
    Action.RETENTION_EXPIRE: _("The storage period of a recording ended"),
    Action.ERASURE_REQUEST: _("An erasure was started"),
    Action.ERASURE_KEYS_DESTROYED: _("The keys of your data were destroyed"),
    Action.ERASURE_COMPLETE: _("Your data were removed"),
    Action.ERASURE_FINAL: _("The erasure became final"),
    Action.ERASURE_TOLD: _("A program was told to erase what it has of you"),
    Action.ERASURE_ACKNOWLEDGED: _("A program confirmed that it erased what it had of you"),
    Action.LOGIN_SUCCEED: _("You signed in"),
    Action.LOGIN_FAIL: _("A sign-in failed"),
    Action.LOGOUT: _("You signed out"),
    Action.AUTHENTICATOR_CHANGE: _("A passkey of yours was added or removed"),
}
REASONS: dict[str, Text] = {
    ReasonCode.OWN_ACCESS: _("your own access"),
    ReasonCode.STUDY_ANALYSIS: _("analysis for the study"),
    ReasonCode.QUALITY_CHECK: _("quality check"),
    ReasonCode.SUBJECT_REQUEST: _("your request"),
    ReasonCode.INCIDENT_INVESTIGATION: _("investigation of an incident"),
    ReasonCode.LEGAL_OBLIGATION: _("legal obligation"),
    ReasonCode.LEGAL_CLAIM: _("a legal claim"),
    ReasonCode.AUTHORITY_REQUEST: _("a court or an authority has asked for it"),
    ReasonCode.COMPLAINT: _("a complaint"),
    ReasonCode.REQUEST_COMPLEX: _("the request is complex"),
    ReasonCode.MANY_REQUESTS: _("there are many requests"),
    ReasonCode.NO_SUCH_DATA: _("there are no such data"),
    ReasonCode.DOES_NOT_APPLY: _("this right does not apply here"),
    ReasonCode.RIGHTS_OF_OTHERS: _("the rights of others"),
    ReasonCode.EXCESSIVE_REQUEST: _("it is plainly unfounded or excessive"),
    ReasonCode.ANALYSIS: _("the analysis you consented to"),
    ReasonCode.INVITE: _("to invite you"),
    ReasonCode.SIGN_IN: _("to sign you in"),
    ReasonCode.NOTIFY: _("to write to you"),
    ReasonCode.WITHDRAWAL: _("your withdrawal"),
    ReasonCode.RETENTION_END: _("the storage period is over"),
    ReasonCode.MEDIA_NOT_KEPT: _("photographs are not kept after the analysis"),
    ReasonCode.MEDIA_COVERED: _("only your head is kept of a photograph or film"),
    ReasonCode.DISCARDED: _("the study's staff discarded the recording"),
    ReasonCode.UPLOAD_UNFINISHED: _("it was not finished in time"),
    ReasonCode.PURPOSE_END: _("the study has ended"),
    ReasonCode.UNUSED: _("three years without a visit"),
    ReasonCode.BACKUP_RESTORED: _("a backup was restored, which did not know your last change"),
    ReasonCode.ACCOUNT_CLOSED: _("your account is closed"),
    ReasonCode.NO_CONSENT: _("there was no consent"),
    ReasonCode.CONSENT_WITHDRAWN: _("you had withdrawn"),
    ReasonCode.CONSENT_REFUSED: _("you had said no"),
    ReasonCode.CONSENT_EXPIRED: _("the consent had ended"),
    ReasonCode.CONSENT_CHANGED: _("your consent had changed"),
    ReasonCode.ATTESTED_BY_READER: _("whoever attested your signature may not look"),
    ReasonCode.TRAINING_MISSING: _("whoever was not trained may not look"),
    ReasonCode.CATEGORY_NOT_CONSENTED: _("you had not allowed this"),
    ReasonCode.PURPOSE_NOT_OPEN: _("the study was not open"),
    ReasonCode.RETENTION_PASSED: _("the storage period was over"),
    ReasonCode.RETENTION_NOT_SET: _("no storage period was set"),
    ReasonCode.PROCESSING_RESTRICTED: _("you had paused the study"),
    ReasonCode.RECORDING_DISPUTED: _("you had said that it does not show you"),
    ReasonCode.UPLOADS_DISPUTED: _("you had said that an earlier upload does not show you"),
    ReasonCode.BEING_ERASED: _("it was being erased"),
    ReasonCode.MEDIA_UNREADABLE: _("the photograph could not be read"),
    ReasonCode.ATTEMPTS_EXHAUSTED: _("it failed several times"),
    ReasonCode.CANCELLED_BY_CLIENT: _("the study's system cancelled it"),
    ReasonCode.CANCELLED_BY_OPERATOR: _("the study's staff cancelled it"),
    ReasonCode.CLOCK_WRONG: _("the installation's clock was wrong"),
    ReasonCode.BAD_CREDENTIALS: _("the code was wrong"),
}


@dataclass(frozen=True)
class Access:
    """One entry about a person, ready to be shown to them."""

    entry_id: UUID
    at: datetime
    what: Text
    who: Text
    why: Text
    purpose: str
    refused: bool
    is_look: bool


def tags_of(subject: DataSubject) -> dict[bytes, Purpose | None]:
    """The person's tag in each purpose that ever asked them, and in their account."""
    # Where the key of the tags is destroyed, no entry is anybody's any more.
    purposes = Purpose.objects.filter(
        consent_states__subject=subject, consent_states__tags_ended_at=None
    )
    tags: dict[bytes, Purpose | None] = {
        tagger(subject.id, purpose.id).subject(): purpose for purpose in purposes
    }
    tags[tagger(subject.id, None).subject()] = None
    return tags


def actor_words(entry: LogEntry, own: bool, names: dict[str, Text]) -> Text:
    """Who acted, by role; a person's name is nobody's business but their employer's."""
    if own:
        return _("you")
    kind, _colon, who = entry.actor.partition(":")
    if kind == "operator":
        return names.get(who, _("an operator"))
    if kind == "client":
        return names.get(who, _("a study system"))
    return _("the system") if kind == "system" else _("somebody not signed in")


def actor_names(entries: list[LogEntry]) -> dict[str, Text]:
    """Role labels of the operators and names of the clients in these entries, in two queries."""
    ids = {"operator": set[str](), "client": set[str]()}
    for entry in entries:
        kind, _colon, who = entry.actor.partition(":")
        if kind in ids:
            ids[kind].add(who)
    names: dict[str, Text] = {}
    for user in User.objects.filter(pk__in=ids["operator"]):
        names[str(user.pk)] = f"{user.get_role_display()} {str(user.pk)[-4:]}"
    for client in ApiClient.objects.filter(pk__in=ids["client"]):
        names[str(client.pk)] = gettext("the program “%(name)s”") % {"name": client.name}
    return names


def entries_to_prove(subject: DataSubject, purpose: Purpose | None = None) -> list[UUID]:
    """The newest entries about this person, oldest first, of one purpose or of all."""
    tags = [tag for tag, of in tags_of(subject).items() if purpose in (None, of)]
    rows = LogEntry.objects.about_subject(tags).newest_first()[:PROVEN_AT_ONCE]
    return list(rows.values_list("entry_id", flat=True))[::-1]


def access_history(subject: DataSubject, limit: int = 200) -> list[Access]:
    """The newest entries about this person, newest first."""
    tags = tags_of(subject)
    entries = list(LogEntry.objects.about_subject(list(tags)).newest_first()[:limit])
    names = actor_names(entries)
    found = []
    for entry in entries:
        tag = bytes(entry.subject_tag)
        own = entry.actor == f"subject:{tag.hex()}"
        purpose = tags.get(tag)
        found.append(
            Access(
                entry_id=entry.entry_id,
                at=entry.time,
                what=ACTIONS.get(entry.action, entry.action),
                who=actor_words(entry, own, names),
                why=REASONS.get(entry.reason or "", ""),
                purpose=purpose.name if purpose else "",
                refused=entry.outcome != Outcome.OK,
                is_look=entry.action in LOOKS and not own,
            )
        )
    return found


def find_own_entry(subject: DataSubject, entry_id: UUID) -> LogEntry | None:
    """An entry, if it is about this person."""
    return LogEntry.objects.about_subject(list(tags_of(subject))).filter(entry_id=entry_id).first()
