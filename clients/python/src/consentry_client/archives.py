"""Exports: the results of many people in one archive."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from consentry_client.asking import Id, as_json, ask, ask_page, moment, one
from consentry_client.errors import ConnectionFailed
from consentry_client.flow import Flow, Request
from consentry_client.measuring import SeriesFormat
from consentry_client.models import AccessReason, Export, Order
from consentry_client.whole_files import replacing

CONTENTS = "index.csv"


def exports(page: str, *, order: Order = "newest") -> Flow[tuple[tuple[Export, ...], str | None]]:
    """Your exports that are not over."""
    return ask_page(Export, page, "exports/", {"order": order})


def export(id: Id) -> Flow[Export]:
    """What was asked for, and what the last fetch gave."""
    return ask(Export, Request("GET", f"exports/{one(id)}/"))


def request_export(
    *,
    reason: AccessReason,
    format: SeriesFormat = "json",
    categories: Sequence[str] | None = None,
    subjects: Sequence[Id] | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Flow[Export]:
    """Ask for the results of many people. Nothing is opened before it is fetched."""
    given: dict[str, Any] = {
        "format": format,
        "categories": None if categories is None else list(categories),
        "subjects": None if subjects is None else [one(each) for each in subjects],
        "created_after": moment(created_after),
        "created_before": moment(created_before),
    }
    body = as_json({name: value for name, value in given.items() if value is not None})
    headers = {"access-reason": reason}
    return ask(
        Export, Request("POST", "exports/", headers=headers, body=body, safe_to_repeat=False)
    )


def fetch_export(
    id: Id, path: Path | str, *, progress: Callable[[int], object] = lambda _: None
) -> Flow[Path]:
    """Fetch the archive into a file that only you can read, there as a whole or not at all.

    Raises ConnectionFailed for one that broke off, also where a proxy made a whole answer of it. Each
    result in it is an entry that its person sees, so nothing is fetched twice by itself. ``progress``
    is called with the bytes that came; how many there will be nobody knows beforehand.
    """
    target = Path(path)
    with replacing(target) as file:
        yield Request(
            "GET",
            f"exports/{one(id)}/content/",
            headers={"accept": "application/zip"},
            safe_to_repeat=False,
            sink=from_the_beginning(file, progress),
        )
        require_whole(file)
    return target


def require_whole(file: BinaryIO) -> None:
    """Raise ConnectionFailed unless an archive has its list of contents, which is sent last."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # the last for an unknown version
        names = []
    if CONTENTS not in names:
        raise ConnectionFailed("The archive broke off on its way.")


def from_the_beginning(
    file: BinaryIO, progress: Callable[[int], object]
) -> Callable[[], Callable[[bytes], object]]:
    """What takes the bytes of each try anew."""

    def start() -> Callable[[bytes], object]:
        file.seek(0)
        file.truncate()
        return take

    def take(piece: bytes) -> None:
        file.write(piece)
        progress(file.tell())

    return start


def delete_export(id: Id) -> Flow[None]:
    """Give an export up before its time."""
    yield Request("DELETE", f"exports/{one(id)}/", safe_to_repeat=False)
