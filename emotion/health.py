"""Is everything running? Cheap questions to the database, the disk and the marks of other processes.

These figures are for the operators' pages; they say nothing about any person.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit_log.actions import Action
from audit_log.clock import ClockState, read_clock
from audit_log.daily_verification import is_old
from audit_log.models import LogEntry
from audit_log.sequencer import lag
from audit_log.verdicts import last_verdict
from consent.models import ErasureRequest, SubjectRequest
from emotion.faults import in_a_line
from emotion.marks import KEEPER, SILENT_AFTER, WORKER, silent_for
from emotion.models import Analysis, AnalysisState, Upload, UploadState
from emotion.sweeping import workers_stuck
from vault.errors import VaultError
from vault.setup import require_current

LAG_AT_MOST = 10.0  # seconds
DISK_AT_LEAST = 200 * 1024**2  # bytes
BACKUP_OLD_AFTER = timedelta(days=2)
ERASURE_LATE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Check:
    """One part of the installation.

    Fields:
        kind: of badge: "live" (runs), "waiting" (look at it), "refused" (broken).
        state: that in a word; detail: the figure behind it; help: what to do when it is not well.
    """

    name: str
    kind: str
    state: str
    detail: str = ""
    help: str = ""


def queue_figures() -> dict[str, Any]:
    """How many analyses wait, run and ended lately, and since when the oldest waits; one query."""
    day = timezone.now() - timedelta(days=1)
    return Analysis.objects.aggregate(
        waiting=Count("pk", filter=Q(state=AnalysisState.QUEUED)),
        running=Count("pk", filter=Q(state=AnalysisState.RUNNING)),
        done=Count("pk", filter=Q(state=AnalysisState.DONE, finished_at__gt=day)),
        failed=Count("pk", filter=Q(state=AnalysisState.FAILED, finished_at__gt=day)),
        oldest=Min("queued_at", filter=Q(state=AnalysisState.QUEUED)),
        claimed=Max("started_at"),
    )


def check_workers(figures: dict[str, Any]) -> Check:
    """Whether somebody takes what waits."""
    detail = _("%(waiting)d waiting, %(running)d running, %(done)d done in 24 hours") % figures
    if workers_stuck():
        return Check(
            _("Workers"),
            "refused",
            _("Idle while work waits"),
            detail,
            _("The supervisor is asked for a new worker; if this stays, look at the worker's log."),
        )
    silent = silent_for(WORKER)
    if silent is None or silent > SILENT_AFTER:
        help_text = _(
            "What is uploaded waits. Start it with `make run`; one on another machine is not seen here."
        )
        return Check(_("Workers"), "waiting", _("Not seen"), detail, help_text)
    detail += ". " + _("Seen %d seconds ago") % silent
    busy = figures["waiting"] or figures["running"]
    return Check(_("Workers"), "live", _("Working") if busy else _("Nothing waits"), detail)


def check_keeper() -> Check:
    """Whether the keeper touched its mark lately."""
    help_text = _("Erasures, retention and the log wait for it. Start it with `make run`.")
    silent = silent_for(KEEPER)
    if silent is None:
        return Check(_("Keeper"), "refused", _("Not running"), _("It never started."), help_text)
    if silent > SILENT_AFTER:
        detail = _("Last seen %d seconds ago") % silent
        return Check(_("Keeper"), "refused", _("Silent"), detail, help_text)
    return Check(_("Keeper"), "live", _("Running"), _("Seen %d seconds ago") % silent)


def check_log() -> Check:
    """Whether entries reach the tree in time."""
    behind = lag()
    detail = _("The oldest entry waits for %.1f seconds") % behind if behind else ""
    if behind > LAG_AT_MOST:
        help_text = _("The keeper integrates entries; reads are still written down first.")
        return Check(_("Access log"), "refused", _("Behind"), detail, help_text)
    return Check(_("Access log"), "live", _("Up to date"), detail)


def check_disk() -> Check:
    """Whether there is room for what comes next."""
    usage = shutil.disk_usage(settings.VAR_DIR)
    detail = _("%(free).1f of %(total).1f GiB free") % {
        "free": usage.free / 1024**3,
        "total": usage.total / 1024**3,
    }
    if usage.free < DISK_AT_LEAST:
        return Check(_("Disk"), "refused", _("Nearly full"), detail, _("Uploads will be refused."))
    return Check(_("Disk"), "live", _("Enough room"), detail)


def check_erasures() -> Check:
    """Whether what has to be erased is being erased."""
    found = ErasureRequest.objects.waiting().aggregate(
        number=Count("pk"), oldest=Min("requested_at")
    )
    number, oldest = found["number"], found["oldest"]
    if not number:
        return Check(_("Erasure"), "live", _("Nothing waits"))
    detail = ngettext("%d erasure under way", "%d erasures under way", number) % number
    if oldest < timezone.now() - ERASURE_LATE_AFTER:
        return Check(_("Erasure"), "refused", _("Late"), detail, _("The keeper finishes erasures."))
    return Check(_("Erasure"), "live", _("Under way"), detail)


def check_requests() -> Check:
    """Whether people are answered in time."""
    number = SubjectRequest.objects.waiting().count()
    late = SubjectRequest.objects.overdue().count()
    detail = ngettext("%d waits", "%d wait", number) % number if number else ""
    if late:
        detail = ngettext("%d past its day", "%d past their day", late) % late
        help_text = _("The law gives one month. Answer the oldest first; nothing else is held up.")
        return Check(_("People's requests"), "refused", _("Overdue"), detail, help_text)
    return Check(
        _("People's requests"), "live", _("In time") if number else _("Nothing waits"), detail
    )


def check_keys() -> Check:
    """Whether the keystore and the keys that open it can be used."""
    try:
        require_current()
    except VaultError as error:
        help_text = _("Nothing can be sealed or opened; analyses wait and lose nothing by it.")
        return Check(_("Keys"), "refused", _("Cannot be used"), in_a_line(error), help_text)
    return Check(_("Keys"), "live", _("In reach"))


def check_clock() -> Check:
    """Whether dates can be believed."""
    found = read_clock()
    if found.state is ClockState.BEHIND:
        return Check(_("Clock"), "refused", _("Behind"), found.words())
    if found.state is ClockState.SUSPECT:
        return Check(_("Clock"), "waiting", _("May be ahead"), found.words())
    return Check(_("Clock"), "live", _("Believed"))


def check_uploads() -> Check:
    """Whether uploads were begun and not finished; the keeper clears them."""
    number = Upload.objects.exclude(state=UploadState.STORED).count()
    detail = ngettext("%d being received", "%d being received", number) % number if number else ""
    return Check(_("Uploads"), "live", _("Receiving") if number else _("Nothing waits"), detail)


def check_backup() -> Check:
    """Whether there is a copy that is not old, by the entry that each backup leaves."""
    made = LogEntry.objects.filter(action=Action.BACKUP_MAKE).order_by("-time").first()
    help_text = _("Run `manage.py backup` every day, and try once to put one back.")
    if made is None:
        return Check(_("Backup"), "waiting", _("Never made"), "", help_text)
    detail = _("%(time)s ago") % {"time": timesince(made.time)}
    if timezone.now() - made.time > BACKUP_OLD_AFTER:
        return Check(_("Backup"), "waiting", _("Old"), detail, help_text)
    return Check(_("Backup"), "live", _("Made"), detail)


def check_verification() -> Check:
    """What the whole log's last verification said; the keeper starts one each day."""
    name, last = _("Verification of the log"), last_verdict()
    if last is None:
        return Check(name, "live", _("Not due yet"))
    detail = _("%(time)s ago") % {"time": timesince(last.at)}
    if last.problem:
        help_text = _("Keep everything as it is, and look at the page of the log.")
        return Check(name, "refused", _("NOT VERIFIED"), detail, help_text)
    if is_old(last):
        return Check(name, "waiting", _("Old"), detail, _("The keeper starts one each day."))
    return Check(name, "live", _("Everything fits"), detail)


def checks() -> list[Check]:
    """Every part, in the order of the page."""
    return [
        check_workers(queue_figures()),
        check_keeper(),
        check_log(),
        check_verification(),
        check_erasures(),
        check_requests(),
        check_uploads(),
        check_keys(),
        check_clock(),
        check_disk(),
        check_backup(),
    ]
