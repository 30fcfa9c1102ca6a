"""Where an export lies: a folder here; ``audit_log.bucket`` has the other one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Protocol

from audit_log.durable_files import write_durably
from audit_log.errors import ExportInvalid
from audit_log.tiles import Tile


class Storage(Protocol):
    """A folder, or what is like one. ``str`` says where it is."""

    def read(self, path: str) -> bytes | None:
        """What lies at a path; None for nothing. Raises ExportInvalid when it cannot be read."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Put it there; when this returns it is durable. Raises ExportInvalid or OSError."""
        ...

    def write_all(self, files: Iterable[tuple[str, bytes]]) -> Iterator[None]:
        """Write them; gives one answer for each that is durable, in any order."""
        ...

    def remove_partial(self, full: Iterable[Tile]) -> None:
        """Remove the partial tiles of what these full tiles hold now."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder, whose files are flushed to disk one by one."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, path: str) -> bytes | None:
        """The file's bytes."""
        try:
            return (self.path / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ExportInvalid(f"{self.path / path}: {error.strerror}") from None

    def write(self, path: str, data: bytes) -> None:
        """Written beside, flushed, moved into place."""
        write_durably(self.path / path, data, replace=True)

    def write_all(self, files: Iterable[tuple[str, bytes]]) -> Iterator[None]:
        """One after the other."""
        for path, data in files:
            self.write(path, data)
            yield

    def remove_partial(self, full: Iterable[Tile]) -> None:
        """All of them that a full tile stands beside, also those which an export left that was killed."""
        for partial in self.path.glob("tile/**/*.p"):
            if partial.with_suffix("").is_file():
                rmtree(partial)


def storage_at(where: str) -> Storage:
    """The folder of that name, or the bucket at ``s3://BUCKET/PREFIX``. Raises ExportInvalid."""
    if "://" not in where:
        return Folder(Path(where))
    from audit_log.bucket import Bucket  # it loads a library of its own, which only buckets need

    return Bucket(where)
