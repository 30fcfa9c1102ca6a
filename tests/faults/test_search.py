"""The search itself: it must find its marker in a deliberately plain control, in every form and place."""

from __future__ import annotations

import base64
import gzip
import os
import secrets
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from celery import current_app
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache

from tests.broker import wipe
from tests.cast import PHOTO
from tests.faults.canary import Pixels, Search
from tests.faults.pixels import pictures, shows
from tests.faults.places import everywhere, files_below, processes
from tests.faults.walk import marked_photo
from tests.processes import make_broker_folders, wait_for

SEED = 20_261_127
JUNK = bytes(range(1, 200))


def test_a_text_is_found_in_every_form(tmp_path: Path) -> None:
    marker = f"control-{secrets.token_hex(8)}"
    plain = marker.encode()
    padded = b"some text before " + plain + b" and after"
    forms = {
        "plain": padded,
        "base64": base64.b64encode(padded),
        "base64, urlsafe, shifted": base64.urlsafe_b64encode(b"x" + padded),
        "hex": padded.hex().encode(),
        "utf-16": padded.decode().encode("utf-16"),
        "zlib": b"junk" + zlib.compress(padded * 3),
        "gzip": gzip.compress(padded * 3),
        "base64 of zlib": b"session=." + base64.urlsafe_b64encode(zlib.compress(padded * 3)),
        "hex of gzip": b"\\x" + gzip.compress(padded * 3).hex().encode(),
    }
    search = Search({"marker": plain})
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
    found = search.in_places(files_below(tmp_path))
    assert len(found) == len(forms), found
    assert not Search({"other": b"control-of-nobody-1"}).in_places(files_below(tmp_path))


def encoded(suffix: str, picture: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, picture, options)
    assert done
    return data.tobytes()


def smaller(picture: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


Make = Callable[[np.ndarray], bytes]
GREY = cv2.COLOR_BGR2GRAY
PICTURES: dict[str, Make] = {
    "JPEG behind other bytes": lambda image: JUNK + encoded(".jpg", image) + JUNK,
    "JPEG thumbnail": lambda image: encoded(
        ".jpg", smaller(image, 128), cv2.IMWRITE_JPEG_QUALITY, 75
    ),
    "JPEG, odd size": lambda image: encoded(".jpg", smaller(image, 301)),
    "WebP": lambda image: encoded(".webp", image, cv2.IMWRITE_WEBP_QUALITY, 80),
    "GIF": lambda image: encoded(".gif", image),
    "BMP of the face alone": lambda image: encoded(".bmp", image[40:240, 120:320]),
    "grey PNG": lambda image: encoded(".png", cv2.cvtColor(image, GREY)),
    "PNG in a data URI": lambda image: (
        b'<img src="data:image/png;base64,'
        + base64.b64encode(encoded(".png", smaller(image, 256)))
        + b'">'
    ),
    "JPEG in gzip": lambda image: gzip.compress(encoded(".jpg", image)),
    "BMP in zlib": lambda image: JUNK + zlib.compress(encoded(".bmp", image)),
    "JPEG in hex": lambda image: b"'\\x" + encoded(".jpg", image).hex().encode() + b"'",
}
ARRAYS: dict[str, Make] = {
    "BGR": lambda image: image.tobytes(),
    "RGB": lambda image: image[..., ::-1].tobytes(),
    "grey": lambda image: cv2.cvtColor(image, GREY).tobytes(),
    "planar": lambda image: image.transpose(2, 0, 1).tobytes(),
    "float32, 0 to 255": lambda image: image[..., ::-1].astype(np.float32).tobytes(),
    "float32, 0 to 1": lambda image: (image.astype(np.float32) / 255).tobytes(),
    "float32, planar": lambda image: (image.astype(np.float32) / 255).transpose(2, 0, 1).tobytes(),
    "BGR in zlib": lambda image: zlib.compress(image.tobytes()),
}


@pytest.fixture(scope="module")
def marked() -> Pixels:
    return Pixels(SEED, marked_photo(b"EXIF", SEED))


def photograph(photo: bytes) -> np.ndarray:
    found = next(pictures(photo))
    assert found.shape == (512, 512, 3)
    return found


def test_pixels_are_found_in_every_form(tmp_path: Path, marked: Pixels) -> None:
    image = photograph(marked.photo)
    for name, make in (PICTURES | ARRAYS).items():
        (tmp_path / name).write_bytes(make(image))
    search = Search({}, marked)
    found = search.in_places(files_below(tmp_path))
    lost = [name for name in PICTURES | ARRAYS if not any(name in line for line in found)]
    assert not lost, lost


def test_pixels_are_not_found_where_they_are_not(tmp_path: Path, marked: Pixels) -> None:
    plain = photograph(PHOTO.read_bytes())
    for name, make in (PICTURES | ARRAYS).items():
        (tmp_path / name).write_bytes(make(plain))
    (tmp_path / "noise").write_bytes(secrets.token_bytes(1_000_000))
    assert not Search({}, marked).in_places(files_below(tmp_path))
    assert shows(photograph(marked.photo), SEED)
    assert not any(shows(photograph(marked.photo), SEED + other) for other in range(1, 6))


@pytest.mark.processes
@pytest.mark.usefixtures("fresh_db")
def test_the_search_looks_into_every_place(tmp_path: Path, marked: Pixels) -> None:
    marker = f"control-{secrets.token_hex(8)}"
    search, small = Search({"marker": marker.encode()}, marked), tmp_path / "files"
    thumbnail = PICTURES["JPEG thumbnail"](photograph(marked.photo))
    small.mkdir()

    def lines() -> str:
        return "\n".join(search.in_places(everywhere(small)))

    assert not lines()
    session = SessionStore()
    session["who"] = marker  # Django compresses and encodes a session's row
    session["face"] = base64.b64encode(thumbnail).decode()
    session.save()
    cache.set("somebody", {"who": marker, "face": thumbnail})
    make_broker_folders()
    current_app.send_task("emotion.analyse", [marker])
    found = lines()
    wipe()
    for place in ("table django_session", "table django_cache"):
        assert f"marker in the {place}" in found
        assert f"as a picture in the {place}" in found
    assert "marker in a waiting message" in found


def test_the_search_looks_at_processes(marked: Pixels) -> None:
    marker = f"control-{secrets.token_hex(8)}"
    face = base64.b64encode(PICTURES["JPEG thumbnail"](photograph(marked.photo))).decode()
    search = Search({"marker": marker.encode()}, marked)
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", f"data:image/jpeg,{face}"]
    given = os.environ | {"SOMEBODY": marker}
    with subprocess.Popen(sleeper, stdin=subprocess.PIPE, env=given) as child:
        expected = {
            f"marker in /proc/{child.pid}/environ",
            f"its pixels, as a picture in /proc/{child.pid}/cmdline",
        }
        wait_for(lambda: expected <= set(search.in_places(processes())), 20, "both")
