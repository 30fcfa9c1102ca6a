"""What comes out of a film: the right pictures at the right times, whatever it was recorded with."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from emotion.inference.expressions import expression_pack
from emotion.inference.faces import find_faces
from emotion.inference.film_entry import IDR, slice_kinds
from emotion.inference.film_rates import FOLLOWED, due, followed_at
from emotion.inference.film_reading import FilmReader, read_film
from emotion.inference.films import FilmFacts, FilmProbe, open_film
from emotion.inference.series import MEASURED_IN, to_series
from tests.emotion.inference.film_making import (
    Recipe,
    film,
    kept,
    numbered,
    numbers,
    plain,
    run,
    write,
)
from tests.emotion.inference.photographs import pixels, stored_as
from tests.emotion.inference.scenes import FACE, Scene, as_film, during, sits, walks

MILLI = Fraction(1, 1000)
ONE = 1 << 16
# Display matrices by EXIF orientation: what a stored picture goes through to be shown.
MATRICES = {
    1: (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    2: (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    3: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    4: (ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    5: (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    6: (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    7: (0, -ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    8: (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}
MEDIA_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "matroska": "video/matroska",
}
KINDS = [
    *[("mp4", codec) for codec in ("h264", "hevc", "vp9", "av1")],
    *[("mov", codec) for codec in ("h264", "hevc")],
    *[("webm", codec) for codec in ("vp8", "vp9", "av1")],
    *[("matroska", codec) for codec in ("h264", "hevc", "vp8", "vp9", "av1")],
]


def test_making_films_makes_nobody_real_time() -> None:
    """The tests' own tool: whoever ran after it would be starved, or starve others."""
    plain("mp4", "av1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in steps of 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_every_container_and_codec_shows_every_picture_in_its_time(
    container: str, codec: str
) -> None:
    with open_film(io.BytesIO(plain(container, codec)), rate=None) as opened:
        frames = kept(opened)
    assert opened.facts == FilmFacts(MEDIA_TYPES[container], codec, 320, 240, 1.0, 25.0)
    assert numbers(frames) == [frame.index for frame in frames] == list(range(25))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(25)])
    assert max(difference(frame.pixels, numbered(frame.index)) for frame in frames) < 8
    assert opened.position == 1
    assert opened.damaged == 0


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_the_probe_takes_the_film_in_any_pieces(container: str, codec: str) -> None:
    data = plain(container, codec)
    for size in (1, 1000, len(data)):
        probe = FilmProbe.start(len(data))
        for start in range(0, len(data), size):
            probe.feed(data[start : start + size])
        assert probe.finish() == MEDIA_TYPES[container]
        probe.close()


STAMPS = (0, 40, 75, 200, 210, 500, 1000, 1001, 1033, 2500)


@pytest.mark.parametrize("kind", [("mp4", "h264"), ("webm", "vp9"), ("matroska", "hevc")])
def test_irregular_times_are_kept_and_sampled_by(kind: tuple[str, str]) -> None:
    data = film(Recipe(*kind, stamps=STAMPS, base=MILLI))
    assert [frame.time for frame in run(data)] == [stamp / 1000 for stamp in STAMPS]
    for rate, wanted in ((10, [0, 3, 5, 6, 9]), (2, [0, 5, 6, 9]), (0.5, [0, 9])):
        frames = run(data, rate)
        assert numbers(frames) == [frame.index for frame in frames] == wanted


def test_sampling_rates_that_binary_numbers_cannot_hold_take_what_they_say() -> None:
    data = film(Recipe(count=90, base=Fraction(1001, 30000)))
    assert numbers(run(data, 30000 / 1001)) == list(range(90))
    assert [frame.index for frame in run(film(Recipe(count=50)), 12.5)] == list(range(0, 50, 2))
    assert len(run(plain(), 0.001)) == 1
    assert len(run(plain(), 1e6)) == 25


@pytest.mark.parametrize("kind", [("mp4", "h264"), ("webm", "vp8"), ("matroska", "h264")])
def test_the_first_picture_is_at_zero_wherever_the_recording_began(kind: tuple[str, str]) -> None:
    late = run(film(Recipe(*kind, stamps=(5000, 5040, 5080), base=MILLI)))
    assert [frame.time for frame in late] == pytest.approx([0, 0.04, 0.08])
    early = run(film(Recipe(*kind, stamps=(-80, -40, 0, 40), base=MILLI)))
    # MP4 has an edit list for what lies before zero: players leave it out, and so do we.
    shown = [2, 3] if kind[0] == "mp4" else [0, 1, 2, 3]
    assert numbers(early) == shown
    assert [frame.time for frame in early] == pytest.approx([n * 0.04 for n in range(len(shown))])
    assert [frame.index for frame in early] == list(range(len(shown)))


LIVE = {
    "webm": Recipe("webm", "vp8", live=True, sound=True),
    "vp9": Recipe("webm", "vp9", live=True),
    "matroska": Recipe("matroska", "h264", live=True, sound=True),
    "fragments": Recipe(live=True, muxer=(("movflags", "frag_keyframe+empty_moov"),)),
}


@pytest.mark.parametrize("name", LIVE)
def test_a_live_recording_needs_neither_index_nor_duration(name: str) -> None:
    with open_film(io.BytesIO(film(LIVE[name])), rate=None) as opened:
        positions, seen = [], []
        for frame in opened:
            positions.append(opened.position)
            seen += kept([frame])
    assert numbers(seen) == list(range(25))
    assert positions == sorted(positions)
    assert name == "fragments" or opened.facts.duration is None
    assert opened.position == 1


PICTURES_BOTH_WAYS = (("preset", "medium"), ("bf", "3"))
OPEN_GROUPS = (
    ("preset", "medium"),
    ("x265-params", "log-level=none:pools=none:open-gop=1:bframes=4:keyint=12:min-keyint=12"),
)
OPEN_264 = (("preset", "medium"), ("x264-params", "open-gop=1:keyint=12:bframes=3"))
# Key pictures in the file's eyes, after which the picture becomes right little by little; IDR is the first.
REFRESHED = (("preset", "medium"), ("x264-params", "intra-refresh=1:keyint=12:bframes=0"))
HIDDEN = (("auto-alt-ref", "1"), ("lag-in-frames", "16"), ("deadline", "good"))
STARTS = {
    "plain": Recipe(count=40),
    "sound": Recipe(count=40, sound=True),
    "both ways": Recipe(count=40, encoder=PICTURES_BOTH_WAYS),
    "open groups": Recipe("mov", "hevc", count=40, encoder=OPEN_GROUPS),
    "refreshed": Recipe(count=40, encoder=REFRESHED),
    "refreshed in mkv": Recipe("matroska", count=40, encoder=REFRESHED),
    "open groups in h264": Recipe(count=40, encoder=OPEN_264),
    "hidden pictures": Recipe("webm", "vp8", count=40, encoder=HIDDEN),
    "hidden in vp9": Recipe("matroska", "vp9", count=40, encoder=HIDDEN),
    "av1": Recipe("webm", "av1", count=40),
    "live": Recipe("webm", "vp8", count=40, live=True),
    "fragments": Recipe(count=40, live=True, muxer=(("movflags", "frag_keyframe+empty_moov"),)),
    "one key": Recipe(count=40, key_every=1000),
    "cut": Recipe(stamps=tuple(range(-10, 30))),
    "irregular": Recipe(stamps=tuple(n * 40 + n * 7919 % 37 for n in range(40)), base=MILLI),
}


@pytest.mark.parametrize("rate", [None, 10])
@pytest.mark.parametrize("name", STARTS)
def test_a_later_start_yields_what_a_whole_run_yields_from_there_on(
    name: str, rate: float | None
) -> None:
    data = film(STARTS[name])
    whole = run(data, rate)
    for start in (0.01, whole[3].time, whole[-2].time, 60.0):
        expected = [frame for frame in whole if frame.time >= start]
        frames = run(data, rate, start)
        assert [(frame.index, frame.time) for frame in frames] == [
            (frame.index, frame.time) for frame in expected
        ]
        for frame, other in zip(frames, expected, strict=True):
            assert np.array_equal(frame.pixels, other.pixels)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_idr_pictures_are_known_in_both_ways_of_writing_h264(container: str) -> None:
    data = film(Recipe(container, count=40))
    with av.open(io.BytesIO(data)) as opened:
        track = opened.streams.video[0]
        described = track.codec_context.extradata
        packets = [packet for packet in opened.demux(track) if packet.size]
        assert described is not None
        found = [IDR in slice_kinds(bytes(packet), described) for packet in packets]
        assert [at for at, alone in enumerate(found) if alone] == [0, 12, 24, 36]
        with_codes = BitStreamFilterContext("h264_mp4toannexb", track)
        plainly = [bytes(each) for packet in packets for each in with_codes.filter(packet)]
    for extradata in (None, b"", plainly[0][:40]):
        assert [IDR in slice_kinds(packet, extradata) for packet in plainly] == found
    for packet in (b"", b"\0\0\1", b"\xff" * 9, bytes(9)):
        assert IDR not in slice_kinds(packet, described)
        assert IDR not in slice_kinds(packet, None)


def still(picture: np.ndarray, recipe: Recipe) -> bytes:
    """A film of one picture."""
    held = io.BytesIO()
    rows, columns = picture.shape[:2]
    changes: dict[str, object] = {"size": (columns, rows)}
    if recipe.codec == "hevc":
        # For B pictures x265 reckons times from later ones, and none comes: the muxer once refused it.
        changes["encoder"] = (("x265-params", "log-level=none:pools=none:bframes=0"),)
    made = Recipe(**(vars(recipe) | changes))
    write(held, made, [(0, np.ascontiguousarray(picture))])
    return held.getvalue()


@pytest.mark.parametrize("orientation", MATRICES)
def test_display_matrix_shows_the_same_upright_face(orientation: int) -> None:
    upright = pixels()[:400]
    stored = stored_as(upright, orientation)
    data = still(stored, Recipe(matrix=MATRICES[orientation]))
    with open_film(io.BytesIO(data), rate=None) as opened:
        (frame,) = opened
    assert (opened.facts.width, opened.facts.height) == (512, 400)
    assert difference(frame.pixels, upright) < 6
    (face,) = find_faces(frame.pixels)
    assert abs(face.points[0] - [206, 114]).max() < 12, "the right eye is not where it was"


def test_pixels_that_are_not_square_are_stretched() -> None:
    upright = pixels()[:400]
    for squeezed, aspect in ((upright[:, ::2], Fraction(2)), (upright[::2], Fraction(1, 2))):
        with open_film(
            io.BytesIO(still(squeezed, Recipe(pixel_aspect=aspect))), rate=None
        ) as opened:
            (frame,) = opened
        assert (opened.facts.width, opened.facts.height) == (512, 400)
        assert difference(frame.pixels, upright) < 12


def test_large_pictures_come_reduced_and_the_facts_tell_their_size() -> None:
    large = cv2.resize(pixels(), (1920, 1080))
    for orientation, size in ((1, (1920, 1080)), (6, (1080, 1920))):
        with open_film(
            io.BytesIO(still(large, Recipe(matrix=MATRICES[orientation]))), rate=None
        ) as opened:
            (frame,) = opened
        assert (opened.facts.width, opened.facts.height) == size
        assert frame.pixels.shape == ((720, 1280, 3) if orientation == 1 else (1280, 720, 3))
    upright = cv2.resize(pixels(), (1280, 720), interpolation=cv2.INTER_AREA)
    assert difference(np.rot90(frame.pixels), upright) < 4


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le"])
def test_colours_are_those_of_the_photograph(pixel_format: str) -> None:
    codec = "hevc" if pixel_format.endswith("10le") else "h264"
    data = still(pixels()[:400], Recipe("matroska", codec, pixel_format=pixel_format))
    (frame,) = run(data)
    assert abs(frame.pixels.mean((0, 1)) - pixels()[:400].mean((0, 1))).max() < 2


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_a_size_that_changes_midway_is_fitted_into_the_first(codec: str) -> None:
    sizes = ((320, 240), (160, 120), (240, 240))
    parts = [film(Recipe("webm", codec, count=5, size=size)) for size in sizes]
    held = io.BytesIO()
    with av.open(held, "w", format="webm") as container:
        track = container.add_stream("libvpx" if codec == "vp8" else "libvpx-vp9", rate=25)
        track.width, track.height, track.pix_fmt = 320, 240, "yuv420p"
        for number, part in enumerate(parts):
            with av.open(io.BytesIO(part)) as source:
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = track
                        packet.pts = packet.dts = packet.pts + 200 * number
                        container.mux(packet)
    frames = run(held.getvalue())
    assert [frame.pixels.shape for frame in frames] == [(240, 320, 3)] * 15
    assert difference(frames[7].pixels, cv2.resize(numbered(2, 160, 120), (320, 240))) < 12
    square = frames[12].pixels
    assert square[:, :38].max() < 4  # colour reaches a little over the edge
    assert difference(square[:, 40:280], numbered(2, 240, 240)) < 8


def test_colours_of_a_film_that_names_its_colour_matrix_are_right_too() -> None:
    held = io.BytesIO()
    picture = np.ascontiguousarray(pixels()[:400])
    with av.open(held, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=25)
        track.width, track.height, track.pix_fmt = 512, 400, "yuv420p"
        track.codec_context.colorspace = track.codec_context.color_primaries = 1  # BT.709
        track.codec_context.color_trc = 1
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    (shown,) = run(held.getvalue())
    assert abs(shown.pixels.mean((0, 1)) - picture.mean((0, 1))).max() < 2
    assert difference(shown.pixels, picture) < 4


def test_measuring_beside_looking_gives_what_one_after_the_other_gives() -> None:
    categories = list(MEASURED_IN)
    data = as_film(Scene(2, sits()))
    reader = FilmReader(categories, expression_pack())
    with open_film(io.BytesIO(data), rate=10) as opened:
        moments = [reader.read(each.picture, each.time) for each in opened]
    alone = to_series([moment for moment in moments if moment], categories)
    with open_film(io.BytesIO(data), rate=10) as opened:
        (stretch,) = read_film(opened, categories, expression_pack())
    assert stretch.state == reader.state()
    assert (alone["summary"]["status"] == "read").all()
    for category, table in alone.items():
        for name, column in table.items():
            assert np.array_equal(
                column, stretch.series[category][name], equal_nan=column.dtype.kind == "f"
            ), name


@pytest.mark.parametrize("rate", [1, 2, 3, 7, 10, 12, 30])
def test_what_is_measured_at_a_rate_is_among_what_is_followed(rate: float) -> None:
    """Of a film with odd times: exactly the pictures that the rate alone would have taken."""
    stamps = tuple(round(at * 41.7 + 9 * (at % 5)) for at in range(120))
    data = film(Recipe(stamps=stamps, base=MILLI))
    wanted = [each.time for each in run(data, rate=rate)]
    before, found = None, list[float]()
    for each in run(data, rate=followed_at(rate)):
        if due(before, each.time, rate):
            found.append(each.time)
        before = each.time
    assert found == wanted
    assert (followed_at(rate) or 0) >= FOLLOWED


@pytest.mark.parametrize("rate", [1.0, 2.0, 4.0])
def test_who_steps_in_front_and_away_between_two_moments_is_not_measured(rate: float) -> None:
    speed, start = 400.0, 1.58  # in front at 3.0
    crossing = during(start, start + 3, walks(start, -150, speed))
    scene = Scene(5, sits(), crossing, rate=20)
    with open_film(io.BytesIO(as_film(scene)), rate=followed_at(rate)) as opened:
        (stretch,) = read_film(opened, ["head-pose"], expression_pack(), rate)
    summary = stretch.series["summary"]
    assert summary["time"].tolist() == pytest.approx([at / rate for at in range(int(5 * rate))])
    in_front = [
        abs(where[0] - 420) < 0.8 * FACE
        for where in (scene.other(time) or (-999, 0) for time in summary["time"].tolist())
    ]
    assert any(in_front), "nobody ever stood there"
    for hidden, status in zip(in_front, summary["status"].tolist(), strict=True):
        assert not (hidden and status == "read")
    assert summary["status"].tolist().count("read") >= 2 * rate
