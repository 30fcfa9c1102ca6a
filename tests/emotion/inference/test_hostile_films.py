"""Hostile and broken films: each gets frames or its code, in bounded time and memory."""

from __future__ import annotations

import io
import itertools
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from emotion.inference import films
from emotion.inference.film_formats import TRACKS_MAX
from emotion.inference.film_window import BOXES_MAX
from emotion.inference.films import FilmLimits, FilmProbe, open_film
from emotion.inference.media import MediaCode, MediaRefused
from tests.emotion.inference.film_making import (
    TABLE,
    Recipe,
    box,
    boxes,
    changed,
    element,
    film,
    inside,
    numbers,
    numbers_32,
    plain,
    run,
    samples,
    silence,
)
from tests.emotion.inference.photographs import astronaut
from tests.emotion.inference.test_films import LIVE
from tests.emotion.inference.test_media import archive

FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")


def probed(data: bytes, **limits: float) -> MediaCode | None:
    """What the probe of an upload says."""
    probe = FilmProbe(FilmLimits(**limits))
    try:
        for start in range(0, len(data), 4096):
            probe.feed(data[start : start + 4096])
        probe.finish()
    except MediaRefused as refused:
        return refused.code
    finally:
        probe.close()
    return None


def with_table(kind: bytes, *values: int) -> bytes:
    """A second of film with another table of samples."""
    return changed(plain(), (*TABLE, kind), numbers_32(*values))


def more_tracks(count: int) -> bytes:
    """A film whose only track stands there again and again."""
    movie = inside(plain(), b"moov")
    tracks = [box(kind, body) * (count if kind == b"trak" else 1) for kind, body in boxes(movie)]
    return changed(plain(), (b"moov",), b"".join(tracks))


def matroska(*elements: bytes, document: bytes = b"webm") -> bytes:
    """A file with these elements in its segment."""
    header = element(0x1A45DFA3, element(0x4282, document))
    return header + element(0x18538067, *elements)


def entry(width: int = 320, codec: bytes = b"V_VP8") -> bytes:
    """A track of pictures."""
    size = element(0xB0, width.to_bytes(4, "big")) + element(0xBA, (240).to_bytes(4, "big"))
    return element(
        0xAE,
        element(0xD7, b"\1") + element(0x73C5, b"\1") + element(0x83, b"\1"),
        element(0x86, codec) + element(0xE0, size),
    )


def referring(reference: bytes) -> bytes:
    """A film whose track lies elsewhere."""
    url = box(b"url ", b"\0\0\0\0" + reference)
    path = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")
    return changed(plain(), path, numbers_32(0, 1) + url)


def with_movie_box(made: bytes) -> bytes:
    return changed(plain(), (b"moov",), inside(plain(), b"moov") + made)


def sound_only() -> bytes:
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=48000)
        for number in range(5):
            container.mux(track.encode(silence(number)))
        container.mux(track.encode(None))
    return held.getvalue()


def other_codec(name: str, pixel_format: str) -> bytes:
    held = io.BytesIO()
    with av.open(held, "w", format="mov") as container:
        track = container.add_stream(name, rate=25)
        track.width, track.height, track.pix_fmt = 320, 240, pixel_format
        for _ in range(3):
            frame = av.VideoFrame(320, 240, pixel_format)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return held.getvalue()


def long_header(seconds: int) -> bytes:
    header = bytearray(inside(plain(), b"moov", b"mvhd"))
    header[16:20] = (seconds * 1000).to_bytes(4, "big")
    return changed(plain(), (b"moov", b"mvhd"), bytes(header))


def at_upload() -> dict[str, tuple[bytes, MediaCode]]:
    """What is refused by its structure alone."""
    mp4, webm, mkv = plain(), plain("webm", "vp8"), plain("matroska", "h264")
    unreadable, truncated = MediaCode.UNREADABLE, MediaCode.TRUNCATED
    other, tracks = MediaCode.TYPE_NOT_SUPPORTED, MediaCode.FILM_TOO_MANY_TRACKS
    elsewhere = MediaCode.FILM_REFERS_ELSEWHERE
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    return {
        "nothing": (b"", MediaCode.EMPTY),
        "one byte": (b"\0", other),
        "zeros": (bytes(5000), other),
        "photograph": (astronaut(), other),
        "playlist": (playlist, other),
        "list of files": (b"ffconcat version 1.0\nfile /etc/passwd\n", other),
        "avi": (b"RIFF\x24\0\0\0AVI LIST", other),
        "heic": (box(b"ftyp", b"heic\0\0\0\0mif1heic") + bytes(99), other),
        "sound file of the family": (box(b"ftyp", b"M4A \0\0\0\0M4A ") + bytes(99), other),
        "ebml that is no film": (matroska(document=b"drawing"), other),
        "playlist behind a film's type": (FTYP + playlist, unreadable),
        "playlist in a box": (FTYP + box(b"mdat", playlist), truncated),
        "mp4 cut in its type": (mp4[:20], truncated),
        "mp4 cut in its pictures": (mp4[: len(mp4) // 2], truncated),
        "mp4 cut in its description": (mp4[:-100], truncated),
        "mp4 without its last byte": (mp4[:-1], truncated),
        "webm cut in its header": (webm[:30], truncated),
        "webm cut": (webm[: len(webm) // 2], truncated),
        "mkv without its last byte": (mkv[:-1], truncated),
        "mp4 and zip": (mp4 + archive(), MediaCode.TRAILING_DATA),
        "mp4 and a few bytes": (mp4 + b"\0\0\0", MediaCode.TRAILING_DATA),
        "webm and zip": (webm + archive(), MediaCode.TRAILING_DATA),
        "two films": (mkv + mkv, MediaCode.TRAILING_DATA),
        "box shorter than its header": (FTYP + b"\0\0\0\4free", unreadable),
        "endless description": (FTYP + b"\0\0\0\0moov" + bytes(99), unreadable),
        "giant description": (FTYP + b"\xff\xff\xff\xffmoov", unreadable),
        "track longer than the movie": (FTYP + box(b"moov", b"\0\1\0\0trak"), unreadable),
        "compressed description": (with_movie_box(box(b"cmov", bytes(20))), unreadable),
        "short movie header": (changed(mp4, (b"moov", b"mvhd"), bytes(9)), unreadable),
        "10,000 tracks": (more_tracks(10_000), tracks),
        "33 tracks": (more_tracks(TRACKS_MAX + 1), tracks),
        "10,000 tracks in webm": (matroska(element(0x1654AE6B, entry() * 10_000)), tracks),
        "pictures in another file": (referring(b"file:///etc/passwd\0"), elsewhere),
        "pictures on the net": (referring(b"http://192.0.2.1/film.mp4\0"), elsewhere),
        "reference film": (with_movie_box(box(b"rmra", box(b"rmda", bytes(40)))), elsewhere),
        "three hours by its header": (long_header(3 * 3600), MediaCode.FILM_TOO_LONG),
        "three hours of webm": (
            matroska(element(0x1549A966, element(0x4489, b"\x4b\x24\xcb\x80"))),
            MediaCode.FILM_TOO_LONG,
        ),
        "element longer than its segment": (
            matroska(element(0x1654AE6B, b"")[:-1] + b"\x44"),
            unreadable,
        ),
        "no segment": (element(0x1A45DFA3, element(0x4282, b"webm")) + bytes(20), unreadable),
    }


AT_UPLOAD = at_upload()


@pytest.mark.parametrize("name", AT_UPLOAD)
def test_hostile_structure_is_refused_at_the_upload_and_before_the_analysis(name: str) -> None:
    data, code = AT_UPLOAD[name]
    assert probed(data) is code
    started = time.monotonic()
    with pytest.raises(MediaRefused) as refused:
        run(data)
    assert refused.value.code is code
    assert str(refused.value)
    assert time.monotonic() - started < 2, "it must not come to a decoder"


def huge(width: int, height: int) -> bytes:
    return film(Recipe("matroska", count=1, size=(width, height)))


def lying_vp8() -> bytes:
    """A key picture whose own header says 16383 x 16383."""
    data = bytearray(film(Recipe("webm", "vp8", count=8)))
    at = data.index(b"\x9d\x01\x2a")
    data[at + 3 : at + 7] = b"\xff\x3f\xff\x3f"
    return bytes(data)


def repeated(count: int, ticks: int) -> bytes:
    """An MP4 in which one key picture stands for many, each ``ticks`` long."""
    whole = film(Recipe(count=1))
    (key,) = samples(whole)
    offset = whole.index(key)
    data = whole
    for kind, values in {
        b"stts": (0, 1, count, ticks),
        b"stsc": (0, 1, 1, 1, 1),
        b"stsz": (0, len(key), count),
        b"stco": (0, count, *[offset] * count),
    }.items():
        data = changed(data, (*TABLE, kind), numbers_32(*values))
    track = (b"moov", b"trak", b"edts")
    return changed(data, track, b"") if b"edts" in dict(boxes(inside(data, *track[:2]))) else data


def when_decoded() -> dict[str, tuple[Callable[[], bytes], MediaCode, bool]]:
    """What only decoding finds out: (film, code, whether the code comes before any picture)."""
    unreadable, pictures = MediaCode.UNREADABLE, MediaCode.FILM_WITHOUT_PICTURES
    codec, pixels = MediaCode.FILM_CODEC_NOT_SUPPORTED, MediaCode.TOO_MANY_PIXELS
    return {
        "sound only": (sound_only, pictures, True),
        "mpeg-4 part 2": (lambda: other_codec("mpeg4", "yuv420p"), codec, True),
        "motion jpeg": (lambda: other_codec("mjpeg", "yuvj420p"), codec, True),
        "raw pictures": (lambda: other_codec("rawvideo", "rgb24"), codec, True),
        "4112 columns": (lambda: huge(4112, 64), pixels, True),
        "4096 x 2400": (lambda: huge(4096, 2400), pixels, True),
        "16 rows": (lambda: huge(64, 16), MediaCode.TOO_SMALL, True),
        "vp8 that lies": (lying_vp8, unreadable, True),
        "track without pictures": (
            lambda: matroska(element(0x1654AE6B, entry()), element(0x1F43B675, b"")),
            pictures,
            True,
        ),
        "webm of a giant": (
            lambda: matroska(element(0x1654AE6B, entry(16384)), element(0x1F43B675, b"")),
            pixels,
            True,
        ),
        "pictures that are noise": (
            lambda: changed(plain(), (b"mdat",), random.Random(1).randbytes(90_000)),
            unreadable,
            True,
        ),
        "longer than it says": (lambda: repeated(3000, 1024 * 100), MediaCode.FILM_TOO_LONG, False),
    }


WHEN_DECODED = when_decoded()


@pytest.mark.parametrize("name", WHEN_DECODED)
def test_hostile_pictures_are_refused_when_they_are_decoded(name: str) -> None:
    make, code, at_once = WHEN_DECODED[name]
    data, seen = make(), []
    with (
        pytest.raises(MediaRefused) as refused,
        open_film(io.BytesIO(data), rate=None, limits=FilmLimits(max_seconds=20)) as opened,
    ):
        for frame in opened:
            seen.append(frame.index)  # what came before the refusal is looked at
    assert refused.value.code is code
    assert at_once == (not seen)


def test_limits_on_bytes_and_pictures_hold() -> None:
    data = plain()
    assert probed(data, max_bytes=len(data)) is None
    assert probed(data, max_bytes=len(data) - 1) is MediaCode.TOO_LARGE
    with pytest.raises(MediaRefused) as refused:
        run(data, max_bytes=len(data) - 1)
    assert refused.value.code is MediaCode.TOO_LARGE
    assert len(run(data, max_frames=25)) == 25
    with pytest.raises(MediaRefused) as refused:
        run(data, max_frames=24)
    assert refused.value.code is MediaCode.FILM_TOO_LONG


def test_pictures_without_duration_are_one_moment() -> None:
    data = with_table(b"stts", 0, 1, 25, 0)
    (frame,) = run(data)
    assert (frame.index, frame.time) == (0, 0.0)


def test_another_codec_midway_is_left_out() -> None:
    """Two descriptions of samples, H.264 and H.265, in one track: the second is never opened."""
    first, second = plain(), plain("mp4", "hevc")
    entries = inside(first, *TABLE, b"stsd")[8:] + inside(second, *TABLE, b"stsd")[8:]
    data = changed(first, (*TABLE, b"stsd"), numbers_32(0, 2) + entries)
    sizes = inside(data, *TABLE, b"stsz")
    lengths = [int.from_bytes(sizes[n : n + 4], "big") for n in range(12, len(sizes), 4)]
    start = int.from_bytes(inside(data, *TABLE, b"stco")[8:12], "big")
    offsets = list(itertools.accumulate(lengths, initial=start))[:-1]
    data = changed(data, (*TABLE, b"stco"), numbers_32(0, 25, *offsets))
    data = changed(data, (*TABLE, b"stsc"), numbers_32(0, 2, 1, 1, 1, 13, 1, 2))
    assert numbers(run(data))[:12] == list(range(12))


def test_pictures_of_another_codec_midway_are_counted_as_damaged() -> None:
    held = io.BytesIO()
    with av.open(held, "w", format="webm") as container:
        track = container.add_stream("libvpx-vp9", rate=25)
        track.width, track.height, track.pix_fmt = 320, 240, "yuv420p"
        for part, codec in enumerate(("vp9", "vp8")):
            with av.open(io.BytesIO(plain("webm", codec))) as source:
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = track
                        packet.pts = packet.dts = packet.pts + 1000 * part
                        container.mux(packet)
    with open_film(io.BytesIO(held.getvalue()), rate=None) as opened:
        assert numbers(opened)[:25] == list(range(25))
    assert opened.damaged > 0


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_live_recording_that_breaks_off_is_read_as_far_as_it_goes(
    name: str, share: float
) -> None:
    data = film(LIVE[name])
    cut = int(share * len(data))
    with av.open(io.BytesIO(data)) as source:
        ends = [packet.pos + packet.size for packet in source.demux(video=0) if packet.size]
    complete = sum(end <= cut for end in ends)
    if name == "fragments" or not complete:
        # Fragments say their length, so that a missing part of one is noticed.
        code = MediaCode.TRUNCATED if name == "fragments" else MediaCode.FILM_WITHOUT_PICTURES
        with pytest.raises(MediaRefused) as refused:
            run(data[:cut])
        assert refused.value.code is code
    else:
        frames = run(data[:cut])
        assert complete <= len(frames) <= complete + 1, "the last may be half there"
        assert numbers(frames)[:complete] == list(range(complete))


class Endless(io.RawIOBase):
    """A live recording that says the same second again and again, for a terabyte."""

    def __init__(self) -> None:
        whole = film(Recipe("webm", "vp8", live=True))
        at = whole.index(b"\x1f\x43\xb6\x75")
        self.head, self.loop = whole[:at], whole[at:]
        self.position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset if whence == 0 else (1 << 40) + offset
        return self.position

    def read(self, size: int = -1) -> bytes:
        start, end = self.position, self.position + size
        self.position = end
        if start < len(self.head):
            return (self.head + self.loop * (size // len(self.loop) + 2))[start:end]
        offset = (start - len(self.head)) % len(self.loop)
        return (self.loop * (size // len(self.loop) + 2))[offset : offset + size]


def test_an_endless_film_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaRefused) as refused, open_film(Endless(), rate=None):
        pass
    assert refused.value.code is MediaCode.TOO_LARGE
    monkeypatch.setattr(films, "SECONDS", 3.0)
    monkeypatch.setattr(films, "BYTES_PER_SECOND", 10**9)
    started = time.monotonic()
    limits, seen = FilmLimits(max_bytes=1 << 41), []
    with (
        pytest.raises(MediaRefused) as refused,
        open_film(Endless(), rate=None, limits=limits) as opened,
    ):
        seen.extend(frame.index for frame in opened)
    assert len(seen) <= 25
    assert refused.value.code is MediaCode.TIMEOUT
    assert time.monotonic() - started < 20


def test_too_many_boxes_are_refused_while_they_come() -> None:
    probe, many = FilmProbe(FilmLimits()), box(b"free") * 100_000
    probe.feed(FTYP)
    with pytest.raises(MediaRefused) as refused:
        for _ in range(BOXES_MAX // 100_000 + 1):
            probe.feed(many)
    assert refused.value.code is MediaCode.UNREADABLE
    assert len(probe.window.held) <= len(many)


FUZZED = {
    "mp4": Recipe(count=8, size=(64, 48), sound=True),
    "mov": Recipe("mov", "hevc", count=8, size=(64, 48)),
    "webm": Recipe("webm", "vp8", count=8, size=(64, 48), sound=True),
    "live webm": Recipe("webm", "vp9", count=8, size=(64, 48), live=True),
    "matroska": Recipe("matroska", "av1", count=8, size=(64, 64)),
    "fragments": Recipe(
        count=8, size=(64, 48), live=True, muxer=(("movflags", "frag_keyframe+empty_moov"),)
    ),
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, mostly near the ends, where descriptions lie; now and then some moved or cut.

    Moving breaks the outer structure, which is refused before anything is decoded, so most stay in place.
    """
    made = bytearray(data)
    for _ in range(chance.choice((1, 2, 5, 20))):
        reach = chance.choice((600, 1200, len(made) - 1))
        at = chance.randrange(min(reach, len(made) - 1)) * chance.choice((1, -1)) % len(made)
        match chance.randrange(16):
            case 0:
                made[at : at + 1] = made[at : at + chance.randrange(1, 64)]
            case 1:
                del made[at : at + chance.randrange(1, 16)]
            case 2 | 3 | 4:
                made[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 5 | 6 if at + 4 <= len(made):
                made[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case _:
                made[at] ^= 1 << chance.randrange(8)
    return bytes(made)


def kilobytes_now() -> int:
    """The memory that this process has at this moment."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


@pytest.mark.parametrize("batch", range(4))
@pytest.mark.parametrize("name", FUZZED)
def test_a_mutated_film_ends_in_pictures_or_a_code(name: str, batch: int) -> None:
    chance = random.Random(f"{name} {batch}")
    data = film(FUZZED[name])
    before, parent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, 0
    for number in range(15):
        broken = mutated(data, chance)
        started = time.monotonic()
        try:
            # A child counts as large as its parent until it has become a program of its own.
            parent = max(parent, kilobytes_now())
            probed(broken)
            parent = max(parent, kilobytes_now())
            start = chance.choice((0.0, 0.0, 0.1))
            source = io.BytesIO(broken)
            with open_film(source, rate=chance.choice((None, 10)), start=start) as opened:
                for frame in opened:
                    assert frame.pixels.shape == (opened.rows, opened.columns, 3)
        except MediaRefused as refused:
            assert refused.code in MediaCode, (name, batch, number)
        assert time.monotonic() - started < 15, (name, batch, number)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert used <= max(before, parent * 1.05, 700 * 1024), "kilobytes of the largest child so far"
