"""The four walks once more, on a database in which the application owns nothing.

Upload, analysis by a real worker, reading, withdrawal and erasure; the keystore has the same two roles.
"""

from __future__ import annotations

import subprocess

import pytest
from django.urls import reverse

from audit_log.actions import Action
from audit_log.database_roles import faults
from audit_log.models import LogEntry, PendingEntry
from audit_log.verification import verify_database
from emotion.models import Analysis, AnalysisState, Result
from tests.cast import PHOTO, consenting, open_study, upload
from tests.databases import ALIASES
from tests.flows.test_four_walks import (  # noqa: F401  they are collected here too
    test_analysis_walk,
    test_read_walk,
    test_upload_walk,
    test_withdrawal_walk,
)
from tests.processes import wait_for
from tests.two_roles import TwoRoles

pytestmark = [pytest.mark.processes]


@pytest.fixture
def fresh_db(as_application: TwoRoles) -> None:
    """What the walks call a fresh database."""
    assert [faults(alias) for alias in ALIASES] == [[], []]


def test_keeper_walk(worker: subprocess.Popen[bytes], keeper: subprocess.Popen[bytes]) -> None:
    """The keeper puts entries into the tree and carries an erasure out; nothing here does it instead."""
    study = open_study()
    person = consenting(study)
    answer = upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    wait_for(lambda: Analysis.objects.filter(state=AnalysisState.DONE).exists(), what="the worker")
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    wait_for(lambda: not Result.objects.exists(), what="the erasure")
    wait_for(lambda: not PendingEntry.objects.exists(), what="the tree")
    written = set(LogEntry.objects.values_list("action", flat=True))
    assert {Action.MEDIA_UPLOAD, Action.RESULT_SAVE, Action.CONSENT_WITHDRAW} <= written
    wait_for(lambda: verify_database().checkpoints, what="a checkpoint")
    assert verify_database().problem == ""
