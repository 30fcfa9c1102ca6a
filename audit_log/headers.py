"""How what is published of the log is labelled, by the web server and as objects in a bucket."""

from __future__ import annotations

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
FOR_EVER = "public, max-age=31536000, immutable"
NEVER = (
    "max-age=0, no-cache, no-store, must-revalidate, private"  # as Django's ``never_cache`` says it
)


def labels(path: str) -> tuple[str, str]:
    """(content type, cache control) of what lies at a path below the log.

    Hash tiles never change and may be kept; entries are for auditors only, and all else changes.
    """
    if not path.startswith("tile/"):
        return TEXT, NEVER
    return BYTES, NEVER if path.startswith("tile/entries/") else FOR_EVER
