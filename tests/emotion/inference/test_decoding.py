"""What comes out of the decoding child: the right pixels, from a process that can do nothing else."""

from __future__ import annotations

import os
import signal
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion.inference import media
from emotion.inference.faces import find_faces
from emotion.inference.media import (
    DecoderKilled,
    MediaCode,
    MediaRefused,
    PhotoProbe,
    decode_photo,
)
from tests.emotion.inference.decoders import liar, told
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


LIMITED = (
    "from emotion.inference.fork_server import limit_before_reading\nlimit_before_reading(20, 25)\n"
)


def attempted(folder: Path, code: str) -> str:
    """What becomes of lines that a child runs."""
    lines = textwrap.indent(code, "    ")
    return told(
        liar(
            folder,
            f"try:\n{lines}\n    print('done')\nexcept Exception as error: print(repr(error))",
        )
    )


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname')",
        "import socket; socket.socket()",
        "os.close(0); open('/etc/hostname')",
        "os.pipe()",
    ],
)
def test_child_can_open_nothing(attempt: str, tmp_path: Path) -> None:
    Path(tmp_path, "free").mkdir()
    assert attempted(tmp_path / "free", attempt) == "done\n", "it must work without the limit"
    assert "Too many open files" in attempted(tmp_path, f"import socket\n{LIMITED}{attempt}")


def test_child_can_write_no_file_and_take_no_more_memory(tmp_path: Path) -> None:
    target = tmp_path / "left"
    write = f"with open({str(target)!r}, 'w') as file: file.write('x')"
    assert "File too large" in attempted(tmp_path, write)
    assert target.read_bytes() == b""
    Path(tmp_path, "large").mkdir()
    assert "MemoryError" in attempted(tmp_path / "large", "bytearray(3 * 1024**3)")


def test_child_sees_no_environment_and_no_framework(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENTRY_TEST_SECRET", "1")
    looking = tmp_path / "looking.py"
    looking.write_text(
        "import os, sys\nfrom emotion.inference import decode_child\nload = decode_child.load\n"
        "def main():\n"
        "    print(*os.environ, open('/proc/self/environ').read(), *sys.modules)\n"
        "    sys.stdout.flush()\n    os._exit(0)\n"
    )
    seen = told(looking)
    assert "SECRET" not in seen
    assert "emotion.inference.photo_formats" in seen
    for framework in ("django", "celery", "rest_framework", "onnxruntime"):
        assert framework not in seen


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGSEGV, MediaCode.UNREADABLE), (signal.SIGXCPU, MediaCode.TIMEOUT)],
)
def test_death_of_the_child_is_a_refusal(sent: signal.Signals, code: MediaCode) -> None:
    probe = PhotoProbe.start(10**7)
    probe.feed(astronaut()[:1000])
    os.kill(probe.child.process.pid, sent)
    with pytest.raises(MediaRefused) as refused:
        probe.finish()
    assert refused.value.code is code
    probe.close()


def test_a_child_that_the_machine_killed_says_nothing_of_the_photograph() -> None:
    probe = PhotoProbe.start(10**7)
    probe.feed(astronaut()[:1000])
    os.kill(probe.child.process.pid, signal.SIGKILL)
    with pytest.raises(DecoderKilled):
        probe.finish()


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
    lying = liar(tmp_path, f"sys.stdin.buffer.read()\nsys.stdout.buffer.write({lie!r})")
    monkeypatch.setattr(media, "CHILD", lying)
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
