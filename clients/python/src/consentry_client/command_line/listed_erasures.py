"""Which erasures were listed here, so that nothing is confirmed of which nobody was told.

The server lists 100 at a time, and new ones come any day: who erases, and confirms later, has erased what
was listed then and no more. Kept are ids of erasures, which name nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from consentry_client.whole_files import replacing


class ListedErasures:
    """What the last run listed that did not confirm anything, for one purpose."""

    def __init__(self, folder: Path, purpose: str) -> None:
        self.path = folder / f"erasures-{purpose}.json"

    def read(self) -> frozenset[str]:
        """The ids; none where there is no list, or what is there is damaged: then it is listed again."""
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return frozenset()
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    def keep(self, ids: Iterable[UUID]) -> None:
        """Remember these in the place of those before."""
        with replacing(self.path) as file:
            file.write(json.dumps([str(each) for each in ids]).encode() + b"\n")
