"""The wall around the decoder of films: what the child can do, and what its parent believes."""

from __future__ import annotations

import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import deque
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from emotion.inference import film_messages as messages
from emotion.inference import film_process, films
from emotion.inference.film_formats import CPU_SECONDS_AT_FIRST, CPU_SECONDS_MAX
from emotion.inference.films import Film, Frame, open_film
from emotion.inference.fork_server import MEMORY
from emotion.inference.media import DecoderKilled, MediaCode, MediaRefused
from tests.emotion.inference.decoders import liar
from tests.emotion.inference.film_making import Recipe, film, numbered, plain, run, samples

SAID = messages.HEADER.pack


def process(opened: Film) -> Path:
    return Path(f"/proc/{opened.child.process.pid}")


def limits_of(opened: Film) -> dict[str, list[str]]:
    lines = (process(opened) / "limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:].split() for line in lines}


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_child_can_open_nothing_and_is_alone(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_TEST_SECRET", "1")
    with open_film(io.BytesIO(plain("matroska", codec)), rate=None) as opened:
        next(iter(opened))
        allowed = limits_of(opened)
        assert allowed["Max open files"][:2] == allowed["Max processes"][:2] == ["0", "0"]
        assert allowed["Max file size"][:2] == allowed["Max core file size"][:2] == ["0", "0"]
        assert allowed["Max address space"][0] == str(MEMORY)
        open_files = {str(path.readlink()) for path in (process(opened) / "fd").iterdir()}
        pipes = {name for name in open_files if name.startswith("pipe:")}
        assert open_files - pipes == {"/dev/null", "/memfd:film (deleted)"}
        assert len(pipes) == 2
        assert len(list((process(opened) / "task").iterdir())) == 1, "a thread beside the decoder"
        assert b"SECRET" not in (process(opened) / "environ").read_bytes()
        loaded = (process(opened) / "maps").read_text()
        assert "av.libs" in loaded
        assert "onnxruntime" not in loaded


def test_child_ends_with_the_block_and_with_its_parent() -> None:
    with open_film(io.BytesIO(plain()), rate=None) as opened:
        next(iter(opened))
    assert opened.child.process.returncode == -signal.SIGKILL
    program = (
        "import io, sys, time\nfrom emotion.inference.films import open_film\n"
        "with open_film(io.BytesIO(sys.stdin.buffer.read()), rate=None) as opened:\n"
        "    next(iter(opened))\n    print(opened.child.process.pid, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin as given, parent.stdout as told:
        given.write(film(Recipe(count=200)))
        given.close()
        child = Path(f"/proc/{int(told.readline())}")
        assert child.exists()
        parent.kill()
        parent.wait()
    for _ in range(50):
        if not child.exists() or "\nState:\tZ" in (child / "status").read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGSEGV, MediaCode.UNREADABLE), (signal.SIGXCPU, MediaCode.TIMEOUT)],
)
def test_death_of_the_child_is_a_refusal(sent: signal.Signals, code: MediaCode) -> None:
    with pytest.raises(MediaRefused) as refused:
        read_until_it_dies(sent)
    assert refused.value.code is code


def read_until_it_dies(sent: signal.Signals) -> None:
    with open_film(io.BytesIO(film(Recipe(count=200))), rate=None) as opened:
        for frame in opened:
            if frame.index == 3:
                os.kill(opened.child.process.pid, sent)


def test_a_child_that_the_machine_killed_says_nothing_of_the_film() -> None:
    with pytest.raises(DecoderKilled):
        read_until_it_dies(signal.SIGKILL)


def test_processor_time_ends_by_the_signal_that_says_so() -> None:
    """Where both limits are one, the kernel sends SIGKILL."""
    with open_film(io.BytesIO(plain()), rate=None) as opened:
        opened.child.grant(CPU_SECONDS_MAX + 60)
        assert limits_of(opened)["Max cpu time"][:2] == [
            str(CPU_SECONDS_MAX - 1),
            str(CPU_SECONDS_MAX),
        ]


def test_hanging_child_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "SECONDS", 1.0)
    with (
        pytest.raises(MediaRefused) as refused,
        open_film(io.BytesIO(film(Recipe(count=200))), rate=None) as opened,
    ):
        os.kill(opened.child.process.pid, signal.SIGSTOP)
        list(opened)
    assert refused.value.code is MediaCode.TIMEOUT
    assert opened.child.process.returncode == -signal.SIGKILL


def test_processor_time_is_granted_by_the_length_of_the_film() -> None:
    stamps = tuple(range(0, 120_000, 10_000))
    data = film(Recipe(stamps=stamps, base=Fraction(1, 1000)))
    with open_film(io.BytesIO(data), rate=None) as opened:
        granted = []
        for frame in itertools.islice(opened, 7):  # the child cannot have ended: slots are few
            granted.append(int(limits_of(opened)["Max cpu time"][0]))
            assert granted[-1] <= films.SECONDS + films.SECONDS_PER_SECOND * frame.time + 1
    assert granted == sorted(granted)
    assert granted[0] == CPU_SECONDS_AT_FIRST
    assert granted[0] < granted[-1] < CPU_SECONDS_MAX


def test_child_loads_no_more_than_the_decoder() -> None:
    with open_film(io.BytesIO(plain()), rate=None) as opened:
        loaded = (process(opened) / "maps").read_text()
        list(opened)
    assert "libavcodec" in loaded
    assert "numpy" not in loaded
    assert "cv2" not in loaded


def facts(**changes: object) -> bytes:
    body = {"codec": "h264", "duration": 1.0, "frames_per_second": 25.0}
    body |= {"width": 320, "height": 240, "rows": 240, "columns": 320, "turn": 0} | changes
    return told(messages.FACTS, json.dumps(body).encode())


def told(kind: bytes, text: bytes) -> bytes:
    return SAID(kind, len(text), 0, 0, 0.0) + text


def picture(slot: int = 0, index: int = 0, seconds: float = 0.0) -> bytes:
    return SAID(messages.PICTURE, slot, index, 0, seconds)


LIES = {
    "nothing": b"",
    "babble": b"x" * 10_000,
    "no json": told(messages.FACTS, b"no json"),
    "a list": told(messages.FACTS, b"[]"),
    "facts without end": SAID(messages.FACTS, 1 << 31, 0, 0, 0.0) + b" " * 10_000,
    "a code of its own": told(messages.REFUSED, b'{"code": "made-up", "message": "x"}'),
    "a refusal without a code": told(messages.REFUSED, b"{}"),
    "another codec": facts(codec="mpeg4"),
    "no rows": facts(rows=0),
    "rows that are true": facts(rows=True),
    "rows beyond the slot": facts(rows=1281),
    "columns beyond the slot": facts(columns=100_000),
    "a turn that is none": facts(turn=8),
    "a turn backwards": facts(turn=-1),
    "a turn that is true": facts(turn=True),
    "a giant": facts(width=1 << 20),
    "a duration that is none": facts(duration=float("nan")),
    "a duration over the limit": facts(duration=1e9),
    "a rate of nothing": facts(frames_per_second=0.0),
    "facts twice": facts() + facts(),
    "a picture before the facts": picture() + facts(),
    "a slot that is none": facts() + picture(slot=messages.SLOTS),
    "a time before zero": facts() + picture(seconds=-2.0),
    "a time that is none": facts() + picture(seconds=float("nan")),
    "a time without end": facts() + picture(seconds=float("inf")),
    "time that stands": facts() + picture() + picture(index=1),
    "an index again": facts() + picture() + picture(seconds=1.0),
    "an index beyond the limit": facts() + picture(index=1 << 60),
    "bytes outside the film": facts() + SAID(messages.READ, 10, 1 << 40, 0, 0.0),
    "too many bytes at once": facts() + SAID(messages.READ, messages.PIECE + 1, 0, 0, 0.0),
    "no bytes": facts() + SAID(messages.READ, 0, 0, 0, 0.0),
    "an end before the facts": SAID(messages.END, 0, 0, 0, 0.0),
    "no end": facts() + picture(),
}


def lying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(film_process, "CHILD", liar(tmp_path, program))


@pytest.mark.parametrize("name", LIES)
def test_child_that_was_taken_over_is_not_believed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(tmp_path, monkeypatch, f"sys.stdout.buffer.write({LIES[name]!r})")
    with pytest.raises(MediaRefused) as refused:
        run(film(Recipe(count=100)))
    assert refused.value.code is MediaCode.UNREADABLE


def test_child_that_reads_without_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = SAID(messages.READ, 1000, 0, 0, 0.0)
    program = (
        f"while os.write(1, {asked!r}):\n    left = 1008\n"
        "    while left: left -= len(os.read(0, left))"
    )
    lying(tmp_path, monkeypatch, program)
    started = time.monotonic()
    with pytest.raises(MediaRefused) as refused:
        run(plain())
    assert refused.value.code is MediaCode.TIMEOUT
    assert time.monotonic() - started < films.SECONDS / 2, "by what it read, not by the clock"


def test_child_that_only_says_it_is_alive_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "SECONDS", 1.0)
    program = (
        f"sys.stdout.buffer.write({facts()!r})\nsys.stdout.flush()\nimport struct, time\n"
        "for n in range(1000):\n"
        "    os.write(1, struct.pack('<c3xIQQd', b'A', 0, n, 0, n * 1e-6))\n    time.sleep(0.05)\n"
    )
    lying(tmp_path, monkeypatch, program)
    started = time.monotonic()
    with pytest.raises(MediaRefused) as refused:
        run(plain())
    assert refused.value.code is MediaCode.TIMEOUT
    assert time.monotonic() - started < 5


def test_shared_memory_cannot_change_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = told(messages.REFUSED, b'{"code": "media-empty", "message": "it held"}')
    program = (
        "for size in (0, 1 << 30):\n"
        "    try: os.ftruncate(3, size)\n"
        f"    except OSError: continue\n    break\nelse: os.write(1, {held!r})"
    )
    lying(tmp_path, monkeypatch, program)
    with pytest.raises(MediaRefused) as refused:
        run(plain())
    assert refused.value.code is MediaCode.EMPTY


def test_source_that_shrank_is_a_truncated_film() -> None:
    class Shrinking(io.BytesIO):
        checked = False

        def read(self, size: int | None = -1, /) -> bytes:
            return b"" if self.checked else super().read(size)

    source = Shrinking(film(Recipe(count=300, sound=True)))
    with pytest.raises(MediaRefused) as refused, open_film(source, rate=None) as opened:
        source.checked = True
        opened.served = 0
        opened.serve(10, 0, time.monotonic() + 1)
    assert refused.value.code is MediaCode.TRUNCATED


def test_a_picture_stays_as_it_is_until_the_next_but_two_is_asked_for() -> None:
    lately = deque[Frame](maxlen=films.PICTURES_HELD)
    with open_film(io.BytesIO(plain("matroska", "hevc")), rate=None) as opened:
        for frame in opened:
            lately.append(frame)
            if frame.index < 2 * messages.SLOTS:
                time.sleep(0.05)  # time for the child to fill every slot that is free
            for each in lately:
                assert np.abs(each.pixels.astype(int) - numbered(each.index)).mean() < 8
                assert not each.picture.luma.flags.writeable
    assert frame.index == 24
    assert np.abs(frame.pixels.astype(int) - numbered(24)).mean() < 8, "held beyond the film's end"


def long_film(container: str, minutes: int) -> bytes:
    """A second of pictures again and again, by copying its packets."""
    held = io.BytesIO()
    second = samples(film(Recipe(size=(64, 48))))
    with (
        av.open(io.BytesIO(film(Recipe(size=(64, 48))))) as source,
        av.open(held, "w", format=container) as target,
    ):
        track = target.add_stream_from_template(source.streams.video[0])
        for number in range(minutes * 60 * 25):
            packet = av.Packet(second[number % 25])
            packet.stream, packet.time_base = track, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = number % 25 == 0
            target.mux(packet)
    return held.getvalue()


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_memory_and_time_stay_flat_over_twenty_minutes(container: str) -> None:
    data = long_film(container, 20)
    peaks, used = [], []
    with open_film(io.BytesIO(data), rate=None) as opened:
        for frame in opened:
            if frame.index % 7500 == 2000:
                status = (process(opened) / "status").read_text()
                peaks.append(int(status.split("VmHWM:")[1].split()[0]))
                fields = (process(opened) / "stat").read_text().rsplit(")", 1)[1].split()
                used.append(int(fields[11]) + int(fields[12]))
    assert opened.reached == pytest.approx(20 * 60 - 0.04)
    assert peaks[-1] < 200 * 1024, "kilobytes"
    assert peaks[-1] - peaks[0] < 4 * 1024
    first, last = used[1] - used[0], used[-1] - used[-2]
    assert last < 1.5 * first + 5, "hundredths of a second for as many pictures"


def test_a_later_start_of_a_long_film_reads_instead_of_decoding() -> None:
    data = long_film("matroska", 20)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    frames = run(data, 10, 20 * 60 - 1.0)
    assert time.monotonic() - started < 5
    assert frames[0].index == 20 * 60 * 25 - 25
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 3
