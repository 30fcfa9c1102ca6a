"""Looking for markers wherever bytes may lie: plain, encoded, inside what is compressed, in pictures."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.faults.pixels import pictures, shows, stretches

BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
HEX_RUN = re.compile(rb"(?:[0-9A-Fa-f]{2}){24,}")
# The two bytes at which zlib and gzip streams begin.
STREAMS = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b")
DEPTH = 3
MOST = 8_000_000  # bytes that one compressed stream may give


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
    """The bytes, and what is inside them: zlib, gzip, base64 and hexadecimal, inside each other too."""
    yield data
    if depth:
        for inner in (*inflated(data), *decoded(data)):
            yield from unpacked(inner, depth - 1)


def inflated(data: bytes) -> Iterator[bytes]:
    """What is compressed in these bytes."""
    for found in STREAMS.finditer(data):
        opener = zlib.decompressobj(wbits=47)  # zlib or gzip, as the bytes say
        try:
            inner = opener.decompress(data[found.start() : found.start() + MOST // 2], MOST)
        except zlib.error:
            continue
        if len(inner) >= 8:
            yield inner


def decoded(data: bytes) -> Iterator[bytes]:
    """What is written as text in these bytes."""
    for found in HEX_RUN.finditer(data):
        yield bytes.fromhex(found[0].decode())
    for found in BASE64_RUN.finditer(data):
        run = found[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield base64.b64decode(run + b"=" * (-len(run) % 4))
        except binascii.Error:
            continue


@dataclass
class Pixels:
    """A photograph that carries a pattern: how to know it again, as a picture and as an array."""

    seed: int
    photo: bytes
    exact: set[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.exact = stretches(self.photo)

    def in_bytes(self, data: bytes) -> set[str]:
        """The forms in which these bytes hold some of it."""
        found = {"its pixels, as an array" for each in self.exact if each in data}
        if any(shows(picture, self.seed) for picture in pictures(data)):
            found.add("its pixels, as a picture")
        return found


@dataclass
class Search:
    """Markers by name, to be looked for; ``seen`` counts the bytes that were looked into."""

    markers: dict[str, bytes]
    pixels: Pixels | None = None
    forms: dict[str, set[bytes]] = field(init=False)
    seen: int = 0
    known: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert all(len(marker) >= 12 for marker in self.markers.values()), "too short to be unique"
        self.forms = {name: encodings(marker) for name, marker in self.markers.items()}

    def names_in(self, data: bytes) -> set[str]:
        """Which markers are in these bytes, in any form."""
        self.seen += len(data)
        same = hash(data)  # what was looked into and has not changed is not looked into again
        if same not in self.known:
            self.known[same] = set().union(*map(self.in_view, unpacked(data)))
        return self.known[same]

    def in_view(self, view: bytes) -> set[str]:
        """Which markers stand in these bytes as they are."""
        found = {name for name, forms in self.forms.items() if any(form in view for form in forms)}
        return found | (self.pixels.in_bytes(view) if self.pixels else set())

    def in_places(self, places: Iterable[tuple[str, bytes]]) -> list[str]:
        """One line for each marker found: what, where."""
        return [f"{name} in {where}" for where, data in places for name in self.names_in(data)]
