"""What the worker is asked to do. A message carries a row id and nothing else."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from emotion.analyses import run_analysis


@shared_task(name="emotion.analyse")
def analyse(analysis_id: str) -> None:
    """Claim and run one analysis; doing it twice changes nothing, because the row is claimed."""
    run_analysis(UUID(analysis_id))
