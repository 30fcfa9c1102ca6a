"""The errors of the access log: one base class, a stable code each, messages that can be translated."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _


def one_line(error: Exception) -> str:
    """An error in one line for somebody at a terminal: of a file its path and what is wrong with it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


class AuditLogError(Exception):
    """Base of all errors of the access log; ``code`` is stable, ``message`` is for people."""

    code = "audit-log-error"
    message = _("The access log reported an error.")

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.message} {detail}".strip())
        self.detail = detail


class InvalidEntry(AuditLogError):
    """A draft or a stored body does not have the form of an entry."""

    code = "invalid-entry"
    message = _("This is not a valid log entry.")


class LogUnavailable(AuditLogError):
    """The entry could not be written, so what depends on it must not happen."""

    code = "log-unavailable"
    message = _("The access log cannot be written, so nothing can be released. Try again later.")


class AppendOutsideTransaction(AuditLogError):
    """``append`` was called without the transaction of the change it belongs to."""

    code = "append-outside-transaction"
    message = _("An entry that belongs to a change is written in the change's transaction.")


class AppendInsideTransaction(AuditLogError):
    """``append_durable`` was called inside a transaction, where a rollback could erase the entry."""

    code = "append-inside-transaction"
    message = _("A durable entry cannot be written inside a transaction.")


class ReceiptNotCommitted(AuditLogError):
    """The receipt was asked for before the transaction committed, or after it rolled back."""

    code = "receipt-not-committed"
    message = _("There is no receipt: the transaction of this entry has not committed.")


class ReceiptAlreadyUsed(AuditLogError):
    """A durable receipt opens one thing once."""

    code = "receipt-already-used"
    message = _("This log receipt has already been used.")


class EntryUnknown(AuditLogError):
    """No entry with this id was ever written."""

    code = "entry-unknown"
    message = _("There is no such log entry.")


class EntryNotIntegrated(AuditLogError):
    """The entry is written, but no signed checkpoint covers it yet."""

    code = "entry-not-integrated"
    message = _("This entry is not in a signed checkpoint yet. Try again in a moment.")


class SigningKeyMissing(AuditLogError):
    """The log has no key, or its key cannot be used as it lies."""

    code = "log-signing-key"
    message = _("The signing key of the access log is missing or cannot be used.")


class RotationRefused(AuditLogError):
    """The signing key cannot be changed now; a repeated call finishes what was begun."""

    code = "log-key-rotation"
    message = _("The signing key of the access log is not changed.")


class OriginRefused(AuditLogError):
    """The log does not go on under a new origin; a repeated call finishes what was begun."""

    code = "log-new-origin"
    message = _("The access log keeps its origin.")


class HistoryMismatch(AuditLogError):
    """The database is behind, or differs from, what was signed before: nothing more is signed."""

    code = "log-history-mismatch"
    message = _("The access log does not continue what was signed before, so nothing is signed.")


class UnknownTreeSize(AuditLogError):
    """A proof was asked for between sizes that this tree does not have."""

    code = "unknown-tree-size"
    message = _("The access log has no tree of this size.")


class ExportInvalid(AuditLogError):
    """A folder with an exported log is damaged, incomplete, or of another log."""

    code = "export-invalid"
    message = _("The exported log cannot be used.")


class WitnessError(AuditLogError):
    """A witness did not cosign, or the policy that names the witnesses cannot be read."""

    code = "log-witness"
    message = _("The access log has not been witnessed.")


class RolesWrong(AuditLogError):
    """The application's role on the database server may do more than it should, or cannot be set up."""

    code = "database-roles-wrong"
    message = _("The roles on the database server are not as they must be.")
