"""Things drawn over faces, so that it can be measured whether a covered face is recognised.

Each cover is drawn where the landmarks say that mouth or eyes are, in seeded colours, sizes and edges;
beside them stand things that many people wear and that cover neither (glasses, a beard, a fringe), and
poorer pictures. None of this is a photograph of a covered face: what is measured with it is a
measurement on drawings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from training.fitting import Array

JAW = [234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152]
JAW += [377, 400, 378, 379, 365, 397, 288, 361, 323, 454]
"""Landmarks along the lower half of the face's outline, from the right ear to the left."""
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
RIGHT_EYE, LEFT_EYE = (33, 133), (263, 362)
"""Outer and inner corner."""
CHEEKS_AND_FOREHEAD = [50, 280, 10, 151, 205, 425]


@dataclass(frozen=True)
class Site:
    """A picture (H, W, 3), float, 0 to 255, the landmarks of its face (478, 2) and a generator.

    Lengths are in eye distances (outer corner to outer corner), directions along the face's own axes.
    """

    picture: Array
    points: Array
    generator: np.random.Generator

    @property
    def eyes(self) -> float:
        """The eye distance in pixels."""
        return float(np.linalg.norm(self.points[LEFT_EYE[0]] - self.points[RIGHT_EYE[0]]))

    def at(self, landmark: int | Array, across: float = 0.0, down: float = 0.0) -> Array:
        """A point so far from a landmark, towards the person's left and towards the chin, (2,)."""
        start = self.points[landmark] if isinstance(landmark, int) else landmark
        axis = self.points[LEFT_EYE[0]] - self.points[RIGHT_EYE[0]]
        moved: Array = start + across * axis + down * np.array([-axis[1], axis[0]])
        return moved

    def some(self, low: float, high: float) -> float:
        """A random number between two."""
        return float(self.generator.uniform(low, high))

    @property
    def skin(self) -> Array:
        """The colour of cheeks and forehead, (3,)."""
        height, width = self.picture.shape[:2]
        columns, rows = self.points[CHEEKS_AND_FOREHEAD].astype(int).T
        seen = self.picture[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return np.asarray(np.median(seen, axis=0))

    @property
    def mouth(self) -> Array:
        """Where the lips meet, (2,)."""
        return np.asarray(self.points[[13, 14]].mean(axis=0))

    def eye(self, corners: tuple[int, int]) -> Array:
        """The middle of an eye, (2,)."""
        return np.asarray(self.points[list(corners)].mean(axis=0))

    def sheet(self, colour: Array | float, kind: str = "plain") -> Array:
        """A picture of one cloth: a colour with smooth light and, by kind, stripes, checks or mottles."""
        height, width = self.picture.shape[:2]
        found = np.ones((height, width, 3)) * colour + self.mottles(30.0, self.some(0, 18))
        if kind == "mottled":
            found = found + self.mottles(self.some(1, 6), self.some(5, 40))
        elif kind in {"striped", "checked"}:
            rows, columns = np.mgrid[0:height, 0:width]
            turn, period = self.some(0, np.pi), self.some(6, 22)
            ways = [(turn, period), (turn + np.pi / 2, period)][: 1 if kind == "striped" else 2]
            signs = [
                np.sign(np.sin((columns * np.cos(way) + rows * np.sin(way)) * 2 * np.pi / each))
                for way, each in ways
            ]
            found = found + np.prod(signs, axis=0)[..., None] * self.some(15, 70)
        return np.asarray(np.clip(found, 0, 255))

    def mottles(self, width: float, strength: float) -> Array:
        """Smooth noise, (H, W, 1)."""
        drawn = self.generator.normal(0, 1, self.picture.shape[:2]).astype(np.float32)
        smooth = cv2.GaussianBlur(drawn, (0, 0), width)
        return np.asarray(smooth / (smooth.std() + 1e-6) * strength)[..., None]

    def any_kind(self) -> str:
        """One of the kinds of cloth."""
        return str(self.generator.choice(["plain", "striped", "checked", "mottled"]))

    def filled(self, corners: Array | list[Array]) -> Array:
        """The inside of a polygon, (H, W), 0 or 1."""
        found = np.zeros(self.picture.shape[:2], np.float32)
        cv2.fillPoly(found, [fixed(np.array(corners))], 1.0, cv2.LINE_8, 4)
        return found

    def oval(self, middle: Array, across: float, down: float, turn: float = 0.0) -> Array:
        """The inside of an ellipse with these half axes, in eye distances, (H, W)."""
        angles = np.linspace(0, 2 * np.pi, 48)
        x, y = across * np.cos(angles), down * np.sin(angles)
        cos, sin = np.cos(turn), np.sin(turn)
        return self.filled(
            [
                self.at(middle, a * cos - b * sin, a * sin + b * cos)
                for a, b in zip(x, y, strict=True)
            ]
        )

    def stroke(self, onto: Array, start: Array, end: Array, width: float) -> None:
        """Draw a round-ended line, ``width`` in eye distances, into (H, W)."""
        one, other = (tuple(map(int, each)) for each in fixed(np.stack([start, end])))
        cv2.line(onto, one, other, 1.0, max(1, round(width * self.eyes)), cv2.LINE_8, 4)

    def laid_over(self, shape: Array, colour: Array, *, shadow: bool = True) -> Array:
        """The picture with ``colour`` where ``shape`` (H, W) is 1, with soft edges and a shadow."""
        under = self.picture
        if shadow:
            lower = np.zeros_like(shape)
            below = max(1, round(self.eyes * 0.06))
            lower[below:] = shape[:-below]
            dark = cv2.GaussianBlur(lower, (0, 0), self.eyes * 0.08)[..., None]
            under = under * (1 - self.some(0, 0.35) * dark)
        soft = cv2.GaussianBlur(shape, (0, 0), self.some(0.4, 2.5))[..., None]
        return np.asarray(np.clip(under * (1 - soft) + colour * soft, 0, 255))


def fixed(corners: Array) -> Array:
    """Points in sixteenths of a pixel, as OpenCV draws them."""
    return np.round(corners * 16).astype(np.int32)


def mask(site: Site) -> Array:
    """A mask over nose, mouth and chin: in many colours, skin's among them, with folds."""
    light = float(np.clip(site.skin.mean() / 140, 0.5, 1.2))
    colours = [np.array(each) * light for each in ([225] * 3, [28] * 3, [120, 170, 205])]
    colours += [np.full(3, site.some(60, 190)), site.skin * site.some(0.85, 1.15)]
    kind, choice = "plain", int(site.generator.integers(0, 6))
    if choice == len(colours):
        kind, colours = site.any_kind(), [*colours, site.generator.uniform(30, 220, 3)]
    cut = int(site.generator.integers(0, 4))
    jaw = site.points[JAW[cut : len(JAW) - cut]]
    jaw = jaw.mean(axis=0) + (jaw - jaw.mean(axis=0)) * site.some(1.0, 1.1)
    nose = int(site.generator.choice([6, 197, 195, 5]))
    left = site.points[280] * 0.6 + site.points[346] * 0.4
    right = site.points[50] * 0.6 + site.points[117] * 0.4
    top = [left, site.at(nose, 0.12), site.at(nose, -0.12), right]
    cloth = site.sheet(colours[choice], kind)
    folds = np.zeros(cloth.shape[:2], np.float32)
    if site.some(0, 1) < 0.6:
        for down in (0.26, 0.45, 0.64):
            site.stroke(folds, site.at(5, -0.45, down), site.at(5, 0.45, down), 0.01)
    return site.laid_over(site.filled([*jaw, *top]), cloth * (1 - 0.25 * folds[..., None]))


def hand(site: Site, target: Array, turn: float) -> Array:
    """Three or four fingers over a target, coming from a direction, and the palm behind them."""
    number, width = int(site.generator.integers(3, 5)), site.some(0.15, 0.2)
    spread = width * site.some(0.95, 1.25)
    ahead, aside = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    middle = site.at(target, *site.generator.uniform(-0.1, 0.1, 2))
    colour = site.skin * site.some(0.7, 1.2)
    cloth = site.sheet(colour, "mottled") * 0.5 + colour * 0.5
    palm = site.oval(site.at(middle, *(-0.95 * ahead)), 0.48, number * spread * 0.55, turn)
    shown = Site(site.laid_over(palm, cloth), site.points, site.generator)
    for place in range(number):
        base = (place - (number - 1) / 2) * spread * aside
        finger = np.zeros(cloth.shape[:2], np.float32)
        start = site.at(middle, *(base - site.some(0.5, 0.6) * ahead))
        site.stroke(finger, start, site.at(middle, *(base + site.some(0.45, 0.65) * ahead)), width)
        depth = cv2.distanceTransform(finger.astype(np.uint8), cv2.DIST_L2, 3)
        round_ = 0.62 + 0.38 * np.sqrt(np.clip(depth / (width * site.eyes / 2), 0, 1))
        shown = Site(
            shown.laid_over(finger, cloth * round_[..., None]), site.points, site.generator
        )
    return shown.picture


def hand_on_mouth(site: Site) -> Array:
    """A hand from either side over the mouth."""
    side = 0.0 if site.some(0, 1) < 0.5 else np.pi
    return hand(site, site.at(site.mouth, 0, site.some(-0.08, 0.12)), side + site.some(-0.6, 0.6))


def hand_on_half(site: Site) -> Array:
    """A hand from below over one half of the face."""
    side = 0.4 if site.some(0, 1) < 0.5 else -0.4
    return hand(site, site.at(5, side, -0.05), -np.pi / 2 + site.some(-0.4, 0.4))


def hand_on_eye(site: Site) -> Array:
    """A hand from anywhere over one eye."""
    corners = RIGHT_EYE if site.some(0, 1) < 0.5 else LEFT_EYE
    return hand(site, site.eye(corners), site.some(-np.pi, 0))


def lenses(site: Site) -> tuple[list[Array], Array]:
    """The outlines of two lenses, (60, 2) each, and bridge and temples, (H, W)."""
    half, roundness, drop = site.some(0.23, 0.29), site.some(2, 4), site.some(0, 0.06)
    tall = half * site.some(0.72, 1.0)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x, y = (
        np.sign(each) * np.abs(each) ** (2 / roundness) for each in (np.cos(angles), np.sin(angles))
    )
    outlines = [
        np.array(
            [
                site.at(site.eye(corners), half * a, drop + tall * b)
                for a, b in zip(x, y, strict=True)
            ]
        )
        for corners in (RIGHT_EYE, LEFT_EYE)
    ]
    frame, thick = np.zeros(site.picture.shape[:2], np.float32), site.some(0.01, 0.06)
    ends = [(outlines[0][0], outlines[1][30])]
    ends += [(outlines[0][30], site.points[127]), (outlines[1][0], site.points[356])]
    for one, other in ends:
        site.stroke(frame, one, other, thick)
    return outlines, frame


def glare(site: Site, outline: Array) -> Array:
    """A reflection in a lens, (H, W, 1), 0 to 1."""
    middle = site.at(outline.mean(axis=0), *site.generator.uniform(-0.1, 0.1, 2))
    spot = site.oval(middle, site.some(0.06, 0.1), site.some(0.02, 0.04), site.some(0, np.pi))
    return np.asarray(cv2.GaussianBlur(spot, (0, 0), 1.5))[..., None]


def dark_glasses(site: Site) -> Array:
    """Sunglasses through which next to nothing shows; half of them with a reflection."""
    outlines, frame = lenses(site)
    shape = np.maximum(frame, np.maximum(*map(site.filled, outlines)))
    dark = site.some(5, 45) * site.generator.uniform(0.8, 1.2, 3)
    lens = site.sheet(dark)
    if site.some(0, 1) < 0.5:
        lens = lens + site.some(30, 130) * sum(glare(site, each) for each in outlines)
    return site.laid_over(shape * site.some(0.86, 1.0), lens, shadow=False)


def hairs(site: Site, sides: tuple[float, float], ends: tuple[float, float], number: int) -> Array:
    """Strands from above the forehead down, between two sides, to somewhere between two ends."""
    found, tone = site.picture.copy(), site.some(10, 160)
    brow = (site.points[RIGHT_EYE[0]] + site.points[LEFT_EYE[0]]) / 2
    for _strand in range(number):
        side, length = site.some(*sides), site.some(*ends)
        along = np.linspace(0, length, 7)
        strand = [
            site.at(brow, side + 0.06 * np.sin(3 * down + 5 * side), down - 0.95) for down in along
        ]
        colour = np.clip(tone + site.generator.normal(0, 14) + np.array([6, 0, -8]), 0, 255)
        width = int(site.generator.integers(1, 4))
        cv2.polylines(
            found, [fixed(np.array(strand))], False, colour.tolist(), width, cv2.LINE_AA, 4
        )
    return found


def hair(site: Site) -> Array:
    """Hair that hangs over one eye or over both."""
    if site.some(0, 1) < 0.4:
        return hairs(site, (-0.75, 0.75), (1.05, 1.25), 260)
    sides = (-0.8, 0.02) if site.some(0, 1) < 0.5 else (-0.02, 0.8)
    return hairs(site, sides, (1.05, 1.7), 160)


def microphone(site: Site) -> Array:
    """A microphone in front of the mouth."""
    middle = site.at(site.mouth, site.some(-0.1, 0.1), site.some(-0.02, 0.12))
    radius = site.some(0.26, 0.36)
    stick = np.zeros(site.picture.shape[:2], np.float32)
    site.stroke(stick, middle, site.at(middle, site.some(-1.4, 1.4), 2.0), radius * 0.9)
    held = Site(site.laid_over(stick, site.sheet(site.some(10, 60))), site.points, site.generator)
    ball = site.oval(middle, radius, radius * site.some(0.9, 1.25))
    depth = cv2.distanceTransform(ball.astype(np.uint8), cv2.DIST_L2, 3) / (radius * site.eyes)
    grid = site.sheet(site.some(15, 110), "checked") * (0.5 + 0.6 * depth.clip(0, 1))[..., None]
    return held.laid_over(ball, grid)


def scarf(site: Site) -> Array:
    """A scarf from the nose down."""
    top, phase = int(site.generator.choice([5, 4, 1, 2])), site.some(0, 6)
    sides = np.linspace(-1.3, 1.3, 20)
    edge = [
        site.at(top, side, 0.06 * np.sin(4 * side + phase) - 0.12 * abs(side)) for side in sides
    ]
    shape = site.filled([*edge, site.at(top, 1.3, 3), site.at(top, -1.3, 3)])
    return site.laid_over(shape, site.sheet(site.generator.uniform(20, 220, 3), site.any_kind()))


def block(site: Site, middle: Array, half: float, tall: float, lower: float = 1.0) -> Array:
    """A tilted quadrilateral, half as wide as ``half`` says; its lower side is ``lower`` times as wide."""
    turn = site.some(-0.3, 0.3)
    cos, sin = np.cos(turn), np.sin(turn)
    sides = [(-half, -tall), (half, -tall), (half * lower, tall), (-half * lower, tall)]
    return site.filled([site.at(middle, a * cos - b * sin, a * sin + b * cos) for a, b in sides])


def cup(site: Site) -> Array:
    """A cup at the mouth."""
    middle = site.at(site.mouth, site.some(-0.08, 0.08), site.some(0.25, 0.4))
    shape = block(site, middle, site.some(0.38, 0.5), site.some(0.35, 0.55), site.some(0.7, 1.0))
    return site.laid_over(shape, site.sheet(site.generator.uniform(20, 240, 3), site.any_kind()))


def telephone(site: Site) -> Array:
    """A telephone or a card before one half of the face."""
    side = site.some(0.3, 0.5) * (1 if site.some(0, 1) < 0.5 else -1)
    middle = site.at(4, side, site.some(-0.2, 0.2))
    shape = block(site, middle, site.some(0.38, 0.5), site.some(0.75, 1.0))
    return site.laid_over(shape, site.sheet(site.some(8, 200)))


def bar(site: Site) -> Array:
    """A bar over both eyes, as pictures are made anonymous with."""
    middle = (site.points[RIGHT_EYE[0]] + site.points[LEFT_EYE[0]]) / 2
    half, tall = site.some(0.75, 1.0), site.some(0.17, 0.26)
    sides = [(-half, -tall), (half, -tall), (half, tall), (-half, tall)]
    shape = site.filled([site.at(middle, *each) for each in sides])
    return site.laid_over(shape, site.sheet(site.some(5, 240), site.any_kind()), shadow=False)


def plain(site: Site) -> Array:
    """The picture as it is."""
    return site.picture


def glasses(site: Site) -> Array:
    """Ordinary glasses: a frame, lenses with a little tint, half of them with a reflection."""
    outlines, frame = lenses(site)
    for outline in outlines:
        for one, other in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            site.stroke(frame, one, other, 0.03)
    tinted = np.maximum(*map(site.filled, outlines)) * site.some(0, 0.25)
    seen = Site(
        site.laid_over(tinted, site.sheet(site.some(60, 240)), shadow=False),
        site.points,
        site.generator,
    ).laid_over(frame, site.sheet(site.some(10, 120)), shadow=False)
    if site.some(0, 1) < 0.4:
        seen = seen + site.some(40, 150) * glare(site, outlines[site.generator.integers(0, 2)])
    return np.asarray(np.clip(seen, 0, 255))


def beard(site: Site) -> Array:
    """A beard, from stubble to full, with or without a moustache; the lips show."""
    jaw = site.points[JAW[2:-2]]
    upper = [425, 391, 2, 165, 205] if site.some(0, 1) < 0.6 else [425, 410, 287, 17, 57, 186, 205]
    shape = site.filled([*jaw, *site.points[upper]]) * (1 - site.filled(site.points[LIPS]))
    shape = cv2.GaussianBlur(shape, (0, 0), site.eyes * site.some(0.015, 0.06))
    strands = site.mottles(1.2, site.some(5, 22))
    colour = np.clip(site.some(8, 110) + strands + np.array([6, 0, -6]), 0, 255)
    return site.laid_over(shape * site.some(0.5, 0.97), colour, shadow=False)


def fringe(site: Site) -> Array:
    """Hair down to the brows."""
    return hairs(site, (-0.85, 0.85), (0.45, 0.68), 240)


def dark(site: Site) -> Array:
    """Little light."""
    return np.asarray(255 * (site.picture / 255) ** site.some(1.2, 2.2) * site.some(0.4, 0.9))


def bright(site: Site) -> Array:
    """Much light."""
    return np.asarray(255 * (site.picture / 255) ** site.some(0.5, 0.85))


def blurred(site: Site) -> Array:
    """Out of focus."""
    return cv2.GaussianBlur(site.picture, (0, 0), site.some(0.02, 0.05) * site.eyes)


def noisy(site: Site) -> Array:
    """A sensor's noise."""
    noise = site.generator.normal(0, site.some(4, 14), site.picture.shape[:2])
    return np.asarray(np.clip(site.picture + noise[..., None], 0, 255))


def small(site: Site) -> Array:
    """From an eighth to a fifth of the pixels along each side."""
    height, width = site.picture.shape[:2]
    share = site.some(0.125, 0.2)
    few = cv2.resize(site.picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR))


Drawing = Callable[[Site], Array]

COVERS: dict[str, Drawing] = {
    "mask": mask,
    "scarf": scarf,
    "hand on the mouth": hand_on_mouth,
    "cup": cup,
    "microphone": microphone,
    "hand on one half": hand_on_half,
    "telephone": telephone,
    "hand on an eye": hand_on_eye,
    "hair over the eyes": hair,
    "bar over the eyes": bar,
    "dark glasses": dark_glasses,
}
"""What hides a mouth or an eye."""
WORN: dict[str, Drawing] = {"glasses": glasses, "beard": beard, "fringe": fringe}
"""What people wear and hides neither."""
POORER: dict[str, Drawing] = {
    "dark": dark,
    "bright": bright,
    "blurred": blurred,
    "noisy": noisy,
    "small": small,
}
"""Pictures that are worse and still uncovered."""
