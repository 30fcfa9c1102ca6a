"""Which files of a folder are sent, and about whom.

A file is about the reference that its name begins with: ``P-001.jpg`` and ``P-001__second try.mp4`` are
about ``P-001``. Where names are otherwise, a CSV map with the columns ``file`` and ``subject`` says it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from consentry_client.command_line.csv_lists import LONGEST, read_rows
from consentry_client.command_line.outcomes import Stop

KINDS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".mp4", ".m4v", ".mov", ".webm", ".mkv"})
SEPARATOR = "__"


@dataclass(frozen=True)
class Chosen:
    """A file and whom it is about; ``why_not`` says why it is not sent.

    ``name`` is what it is called in the folder, or in the map: ``day1/P-001.jpg`` and ``day2/P-001.jpg``.
    """

    path: Path
    name: str
    subject: str = ""
    why_not: str = ""


def by_name(folder: Path) -> list[Chosen]:
    """Every file of the folder, its reference taken from its name."""
    return [named(path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def named(path: Path) -> Chosen:
    """A file by its name."""
    if path.is_dir():
        return Chosen(path, path.name, why_not="a folder; give it to the command by itself")
    if not path.is_file():
        return Chosen(path, path.name, why_not="not a file")
    if path.suffix.lower() not in KINDS:
        return Chosen(path, path.name, why_not="no photograph or film by its name")
    reference = path.stem.partition(SEPARATOR)[0].strip()
    if any("\ud800" <= each <= "\udfff" for each in reference):  # as Python reads what is no UTF-8
        return Chosen(path, path.name, why_not="its name is no text in UTF-8")
    if not 1 <= len(reference) <= LONGEST:
        return Chosen(
            path, path.name, why_not=f"its name does not begin with a reference of 1 to {LONGEST}"
        )
    return Chosen(path, path.name, reference)


def by_map(folder: Path, map_file: Path) -> list[Chosen]:
    """The files that a CSV map names; raises Stop for a map with a wrong line, before anything is sent."""
    found: dict[Path, Chosen] = {}
    for place, (name, subject) in read_rows(map_file, "file", "subject"):
        chosen = mapped(folder, name, subject, place)
        if chosen.path in found:
            raise Stop(f"{place}: this file stands in the map twice.")
        found[chosen.path] = chosen
    if not found:
        raise Stop(f"{map_file} names no file. Its first line must be: file,subject")
    left = [each for each in by_name(folder) if each.path not in found and each.subject]
    return [
        *found.values(),
        *(replace(each, subject="", why_not="not in the map") for each in left),
    ]


def mapped(folder: Path, name: str, subject: str, place: str) -> Chosen:
    """One line of the map; raises Stop unless it names a file in the folder and a reference."""
    if not name or not 1 <= len(subject) <= LONGEST:
        raise Stop(f"{place}: needs a file and a subject of 1 to {LONGEST} characters.")
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise Stop(f"{place}: there is no such file in the folder.")
    return Chosen(path, name, subject)
