"""Looking for markers wherever bytes may lie: plain, encoded, and inside what is compressed."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from django.db import connections

from tests.databases import is_sqlite

BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
# The two bytes at which zlib and gzip streams begin.
STREAMS = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b")
DEPTH = 3


def encodings(marker: bytes) -> set[bytes]:
    """The forms in which a marker may lie in a file that is not compressed."""
    forms = {marker, marker.lower(), marker.upper(), marker[::-1]}
    forms |= {marker.hex().encode(), marker.hex().upper().encode()}
    forms.add(" ".join(f"{byte:02x}" for byte in marker).encode())
    for shift in range(3):  # wherever it stands in a longer text
        coded = base64.b64encode(b"\0" * shift + marker).rstrip(b"=")
        inner = coded[4 * (shift > 0) : -2]  # without what depends on the neighbours
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    try:
        text = marker.decode()
    except UnicodeDecodeError:
        return forms
    forms |= {text.encode("utf-16-le"), text.encode("utf-16-be"), quote(text, safe="").encode()}
    return forms


def unpacked(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """The bytes, and what is inside them: zlib and gzip streams and base64, inside each other too."""
    yield data
    if not depth:
        return
    for found in STREAMS.finditer(data):
        opener = zlib.decompressobj(wbits=47)  # zlib or gzip, as the bytes say
        try:
            inner = opener.decompress(data[found.start() : found.start() + 4_000_000], 8_000_000)
        except zlib.error:
            continue
        if len(inner) >= 8:
            yield from unpacked(inner, depth - 1)
    for found in BASE64_RUN.finditer(data):
        run = found[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield from unpacked(base64.b64decode(run + b"=" * (-len(run) % 4)), depth - 1)
        except binascii.Error:
            continue


@dataclass
class Search:
    """Markers by name, to be looked for; ``seen`` counts what was looked into."""

    markers: dict[str, bytes]
    forms: dict[str, set[bytes]] = field(init=False)
    seen: int = 0

    def __post_init__(self) -> None:
        assert all(len(marker) >= 12 for marker in self.markers.values()), "too short to be unique"
        self.forms = {name: encodings(marker) for name, marker in self.markers.items()}

    def names_in(self, data: bytes) -> set[str]:
        """Which markers are in these bytes, in any form."""
        self.seen += len(data)
        found = set()
        for view in unpacked(data):
            for name, forms in self.forms.items():
                if name not in found and any(form in view for form in forms):
                    found.add(name)
        return found

    def in_places(self, places: Iterable[tuple[str, bytes]]) -> list[str]:
        """One line for each marker found: what, where."""
        return [f"{name} in {where}" for where, data in places for name in self.names_in(data)]


def files_below(*folders: Path, without: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file below these folders, WAL and temporary files included."""
    left_out = [path.resolve() for path in without]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if any(path.resolve().is_relative_to(each) for each in left_out):
                continue
            try:
                if path.is_file():
                    yield str(path), path.read_bytes()
            except FileNotFoundError:  # a message or a WAL that was just taken
                continue


def database_dumps() -> Iterator[tuple[str, bytes]]:
    """Both databases as text, where they are not files that ``files_below`` finds."""
    if is_sqlite():
        return
    for alias in ("default", "keystore"):
        given = connections[alias].settings_dict
        command = ["pg_dump", "--inserts", "-h", given["HOST"], "-p", str(given["PORT"] or 5432)]
        command += ["-U", given["USER"], given["NAME"]]
        dump = subprocess.run(
            ["/usr/bin/env", f"PGPASSWORD={given['PASSWORD']}", *command],
            check=True, capture_output=True,
        )  # fmt: skip
        # pg_dump writes bytea as hex: once as it is, once as the bytes
        yield alias, dump.stdout
        for run in re.findall(rb"\\x([0-9a-f]{16,})", dump.stdout):
            yield f"{alias}, a binary column", bytes.fromhex(run.decode())


def process_arguments() -> Iterator[tuple[str, bytes]]:
    """The command line of every process that may be looked at."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield str(path), path.read_bytes()
        except OSError:  # it has just ended, or is somebody else's
            continue
