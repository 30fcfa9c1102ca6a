"""What comes out of the decoding child: the right pixels, from a process that can do nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion.inference import media
from emotion.inference.children import packages_folder
from emotion.inference.faces import find_faces
from emotion.inference.media import (
    CHILD,
    DecodingChild,
    MediaCode,
    MediaRefused,
    PhotoProbe,
    decode_photo,
)
from tests.emotion.inference.photographs import (
    astronaut,
    encode,
    pixels,
    png_chunk,
    riff,
    stored_as,
    with_orientation,
)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in steps of 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_shows_the_same_upright_face(orientation: int) -> None:
    upright = pixels()[:400]
    photo = with_orientation(encode(stored_as(upright, orientation), ".jpg"), orientation)
    decoded = decode_photo(photo)
    assert difference(decoded, upright) < 4
    probe = PhotoProbe.start(10**7)
    probe.feed(photo)
    facts = probe.finish()
    assert (facts.width, facts.height) == (512, 400)
    (face,) = find_faces(decoded)
    assert abs(face.points[0] - [206, 114]).max() < 12, "the right eye is not where it was"


def test_orientation_in_png_and_webp_is_honoured() -> None:
    upright = pixels()[:400]
    turned = stored_as(upright, 6)
    exif = with_orientation(b"\xff\xd8", 6)[12:]
    lossless = encode(turned, ".png")
    picture = encode(turned, ".webp")[12:]
    extended = b"\x08\0\0\0" + (399).to_bytes(3, "little") + (511).to_bytes(3, "little")
    length = int.from_bytes(picture[4:8], "little")
    webp = riff((b"VP8X", extended), (picture[:4], picture[8 : 8 + length]), (b"EXIF", exif))
    assert (
        difference(decode_photo(lossless[:33] + png_chunk(b"eXIf", exif) + lossless[33:]), upright)
        == 0
    )
    assert difference(decode_photo(webp), upright) < 6


def test_grey_palette_and_transparent_pictures_become_rgb() -> None:
    grey = cv2.cvtColor(pixels(), cv2.COLOR_RGB2GRAY)
    assert difference(decode_photo(encode(grey, ".png")), np.repeat(grey[..., None], 3, 2)) == 0
    done, body = cv2.imencode(".png", cv2.cvtColor(pixels(), cv2.COLOR_RGB2BGRA))
    assert done
    assert difference(decode_photo(body.tobytes()), pixels()) == 0


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_large_photograph_comes_reduced(extension: str) -> None:
    large = cv2.resize(pixels(), (4800, 2400))
    decoded = decode_photo(encode(large, extension))
    assert decoded.shape == (1200, 2400, 3)
    assert difference(decoded, cv2.resize(pixels(), (2400, 1200))) < 3


def run_limited(code: str) -> subprocess.CompletedProcess[str]:
    """Run lines in an interpreter that has put the child's limits on itself."""
    limits = "import decode_child\ndecode_child.limit_before_loading()\n"
    program = f"import sys, os, socket\nsys.path.append({str(CHILD.parent)!r})\n{limits}{code}"
    command = [sys.executable, "-I", "-S", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname')",
        "socket.socket()",
        "os.close(0); open('/etc/hostname')",
        "os.pipe()",
    ],
)
def test_child_can_open_nothing(attempt: str) -> None:
    assert run_limited(attempt).returncode == 0, "the attempt must work without the limit"
    ended = run_limited(f"decode_child.limit_before_reading()\n{attempt}")
    assert "Too many open files" in ended.stderr


def test_child_can_write_no_file_and_take_no_more_memory(tmp_path: Path) -> None:
    target = tmp_path / "left"
    run_limited(f"open({str(target)!r}, 'w').write('x')")
    assert not target.exists() or target.read_bytes() == b""
    assert "MemoryError" in run_limited("bytearray(3 * 1024**3)").stderr


def test_child_sees_no_environment_and_no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_TEST_SECRET", "1")
    child = DecodingChild("probe", 1000)
    try:
        child.send(b"\xff")
        seen = Path(f"/proc/{child.process.pid}/environ").read_bytes()
    finally:
        child.close()
    assert b"SECRET" not in seen
    timed = [sys.executable, "-X", "importtime", "-I", "-S", str(CHILD)]
    ended = subprocess.run(
        [*timed, "probe", "1000", packages_folder()], input=b"", capture_output=True, check=False
    )
    assert b"photo_formats" in ended.stderr
    for framework in (b"django", b"celery", b"rest_framework", b"onnxruntime"):
        assert framework not in ended.stderr


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGKILL, MediaCode.UNREADABLE), (signal.SIGXCPU, MediaCode.TIMEOUT)],
)
def test_death_of_the_child_is_a_refusal(sent: signal.Signals, code: MediaCode) -> None:
    probe = PhotoProbe.start(10**7)
    probe.feed(astronaut()[:1000])
    os.kill(probe.child.process.pid, sent)
    with pytest.raises(MediaRefused) as refused:
        probe.finish()
    assert refused.value.code is code
    probe.close()


def test_hanging_child_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "SECONDS", 0.5)
    probe = PhotoProbe.start(10**7)
    os.kill(probe.child.process.pid, signal.SIGSTOP)
    with pytest.raises(MediaRefused) as while_feeding:
        probe.feed(bytes(10**6))
    with pytest.raises(MediaRefused) as at_the_end:
        probe.finish()
    assert while_feeding.value.code is at_the_end.value.code is MediaCode.TIMEOUT
    assert probe.child.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"no json\n",
        b"[]\n",
        b"x" * 10_000,
        b'{"code": "made-up", "message": "x"}\n',
        b'{"media_type": "text/html", "width": 100, "height": 100, "rows": 9, "columns": 9}\n',
        b'{"media_type": "image/png", "width": 8192, "height": 8192, "rows": 9, "columns": 9}\n',
        b'{"media_type": "image/png", "width": 9, "height": 9, "rows": 8192, "columns": 8192}\n',
        b'{"media_type": "image/png", "width": 9, "height": 9, "rows": -1, "columns": 9}\n',
        b'{"media_type": "image/png", "width": 9, "height": 9, "rows": true, "columns": 9}\n',
        b'{"media_type": "image/png", "width": 9, "height": 9, "rows": 9, "columns": 9}\nfew',
    ],
)
def test_child_that_was_taken_over_is_not_believed(
    lie: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"import sys\nsys.stdin.buffer.read()\nsys.stdout.buffer.write({lie!r})\n")
    monkeypatch.setattr(media, "CHILD", liar)
    with pytest.raises(MediaRefused) as refused:
        decode_photo(astronaut())
    assert refused.value.code is MediaCode.UNREADABLE


def test_close_is_safe_at_any_time_and_leaves_no_process() -> None:
    probe = PhotoProbe.start(10**7)
    probe.feed(astronaut()[:100])
    probe.close()
    probe.close()
    assert probe.child.process.returncode is not None
    with pytest.raises(MediaRefused):
        probe.finish()
