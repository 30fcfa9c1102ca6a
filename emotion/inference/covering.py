"""What is kept of a picture: the person's own head, and of everybody and everything else nothing.

Whoever else is in the picture has not agreed. A detector overlooks people (in profile, half hidden, far
away), so it is not asked whom to cover: all that lies beside the person's own head becomes a mosaic of a
few cells to a face, found or not, and a face that was found is filled with one colour before. A blur would
not do, because it can be undone, and machines recognise faces in mosaics of ordinary size (Hill et al.
2016, "On the (In)effectiveness of Mosaicing and Blurring", PoPETs 2016(4); McPherson et al. 2016,
arXiv:1609.00408). People recognise familiar faces down to 7 x 10 pixels (Sinha et al. 2006, Proc. IEEE
94(11)): the cells are larger. In a film even cells would not do: what moves under a mosaic passes through
many of them, and from many pictures together more can be made out. So there all else has one colour.
"""

from __future__ import annotations

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.faces import SAME_FACE_COVERED, Face, covered, faces_in, find_faces

STANDS_OUT = 2.0
"""How many times as large as any other face the person's is: whoever is twice as near is meant."""
HEAD = (0.35, 0.6, 0.35, 0.35)
"""What stays around the box of the person's face: left, top, right, bottom, in sizes of the face."""
WIDER = (0.6, 0.9, 0.6, 0.8)
"""What is filled around another's, likewise: hair, ears and neck."""
CELLS = 4
"""Cells of the mosaic to a size of the person's face; a face that was found is at most half as large."""
FILL = 128
"""The value (0 to 255) of all three colours where a face was found."""


class CannotTell(Exception):
    """It is open which face is the person's, or another lies so near that both would have to stay."""


def standing_out(faces: list[Face]) -> Face | None:
    """The only face, or the one that is ``STANDS_OUT`` times as large as any other; else None."""
    if not faces:
        return None
    person, *others = sorted(faces, key=lambda face: -face.size)
    if others and person.size < STANDS_OUT * others[0].size:
        return None
    return person


def only_the_person(pixels: Pixels) -> Pixels:
    """A new RGB picture of the same shape (H, W, 3): the person's head, and nothing else to be made out.

    Raises CannotTell.
    """
    found = find_faces(pixels)
    person = standing_out(found)
    if person is None:
        raise CannotTell
    others = [face for face in [*found, *beside(pixels, person)] if not is_same(face, person)]
    filled = pixels.copy()
    for face in others:
        box = around(face, WIDER)
        if person.size < STANDS_OUT * face.size or meet(box, person.box):
            raise CannotTell
        filled[cut(box, filled)] = FILL
    made = mosaic(filled, person.size / CELLS)
    head = cut(around(person, HEAD), filled)
    made[head] = filled[head]
    return made


def only_the_head(
    pixels: Pixels, person: Face, others: list[Face]
) -> tuple[tuple[slice, slice], Pixels]:
    """Of one picture of a film: the rows and columns of the person's head, and a copy of what is there.

    person: whose head it is, known from the pictures before. others: faces that were seen besides. Raises
    CannotTell where another lies so near that covering them would cover the person.
    """
    rows, columns = cut(around(person, HEAD), pixels)
    kept = pixels[rows, columns].copy()
    corner = np.array([columns.start, rows.start] * 2, np.float32)
    for face in [*others, *beside(pixels, person)]:
        if is_same(face, person):
            continue
        box = around(face, WIDER)
        if meet(box, person.box):
            raise CannotTell
        kept[cut(box - corner, kept)] = FILL
    return (rows, columns), kept


def beside(pixels: Pixels, person: Face) -> list[Face]:
    """The faces that a closer look at the person's head and beside it finds; the person's is among them.

    What stays is looked at once more, because the mosaic does not cover whoever is overlooked there.
    """
    rows, columns = cut(around(person, (1, 1, 1, 1)), pixels)
    corner = np.array([columns.start, rows.start], np.float32)
    return [
        Face((face.box.reshape(2, 2) + corner).reshape(4), face.points + corner, face.score)
        for face in faces_in(pixels[rows, columns])
    ]


def is_same(face: Face, person: Face) -> bool:
    """Whether it is the person's face once more; a much smaller one in it may be somebody behind."""
    alike = face.size * STANDS_OUT > person.size
    return alike and covered(face.box, person.box) > SAME_FACE_COVERED


def around(face: Face, margins: tuple[float, float, float, float]) -> Array:
    """The box widened on each side by so many sizes of the face."""
    left, top, right, bottom = (each * face.size for each in margins)
    return face.box + np.array([-left, -top, right, bottom], np.float32)


def meet(one: Array, other: Array) -> bool:
    """Whether two boxes have some area in common."""
    return bool((np.minimum(one[2:], other[2:]) > np.maximum(one[:2], other[:2])).all())


def cut(box: Array, pixels: Pixels) -> tuple[slice, slice]:
    """The rows and columns that a box touches, as far as they lie in the picture."""
    height, width = pixels.shape[:2]
    left, top = (int(side) for side in np.floor(box[:2]))
    right, bottom = (int(side) for side in np.ceil(box[2:]))
    return (
        slice(min(max(top, 0), height), min(max(bottom, 0), height)),
        slice(min(max(left, 0), width), min(max(right, 0), width)),
    )


def mosaic(pixels: Pixels, cell: float) -> Pixels:
    """The picture in squares of about ``cell`` pixels, each in its mean colour."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width / cell)), max(1, round(height / cell)))
    coarse = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    made = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    return made.astype(np.uint8, copy=False)
