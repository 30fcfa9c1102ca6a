"""The client of Consentry's API: ``Client`` and ``AsyncClient`` with the same methods.

    with Client("https://consentry.example.org", key) as client:
        recording = client.upload("P-001.jpg", subject="P-001", purpose=purpose)
        analysis = client.wait_for_analysis(recording.analyses[0].id)
        result = client.result(analysis.id, reason="study-analysis")

``webhooks`` verifies what the installation sends by itself. The command ``consentry`` is made of the same.
"""

from consentry_client.clients import AsyncClient, Client
from consentry_client.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    ConsentryError,
    FieldError,
    FileChanged,
    GaveUpWaiting,
    Gone,
    InsecureAddress,
    Invalid,
    NoKey,
    NotAuthenticated,
    NotFound,
    Refused,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)
from consentry_client.models import Analysis, Consent, Erasure, Recording, Result
from consentry_client.retries import Retries
from consentry_client.uploads import BatchFile
from consentry_client.version import VERSION as __version__

__all__ = [
    "Analysis",
    "ApiError",
    "AsyncClient",
    "BatchFile",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Consent",
    "ConsentryError",
    "Erasure",
    "FieldError",
    "FileChanged",
    "GaveUpWaiting",
    "Gone",
    "InsecureAddress",
    "Invalid",
    "NoKey",
    "NotAuthenticated",
    "NotFound",
    "Recording",
    "Refused",
    "Result",
    "Retries",
    "Throttled",
    "Unavailable",
    "UnexpectedAnswer",
    "__version__",
]
