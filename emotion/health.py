"""Is everything running? Cheap questions to the database, the disk and the keeper's mark.

These figures are for the operators' pages; they say nothing about any person.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit_log.clock import ClockState, read_clock
from audit_log.sequencer import lag
from consent.models import ErasureRequest, SubjectRequest
from emotion.faults import in_a_line
from emotion.models import Analysis, AnalysisState, Upload, UploadState
from emotion.sweeping import workers_stuck
from vault.errors import VaultError
from vault.setup import require_current

KEEPER_SILENT_AFTER = 30.0  # seconds
LAG_AT_MOST = 10.0  # seconds
DISK_AT_LEAST = 200 * 1024**2  # bytes
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
    if figures["waiting"] or figures["running"]:
        return Check(_("Workers"), "live", _("Working"), detail)
    # Without work there is nothing to see a worker by, and nothing more is claimed.
    return Check(_("Workers"), "live", _("Nothing waits"), detail)


def check_keeper() -> Check:
    """Whether the keeper touched its mark lately."""
    mark = settings.VAR_DIR / "run" / "keeper"
    help_text = _("Erasures, retention and the log wait for it. Start it with `make run`.")
    try:
        silent = time.time() - mark.stat().st_mtime
    except FileNotFoundError:
        return Check(_("Keeper"), "refused", _("Not running"), _("It never started."), help_text)
    if silent > KEEPER_SILENT_AFTER:
        detail = _("Last seen %d seconds ago") % silent
        return Check(_("Keeper"), "refused", _("Silent"), detail, help_text)
    return Check(_("Keeper"), "live", _("Running"), _("Seen %d seconds ago") % max(silent, 0))


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


def checks() -> list[Check]:
    """Every part, in the order of the page."""
    return [
        check_workers(queue_figures()),
        check_keeper(),
        check_log(),
        check_erasures(),
        check_requests(),
        check_uploads(),
        check_keys(),
        check_clock(),
        check_disk(),
    ]
