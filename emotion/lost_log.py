"""When the end of the log is lost, nobody can tell what people ended since: everything is closed.

People and administrators open it again, one by one. Purposes stay as the backup has them: with every
consent paused nothing is processed under them.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.after_restore import Ended, end_access, end_all_access
from audit_log.errors import OriginRefused
from audit_log.models import LogEntry, LogEntryQuerySet
from audit_log.origins import begin_origin, is_begun, require_new_origin
from audit_log.replay import missing_entries
from consent.after_restore import pause_all, reapply
from consent.closed_after_restore import remove_all_passkeys, remove_passkeys, shut_open_doors
from emotion.cohort import spend_everything


@dataclass(frozen=True, kw_only=True)
class Closed:
    """How much was closed, because it was ended since the backup or may have been.

    Fields:
        consents: paused although the log does not say that they were changed.
        ended: API keys and auditors' tokens revoked, operators shut out.
        webhooks: disabled.
        passkeys: of how many people they were removed.
    """

    consents: int
    ended: Ended
    webhooks: int
    passkeys: int


def close_ended(later: LogEntryQuerySet) -> Closed:
    """Close what the log says may have been ended since."""
    return Closed(
        consents=0,
        ended=end_access(later),
        webhooks=shut_open_doors(later),
        passkeys=remove_passkeys(later),
    )


def close_everything() -> Closed:
    """Close whatever may have been ended, because the log does not reach far enough to tell."""
    spend_everything()
    return Closed(
        consents=pause_all(),
        ended=end_all_access(),
        webhooks=shut_open_doors(LogEntry.objects.none(), all_webhooks=True),
        passkeys=remove_all_passkeys(),
    )


def close_and_go_on(name: str) -> Closed:
    """Close everything, then let the log go on under a new origin. Safe to repeat with the same name.

    Raises OriginRefused, and closes nothing, for a name that cannot be or where nothing is lost.
    """
    require_new_origin(name)
    if not missing_entries() and not is_begun(name):
        raise OriginRefused("Nothing is lost: the database reaches the highest checkpoint.")
    reapply(LogEntry.objects.none())
    closed = close_everything()
    begin_origin(name)
    return closed
