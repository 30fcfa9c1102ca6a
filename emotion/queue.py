"""Pointing the workers at a row. Losing a message loses nothing: the keeper finds stale rows again."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import current_app

log = logging.getLogger(__name__)


def enqueue_analysis(analysis_id: UUID) -> bool:
    """Send the id of an analysis that waits."""
    return send("emotion.analyse", analysis_id)


def enqueue_cohort(answer_id: UUID) -> bool:
    """Send the id of a question about a group that waits."""
    return send("emotion.count_cohort", answer_id)


def send(task: str, row_id: UUID) -> bool:
    """Send the id of a row; a broker that is down is harmless and only noted."""
    try:
        current_app.send_task(task, [str(row_id)])
    except (
        Exception
    ) as error:  # whatever a broker's library raises: the row waits, and is the truth
        log.warning(
            "the broker took no message (%s); the keeper will send it", type(error).__name__
        )
        return False
    return True
