"""What the worker is asked to do. A message carries a row id and nothing else."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task

from emotion.analyses import run_analysis

log = logging.getLogger(__name__)


@shared_task(name="emotion.analyse")
def analyse(analysis_id: object = None, *_more: object, **_named: object) -> None:
    """Claim and run one analysis; doing it twice changes nothing, because the row is claimed.

    Another version may have sent more than the id, or something else: what is not understood is dropped,
    because the keeper sends every row that waits again.
    """
    try:
        known = UUID(str(analysis_id))
    except ValueError:
        log.warning("a message of another version was dropped: it names no analysis")
        return
    run_analysis(known)
