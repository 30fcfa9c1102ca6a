"""SQLite's journal of the main database is written back where nobody waits for it.

SQLite does it in the commit with which the journal reaches so many pages: that one request waited for the
disk, and everybody behind it in the queue of writers. Here the keeper does it, beside them.
"""

from __future__ import annotations

from django.db import connection


def write_back() -> None:
    """Write back what the journal holds, as far as nobody reads it; the next commit begins it anew.

    The keystore's is not touched: whoever destroys a key empties it (``vault.keys.scrub``), and SQLite
    refuses that while another writes back.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
