"""What is no photograph, sent as one: a stable code, nothing left behind, and the next one works."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np

from audit_log.actions import Action
from audit_log.models import PendingEntry
from emotion.inference.media import MediaCode
from tests.cast import PHOTO, consenting, open_study, upload
from tests.faults.leftovers import NOTHING, living_keys, rows, sealed_files

GOOD = PHOTO.read_bytes()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG with this header and this compressed image data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def bomb() -> bytes:
    """30,000 by 30,000 pixels: 2.7 GB of zeros in 2.6 MB."""
    squeezer = zlib.compressobj(9)
    row = bytes(1 + 3 * 30_000)
    data = b"".join(squeezer.compress(row * 100) for _hundred in range(300))
    return png(30_000, 30_000, data + squeezer.flush())


def encoded(suffix: str, picture: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


def animated_png() -> bytes:
    still = encoded(".png", np.zeros((64, 64, 3), np.uint8))
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    return still[:33] + control + still[33:]


def animated_webp() -> bytes:
    head = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\x3f\0\0" * 2
    body = b"WEBP" + head + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def cmyk_jpeg() -> bytes:
    """The photograph with a frame header that claims four components."""
    start = next(
        at for at in range(2, len(GOOD)) if GOOD[at : at + 2] in {b"\xff\xc0", b"\xff\xc2"}
    )
    length = int.from_bytes(GOOD[start + 2 : start + 4], "big")
    frame = GOOD[start + 4 : start + 2 + length]
    four = frame[:5] + b"\x04" + frame[6:] + b"\x04\x11\x00"
    head = GOOD[start : start + 2] + struct.pack(">H", len(four) + 2) + four
    return GOOD[:start] + head + GOOD[start + 2 + length :]


def html_in_a_comment() -> bytes:
    """A photograph that a browser which guesses might take for a page: HTML in a JPEG comment."""
    comment = HTML + b"<!--"
    return GOOD[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + GOOD[2:]


def gif_and_script() -> bytes:
    """A GIF whose size is the beginning of a comment, and whose end is a script."""
    return b"GIF89a/*" + bytes(60) + b"*/=1;alert(1);"


HTML = b"<html><body><script>alert('polyglot-77')</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
TYPE, CUT = MediaCode.TYPE_NOT_SUPPORTED, MediaCode.TRUNCATED
FILES: dict[str, tuple[Callable[[], bytes], int, set[MediaCode]]] = {
    "truncated": (lambda: GOOD[: len(GOOD) // 2], 422, {CUT}),
    "only the first bytes": (lambda: GOOD[:11], 422, {CUT, MediaCode.UNREADABLE}),
    "zero bytes": (lambda: b"", 422, {MediaCode.EMPTY}),
    "only zeros": (lambda: bytes(50_000), 415, {TYPE}),
    "wrong magic": (lambda: b"GIF89a" + GOOD[6:], 415, {TYPE}),
    "a bomb": (bomb, 413, {MediaCode.TOO_MANY_PIXELS}),
    "a PDF behind it": (lambda: GOOD + b"%PDF-1.7\n" + bytes(100), 422, {MediaCode.TRAILING_DATA}),
    "a ZIP behind it": (lambda: GOOD + b"PK\x03\x04" + bytes(90_000), 422,
                        {MediaCode.TRAILING_DATA}),
    "animated PNG": (animated_png, 422, {MediaCode.ANIMATED}),
    "animated WebP": (animated_webp, 422, {MediaCode.ANIMATED}),
    "CMYK": (cmyk_jpeg, 422, {MediaCode.COLOUR_NOT_SUPPORTED}),
    "16 bit": (lambda: encoded(".png", np.zeros((64, 64, 3), np.uint16)), 422,
               {MediaCode.COLOUR_NOT_SUPPORTED}),
    "1 by 1": (lambda: encoded(".png", np.zeros((1, 1, 3), np.uint8)), 422, {MediaCode.TOO_SMALL}),
    "SVG": (lambda: SVG, 415, {TYPE}),
    "GIF and script": (gif_and_script, 415, {TYPE}),
    "HTML before it": (lambda: HTML + GOOD, 415, {TYPE}),
    "HTML behind it": (lambda: GOOD + HTML, 422, {MediaCode.TRAILING_DATA}),
    "a sound in WebP's clothes": (lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(60), 415, {TYPE}),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic" + bytes(90), 415, {TYPE}),
    "HTML named .jpg": (lambda: b"<!doctype html><script>alert(1)</script>", 415, {TYPE}),
    "rubbish after a good head": (lambda: GOOD[:600] + bytes(40_000), 422,
                                  {CUT, MediaCode.UNREADABLE}),
}  # fmt: skip


def test_each_is_refused_by_its_code_and_leaves_nothing(fresh_db: None) -> None:
    study = open_study()
    person = consenting(study)
    key, before = study.key(), sealed_files()
    for name, (make, status, codes) in FILES.items():
        answer = upload(key, "P-001", study.purpose.id, make(), f"key of {name}")
        body = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json", name
        assert (answer.status_code, body["code"] in codes) == (status, True), (name, body)
        assert rows() == NOTHING, name
        assert sealed_files() == before, name
        assert not living_keys(person.subject), name
        assert body["detail"], name
    # the same key is free again, and so is everything else
    good = upload(key, "P-001", study.purpose.id, GOOD, "key of a bomb")
    assert good.status_code == 202, good.content
    assert rows() == NOTHING | {"Upload": 1, "Recording": 1, "Analysis": 1}
    assert len(sealed_files() - before) == len(living_keys(person.subject)) == 1
    entries = [bytes(entry.body) for entry in PendingEntry.objects.all()]
    assert len([body for body in entries if Action.MEDIA_UPLOAD.encode() in body]) == 1
