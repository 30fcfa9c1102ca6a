"""Pictures of films in planes show what the same pictures in RGB show."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from emotion.inference.arrays import Array, Pixels
from emotion.inference.body import find_body
from emotion.inference.crops import tight_crop
from emotion.inference.faces import WHOLE, find_faces
from emotion.inference.landmarks import Landmarks, crop_matrix, find_landmarks
from emotion.inference.pictures import Planes, halved, in_rgb, levels_of, luma_of, scaled, warped
from emotion.inference.planes import CODES, TURNS, Colours, Turn
from emotion.inference.quality import measure_quality
from tests.emotion.inference.photographs import pixels

SPACES = (Colorspace.ITU601, Colorspace.ITU709, Colorspace.BT2020)


def in_planes(picture: Pixels, colours: Colours) -> Planes:
    """A picture as a decoder would give it, by FFmpeg's conversion."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=SPACES[colours.matrix],
        dst_color_range=ColorRange.JPEG if colours.full else ColorRange.MPEG,
    )
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        planes.append(lines[:, : plane.width].copy())
    return Planes(*planes, colours)


@cache
def both() -> tuple[Pixels, Planes]:
    """The photograph, and its planes."""
    return pixels(), in_planes(pixels(), Colours(1, False))


def apart(one: Array | Pixels, other: Array | Pixels) -> float:
    """The mean difference of two pictures, of 255."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@pytest.mark.parametrize("code", range(CODES))
def test_every_matrix_and_range_gives_the_colours_back(code: int) -> None:
    colours = Colours.of(code)
    assert colours.code == code
    patches = np.zeros((16, 16 * 9, 3), np.uint8)
    values = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 40, 40), (40, 200, 40)]
    values += [(40, 40, 200), (224, 172, 140), (110, 70, 50), (250, 240, 10)]
    for number, value in enumerate(values):
        patches[:, 16 * number : 16 * number + 16] = value
    planes = in_planes(patches, colours)
    shown = in_rgb(planes)
    for number, value in enumerate(values):
        middle = shown[4:12, 16 * number + 4 : 16 * number + 12].reshape(-1, 3)
        assert np.abs(middle.mean(axis=0) - value).max() < 4, value
    greys = levels_of(planes)[luma_of(planes, slice(4, 12), slice(0, 48))]
    greys = greys.reshape(8, 3, 16)[:, :, 4:12]
    assert np.abs(greys.mean(axis=(0, 2)) - [0, 255, 128]).max() < 2


def test_a_part_is_the_same_part() -> None:
    rgb, planes = both()
    (face,) = find_faces(rgb)
    matrix = crop_matrix(face)
    assert apart(warped(rgb, matrix, 256), warped(planes, matrix, 256)) < 2
    # Beyond the edges both are black, or repeat the last pixel.
    moved = matrix + np.array([[0, 0, 150], [0, 0, 150]], np.float32)
    for border in (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE):
        one, other = (warped(each, moved, 256, border=border) for each in (rgb, planes))
        assert apart(one, other) < 2
        assert apart(one[:100, :100], other[:100, :100]) < 2
    assert warped(planes, moved, 256)[:40, :40].max() == 0
    assert apart(scaled(rgb, (192, 192)), scaled(planes, (192, 192))) < 2
    assert apart(rgb, in_rgb(planes)) < 3
    for times in range(3):
        assert apart(halved(rgb, times), halved(planes, times)) < 3
        assert halved(planes, times).shape == (512 >> times, 512 >> times, 3)


@pytest.mark.parametrize("odd", [(0, 1), (1, 0), (1, 1)])
def test_sides_that_are_odd(odd: tuple[int, int]) -> None:
    rgb = pixels()[: 400 + odd[0], : 400 + odd[1]]
    planes = in_planes(rgb, Colours(0, False))
    assert planes.shape == rgb.shape == in_rgb(planes).shape
    assert apart(rgb, in_rgb(planes)) < 3
    (one,), (other,) = find_faces(rgb), find_faces(planes)
    assert np.abs(one.box - other.box).max() < 2


def test_what_is_read_in_planes_is_what_is_read_in_rgb() -> None:
    rgb, planes = both()
    (face,), (seen,) = (find_faces(each, parts=WHOLE) for each in (rgb, planes))
    assert np.abs(face.box - seen.box).max() < 1
    one, other = find_landmarks(rgb, face), find_landmarks(planes, face)
    assert one is not None
    assert other is not None
    eyes = float(np.hypot(*(one.points[263] - one.points[33])[:2]))
    off = np.hypot(*(one.points - other.points)[:, :2].T).mean() / eyes
    assert off < 0.005, "half of a hundredth of the eyes' distance"
    assert apart(tight_crop(rgb, one, 112), tight_crop(planes, one, 112)) < 2
    quality, told = measure_quality(rgb, face, one), measure_quality(planes, face, other)
    for name, value in quality.items():
        assert told[name] == pytest.approx(value, rel=0.05, abs=0.02), name
    assert np.abs(find_body(rgb) - find_body(planes))[:7, :2].max() < 0.02


def stored_for(picture: Pixels, turn: Turn) -> Pixels:
    """The picture as it must be stored to be shown upright."""
    rows, columns = (
        slice(None, None, -1 if each else 1) for each in (turn.mirror_rows, turn.mirror_columns)
    )
    picture = picture[rows, columns]
    return picture.transpose(1, 0, 2) if turn.swap else picture


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("sides", [(512, 384), (511, 383)])
def test_what_is_stored_turned_is_seen_upright(turn: Turn, sides: tuple[int, int]) -> None:
    rgb = pixels()[: sides[0], : sides[1]]
    planes = replace(in_planes(stored_for(rgb, turn), Colours(1, False)), turn=turn)
    upright = in_planes(rgb, Colours(1, False))
    assert planes.shape == rgb.shape
    assert apart(in_rgb(planes), in_rgb(upright)) < 1
    assert apart(scaled(planes, (96, 128)), scaled(upright, (96, 128))) < 1
    matrix = crop_matrix(find_faces(rgb)[0])
    for border in (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE):
        moved = matrix + np.array([[0, 0, 90], [0, 0, -60]], np.float32)
        one, other = (warped(each, moved, 112, border=border) for each in (planes, upright))
        assert apart(one, other) < 1
    part = luma_of(planes, slice(10, 200), slice(50, 370))
    right = luma_of(upright, slice(10, 200), slice(50, 370))
    assert (part == right).all()
    face = find_faces(rgb)[0]
    landmarks = find_landmarks(rgb, face)
    assert measure_quality(planes, face, landmarks) == pytest.approx(
        measure_quality(upright, face, landmarks), rel=0.02
    )
    if sides == (512, 384):
        assert apart(halved(planes, 2), halved(upright, 2)) < 1


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_a_larger_face_is_averaged_and_not_picked_from(times: int) -> None:
    """Lines one pixel wide, across the picture and down: what is left of them is their grey."""
    lines = np.zeros((600, 600), np.uint8)
    lines[::2, 1::2] = lines[1::2, ::2] = 255
    rgb = cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB)
    size, extent = 64, 64.0 * times + 3.3
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = 300
    points[33, :2], points[263, :2] = (300 - extent / 2, 300.2), (300 + extent / 2, 300.2)
    landmarks = Landmarks(points, 1.0, np.zeros((128, 4, 4), np.float32))
    for picture in (rgb, in_planes(rgb, Colours(0, True))):
        left = tight_crop(picture, landmarks, size)
        assert left.mean() == pytest.approx(127.5, abs=3)
        assert left.std() < 20, "of 127 before"


def test_the_middle_of_a_face_stays_where_it_is_however_it_is_averaged() -> None:
    rows, columns = np.mgrid[0:256, 0:256].astype(np.uint8)
    ramp = np.stack([columns, rows, columns], axis=-1)
    for scale in (0.4, 0.3):
        matrix = np.array([[scale, 0, 4.0], [0, scale, -2.0]], np.float32)
        middle = np.array([31.5 - 4, 31.5 + 2, 31.5 - 4]) / scale
        for finer in (1, 2, 3, 4):
            found = warped(ramp, matrix, 64, finer=finer)[8:56, 8:56].mean(axis=(0, 1))
            assert np.abs(found - middle).max() < 0.4, "pixels of the picture, and rounding"
