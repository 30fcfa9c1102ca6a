"""Whose fault an error is: the installation's, which passes when somebody repairs it, or the work's own.

A fault of the installation (database, keystore, key folder, log, disk, models; a worker that stops, too)
says nothing about a recording, so it must not use up its tries. What is said about it is one line, and
never the text of an error that could quote a row.
"""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, OperationalError

from audit_log.actions import ReasonCode
from audit_log.errors import AuditLogError, LogUnavailable
from consent.errors import ConsentRefused
from emotion.inference.models import ExecutionProviderUnusable, ModelIntegrityError
from emotion.stopping import WorkerStopping
from vault.errors import (
    InsecureKeyFile,
    KeystoreUnavailable,
    ProviderUnavailable,
    RootKeyMissing,
    StorageFull,
    VaultError,
    WrongRootKey,
)

ENVIRONMENT = (
    OperationalError,
    InterfaceError,
    LogUnavailable,
    KeystoreUnavailable,
    ProviderUnavailable,
    RootKeyMissing,
    WrongRootKey,
    InsecureKeyFile,
    StorageFull,
    ModelIntegrityError,
    ExecutionProviderUnusable,
    WorkerStopping,
    OSError,
)
WORDED = (OperationalError, InterfaceError, AuditLogError, VaultError, OSError)
LONGEST = 400  # characters of a line


def is_environment(error: BaseException) -> bool:
    """Whether the installation is at fault, so that the same work may succeed later."""
    if isinstance(error, ConsentRefused):
        return error.reason is ReasonCode.CLOCK_WRONG
    # A sealed file that is gone is the recording's own end; other trouble with files is the disk's.
    if type(error) is DatabaseError:  # of no closer kind: the file is damaged or is no database
        return True
    return isinstance(error, ENVIRONMENT) and not isinstance(error, FileNotFoundError)


def in_a_line(error: BaseException) -> str:
    """What happened, in one line for an operator; of an unexpected error only its kind."""
    if isinstance(error, BaseExceptionGroup):
        words = "; ".join(dict.fromkeys(in_a_line(each) for each in error.exceptions))
        return shortened(f"{len(error.exceptions)} failed: {words}")
    if isinstance(error, WORDED) or is_environment(error):
        return shortened(" ".join(str(error).split()) or type(error).__name__)
    return type(error).__name__


def shortened(words: str) -> str:
    """No more than a line's length of it."""
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} …"
