"""Human oversight (AI Act Art. 14): who can stop what, as the tables in the code say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.models import Role
from accounts.permissions import ROLE_PERMISSIONS
from audit_log.actions import Action
from consent.rules import BY_RETENTION, NOT_STANDING, WHILE_RESTRICTED, Asker, Kept, Operation


@dataclass(frozen=True)
class Stop:
    """One way in which a person ends or holds up what the program does.

    Fields:
        permission: whose holders may do it; action: the entry of the log that it leaves.
    """

    what: str
    effect: str
    permission: str
    action: Action


STOPS = (
    Stop(
        "Withdraw",
        "From that moment nothing of the person is processed or opened in this purpose; the keys are "
        "destroyed and what is under way is thrown away.",
        "consent.withdraw_consent",
        Action.CONSENT_WITHDRAW,
    ),
    Stop(
        "Pause",
        "Everything is kept and readable to the person alone; nothing is recorded, analysed or opened "
        "by others.",
        "consent.withdraw_consent",
        Action.CONSENT_RESTRICT,
    ),
    Stop(
        "Stop one data category",
        "It is not measured any more, and what exists of it is erased; the rest goes on.",
        "consent.withdraw_consent",
        Action.CONSENT_NARROW,
    ),
    Stop(
        "Say “this is not me”",
        "The recording is closed for everybody, its analysis is thrown away, and its uploader can send "
        "nothing more for this person until an operator has answered.",
        "emotion.dispute_own_recording",
        Action.DISPUTE_OPEN,
    ),
    Stop(
        "Send a purpose back",
        "It does not open.",
        "consent.open_purpose",
        Action.PURPOSE_SEND_BACK,
    ),
    Stop(
        "Close a purpose",
        "Nothing new is recorded or analysed; everything of it is erased on the day that is set then.",
        "consent.close_purpose",
        Action.PURPOSE_CLOSE,
    ),
    Stop(
        "Shorten storage periods",
        "What exists ends earlier.",
        "consent.shorten_retention",
        Action.PURPOSE_SHORTEN,
    ),
    Stop(
        "Place a legal hold",
        "Destruction is postponed; nothing opens because of it.",
        "consent.place_hold",
        Action.HOLD_PLACE,
    ),
    Stop(
        "Answer a dispute",
        "The disputed recording is erased.",
        "emotion.handle_dispute",
        Action.DISPUTE_HANDLE,
    ),
    Stop(
        "Stop an analysis",
        "What waits never begins, and what runs is thrown away with the media as they came.",
        "emotion.cancel_analysis",
        Action.ANALYSIS_CANCEL,
    ),
    Stop(
        "Erase a recording",
        "Its keys are destroyed, and its media and results go.",
        "emotion.erase_recording",
        Action.ERASURE_REQUEST,
    ),
    Stop(
        "Take an API client's key back",
        "The program behind it can neither upload nor read.",
        "accounts.manage_clients",
        Action.CLIENT_REVOKE,
    ),
    Stop(
        "Withdraw an operator's training certificate",
        "No person's result or picture opens for the operator.",
        "accounts.certify_training",
        Action.TRAINING_WITHDRAW,
    ),
    Stop(
        "Take an operator's account back",
        "The person cannot sign in any more.",
        "accounts.manage_operators",
        Action.OPERATOR_CHANGE,
    ),
)
DECISIONS = (
    "No output triggers anything: no message, no task and no decision follows from a result. A person "
    "reads it, for a stated reason that is in the log first, or does not."
)


def holders(permission: str) -> list[str]:
    """The roles that hold a permission."""
    return [role.value for role in Role if permission in ROLE_PERMISSIONS[role]]


def oversight() -> dict[str, Any]:
    """Roles with what each may do, what each can stop, and what the gate refuses by itself."""
    return {
        "decisions": DECISIONS,
        "roles": [{"role": role.value, "may": sorted(ROLE_PERMISSIONS[role])} for role in Role],
        "stops": [
            {
                "what": stop.what,
                "who": holders(stop.permission),
                "effect": stop.effect,
                "logged_as": stop.action.value,
            }
            for stop in STOPS
        ],
        "gate_refuses": gate_refusals(),
    }


def gate_refusals() -> list[dict[str, str]]:
    """What nobody has to stop: refused by itself whenever the gate is asked (docs/gate.md)."""
    paused = WHILE_RESTRICTED[Operation.ANALYSE, Asker.SYSTEM]
    found = [(f"consent: {standing}", reason) for standing, reason in NOT_STANDING.items()]
    found += [("consent: given, paused", paused)] if paused else []
    found += [
        (f"retention: {kept}", reason)
        for kept in Kept
        if (reason := BY_RETENTION[kept]) is not None
    ]
    return [{"when": when, "reason": reason.value} for when, reason in found]
