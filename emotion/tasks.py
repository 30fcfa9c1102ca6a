"""What the worker is asked to do. A message carries a row id and nothing else."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task

from emotion.analyses import run_analysis
from emotion.cohort_counting import run_cohort

log = logging.getLogger(__name__)


@shared_task(name="emotion.analyse")
def analyse(analysis_id: object = None, *_more: object, **_named: object) -> None:
    """Claim and run one analysis; doing it twice changes nothing, because the row is claimed.

    Another version may have sent more than the id, or something else: what is not understood is dropped,
    because the keeper sends every row that waits again.
    """
    if known := row_in(analysis_id):
        run_analysis(known)


@shared_task(name="emotion.count_cohort")
def count_cohort(answer_id: object = None, *_more: object, **_named: object) -> None:
    """Claim and answer one question about a group; doing it twice changes nothing."""
    if known := row_in(answer_id):
        run_cohort(known)


def row_in(message: object) -> UUID | None:
    """The id that a message names; None, and a line in the log, for anything else."""
    try:
        return UUID(str(message))
    except ValueError:
        log.warning("a message of another version was dropped: it names no row")
        return None
