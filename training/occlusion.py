"""Fit the sign of a covered mouth or eye to drawn covers, and measure it on other faces.

    python -m training.occlusion --data fer2013_train_valid.npz            prints the tables
    ... --photographs FOLDER                      and those of these photographs (JPEG, PNG)
    ... --write                                   and writes the pack's weights and checksum

``--data`` holds ``x_train``, ``x_valid`` (n, 48, 48) uint8, ``y_valid`` (n,) and ``labels``: FER2013. Its
training part is fitted to, and sets the limit (faces that had no part in that fit); the validation part is
only measured on. Nothing of the data is written anywhere but the weights.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from emotion.inference.faces import WHOLE, find_faces
from emotion.inference.intervals import SEED, wilson
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.occlusion import PACK, WEIGHTS
from emotion.inference.pose import find_pose
from emotion.inference.quality import verdict
from training.calibrate import write_checksums
from training.covers import COVERS, POORER, WORN, Drawing, Site, plain
from training.fitting import Array

ENLARGED, BORDER = 4, 12
"""FER2013's faces fill their pictures: a border for the detector, then as large as a webcam's."""
FITTED_TO = 2500
"""Of FER2013's training part, the first so many; the rest would change nothing but the time it takes."""
FALSE_ALARMS = 0.02
"""Of uncovered faces to fit to, six in ten of which are made poorer: fewer of those as they are."""
RIDGE = 0.01
CLOSE = 0.05
"""How far a Newton step is worked out, as a share: enough, because the next one goes on from there."""
FAMILIES = [
    ("mask", "scarf"),
    ("hand on the mouth", "hand on one half", "hand on an eye"),
    ("cup", "microphone", "telephone"),
    ("hair over the eyes",),
    ("bar over the eyes",),
    ("dark glasses",),
]
"""Covers that are alike: what a fit sees that never saw one of the family is as far as it generalises."""
DRAWINGS: dict[str, Drawing] = {"plain": plain} | COVERS | WORN | POORER


@dataclass(frozen=True)
class Looks:
    """What the landmark model saw: a row for each picture.

    kind: of DRAWINGS. source: number of the face. status: "read", or why nothing would be read anyway.
    turn: degrees. light: mean of the picture, 0 to 255. cells: (n, 2048).
    """

    kind: Array
    source: Array
    status: Array
    turn: Array
    light: Array
    cells: Array

    def where(self, chosen: Array) -> Looks:
        """Some of the rows."""
        return Looks(*(values[chosen] for values in vars(self).values()))

    @property
    def read(self) -> Looks:
        """The rows that would be read but for a cover."""
        return self.where(self.status == "read")

    @property
    def covered(self) -> Array:
        """Which rows have a cover, (n,)."""
        return np.isin(self.kind, list(COVERS))


def joined(parts: Sequence[Looks]) -> Looks:
    """Looks as one."""
    return Looks(
        *(
            np.concatenate(each)
            for each in zip(*(vars(part).values() for part in parts), strict=True)
        )
    )


def enlarged(face: Array) -> Array:
    """A face of FER2013, (48, 48), as a picture (288, 288, 3), float."""
    sides = (BORDER,) * 4
    framed = cv2.copyMakeBorder(face, *sides, cv2.BORDER_REPLICATE)
    large = cv2.resize(framed, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    return np.repeat(large[..., None], 3, axis=2).astype(float)


def coarse(picture: Array) -> Array:
    """As few pixels as the face had, so that a cover is not known by being sharper than the face."""
    share = 1 / ENLARGED
    few = cv2.resize(bytes_of(picture), None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return cv2.resize(few, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC).astype(
        float
    )


def bytes_of(picture: Array) -> Array:
    """Values 0 to 255 as pixels."""
    return np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8))


def tinted(picture: Array, generator: np.random.Generator) -> Array:
    """Half of the grey pictures in the colours of some skin."""
    if generator.random() < 0.5:
        return picture
    green = generator.uniform(0.65, 0.95)
    return picture * np.array([1.0, green, green - generator.uniform(0.0, 0.2)])


def look(pixels: Array, *, followed: bool) -> tuple[Landmarks, str, float] | None:
    """Landmarks, status and turn of the largest face; None where there is none.

    followed: from a crop as in a film, made of the landmarks of the picture before.
    """
    faces = find_faces(pixels, parts=WHOLE)
    found = find_landmarks(pixels, faces[0]) if faces else None
    if found is not None and followed:
        found = find_landmarks(pixels, found.face)
    if found is None:
        return None
    turn = find_pose(found.points, pixels.shape[1], pixels.shape[0]).turn
    return found, verdict({"certainty": found.presence, "turn_degrees": turn}), turn


def looks_at(
    picture: Array,
    source: int,
    kinds: Iterable[str],
    generator: np.random.Generator,
    *,
    finish: Sequence[str] = (),
    grey: bool = False,
) -> Looks | None:
    """One face with each of these drawings; None where it would not be read as it is.

    finish: poorer pictures, one of which is made of six in ten. grey: a face of FER2013.
    """
    base = look(bytes_of(picture), followed=False)
    if base is None or base[1] != "read":
        return None
    points, rows = base[0].points[:, :2].astype(float), []
    for kind in kinds:
        drawn = tinted(picture, generator) if grey else picture
        drawn = DRAWINGS[kind](Site(drawn, points, generator))
        drawn = coarse(drawn) if grey else drawn
        if finish and generator.random() < 0.6:
            poorer = POORER[str(generator.choice(list(finish)))]
            drawn = poorer(Site(drawn, points, generator))
        seen = look(bytes_of(drawn), followed=bool(generator.random() < 0.5))
        found, status, turn = seen or (None, "no-face", 0.0)
        cells = found.cells.reshape(-1) if found else np.zeros(2048, np.float32)
        rows.append((kind, source, status, turn, picture.mean(), cells))
    return Looks(*(np.array(each) for each in zip(*rows, strict=True)))


def fitted_faces(faces: Array, start: int) -> list[Looks]:
    """Faces to fit to, numbered from ``start``: glasses and dark glasses each, other covers by chance."""
    found = []
    others = [kind for kind in COVERS if kind != "dark glasses"]
    for source, face in enumerate(faces, start):
        generator = np.random.default_rng([SEED, 0, source])
        kinds = ["plain", "glasses", str(generator.choice(["beard", "fringe"])), "dark glasses"]
        kinds += list(generator.choice(others, 3, replace=False))
        seen = looks_at(enlarged(face), source, kinds, generator, finish=list(POORER), grey=True)
        found += [seen] if seen else []
    return found


def measured_faces(faces: Array, start: int) -> list[Looks]:
    """Faces to measure on: plain, something worn, a poorer picture, two covers."""
    found = []
    for source, face in enumerate(faces, start):
        generator = np.random.default_rng([SEED, 1, source])
        kinds = ["plain", str(generator.choice(list(WORN))), str(generator.choice(list(POORER)))]
        kinds += list(generator.choice(list(COVERS), 2, replace=False))
        seen = looks_at(enlarged(face), source, kinds, generator, grey=True)
        found += [seen] if seen else []
    return found


def photographed(folder: Path) -> Looks:
    """Every face that can be read in a folder of photographs, in colour, also mirrored, with everything."""
    found = []
    for file in sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"}):
        pixels = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        for face in find_faces(pixels):
            side = round(face.size * 2.2)
            shift = side / 2 - (face.box[:2] + face.box[2:]) / 2
            matrix = np.concatenate([np.eye(2), shift[:, None]], axis=1)
            cut = cv2.warpAffine(pixels, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
            picture = cv2.resize(cut, (300, 300), interpolation=cv2.INTER_AREA).astype(float)
            for way in (picture, np.ascontiguousarray(picture[:, ::-1])):
                generator = np.random.default_rng([SEED, 2, len(found)])
                kinds = ["plain", *DRAWINGS, *WORN, *COVERS]
                seen = looks_at(way, len(found) // 2, kinds, generator)
                found += [seen] if seen else []
    return joined(found)


def in_parts(work: Callable[[Array, int], list[Looks]], faces: Array, processes: int) -> Looks:
    """All faces through ``work``, by several processes."""
    starts = range(0, len(faces), 100)
    with ProcessPoolExecutor(processes) as pool:
        done = pool.map(work, [faces[at : at + 100] for at in starts], starts)
        return joined([looks for part in done for looks in part])


@dataclass(frozen=True)
class Fit:
    """weights: (2048,); bias: such that the limit lies at a score of 0."""

    weights: Array
    bias: float

    def scores(self, looks: Looks) -> Array:
        """Above 0 where a cover is seen, (n,)."""
        return np.asarray(looks.cells @ self.weights + self.bias)


def logistic(terms: Array, truth: Array, ridge: float = RIDGE) -> Array:
    """Least negative log-likelihood of sigmoid(terms @ theta) with a ridge, by truncated Newton steps.

    ``fitting.newton`` builds the whole second derivative: for 2,049 terms four million sums over all rows.

    terms: (n, d) float32, twice as fast; the last is the constant one and is not drawn to 0.
    """
    terms, truth = terms.astype(np.float32), truth.astype(np.float32)
    theta = np.zeros(terms.shape[1], np.float32)
    drawn = np.full(len(theta), ridge, np.float32)
    drawn[-1] = 1e-6
    number = np.float32(len(truth))
    for _step in range(25):
        chances = 1 / (1 + np.exp(-np.clip(terms @ theta, -30, 30)))
        slope = terms.T @ (chances - truth) / number + drawn * theta
        if np.linalg.norm(slope) < 1e-5:
            break
        curve = chances * (1 - chances) / number
        theta = theta - conjugate(partial(curvature, terms, curve, drawn), slope)
    return theta


def curvature(terms: Array, curve: Array, drawn: Array, along: Array) -> Array:
    """The second derivative's product with a direction."""
    return np.asarray(terms.T @ (curve * (terms @ along)) + drawn * along)


def conjugate(times: Callable[[Array], Array], right: Array, steps: int = 200) -> Array:
    """Solve times(x) = right closely by conjugate gradients (Hestenes and Stiefel 1952)."""
    found = np.zeros_like(right)
    rest, way = right.copy(), right.copy()
    size = rest @ rest
    for _step in range(steps):
        turned = times(way)
        share = size / (way @ turned)
        found += share * way
        rest -= share * turned
        before, size = size, rest @ rest
        if size < CLOSE**2 * (right @ right):
            break
        way = rest + size / before * way
    return found


def fit(looks: Looks) -> Fit:
    """The regression on looks, its limit not yet set."""
    middle, width = looks.cells.mean(axis=0), looks.cells.std(axis=0) + 0.01
    even = (looks.cells - middle) / width
    theta = logistic(np.concatenate([even, np.ones((len(even), 1))], axis=1), looks.covered)
    weights = theta[:-1] / width
    return Fit(weights, float(theta[-1] - middle @ weights))


def limited(found: Fit, scores: Array) -> Fit:
    """A fit whose limit lies where few of these scores, of plain pictures, are above it."""
    return Fit(found.weights, found.bias - float(np.quantile(scores, 1 - FALSE_ALARMS)))


def with_limit(looks: Looks) -> Fit:
    """The regression on looks, with its limit where few faces that had no part in a fit are called covered.

    Five fits, each on four fifths of the faces, score the plain pictures of the other fifth.
    """
    scores = []
    for fold in range(5):
        other = looks.source % 5 == fold
        plain_ones = looks.where(other & (looks.kind == "plain"))
        scores.append(fit(looks.where(~other)).scores(plain_ones))
    return limited(fit(looks), np.concatenate(scores))


def share(hits: Array) -> str:
    """A share with its interval and of how many."""
    value, low, high = wilson(int(hits.sum()), len(hits))
    return f"{value:.1%} ({low:.1%} to {high:.1%}) of {len(hits):,}"


def print_covers(looks: Looks, found: Fit, without: dict[str, Fit]) -> None:
    """How many of each kind of cover are recognised, and how many by a fit that never saw its family.

    without: those fits, the limit of each set on the measured plain faces.
    """
    print(
        "\n| cover | not read anyway | of the rest recognised | its family not seen in the fit | read |"
    )
    print("|---|---|---|---|---|")
    for kind in [*COVERS, "all covers"]:
        rows = looks.where(looks.covered if kind == "all covers" else looks.kind == kind)
        rest = rows.read
        hits = found.scores(rest) > 0
        unseen = share(without[kind].scores(rest) > 0) if kind in without else ""
        left = np.zeros(len(rows.kind), bool)
        left[: len(hits) - int(hits.sum())] = True
        stopped = share(rows.status != "read")
        print(f"| {kind} | {stopped} | {share(hits)} | {unseen} | {share(left)} |")


def print_alarms(looks: Looks, found: Fit, groups: dict[str, Array]) -> None:
    """How many uncovered faces are called covered, in each group of rows."""
    print("\n| uncovered | called covered |\n|---|---|")
    hits = found.scores(looks) > 0
    for name, rows in groups.items():
        if rows.any():
            print(f"| {name} | {share(hits[rows])} |")


def alarm_groups(looks: Looks, labels: Array | None) -> dict[str, Array]:
    """Groups of rows: plain pictures, what is worn, poorer pictures; of the plain ones more."""
    plain_ones = looks.kind == "plain"
    found = {kind: looks.kind == kind for kind in ["plain", *WORN, *POORER]}
    middle = np.median(looks.light[plain_ones])
    found["plain, darker half of the pictures"] = plain_ones & (looks.light <= middle)
    found["plain, lighter half of the pictures"] = plain_ones & (looks.light > middle)
    for low, high in ((0, 15), (15, 30), (30, 45)):
        turned = (looks.turn >= low) & (looks.turn < high)
        found[f"plain, turned by {low} to {high} degrees"] = plain_ones & turned
    if labels is not None:
        for label in np.unique(labels):
            found[f"plain, {label}"] = plain_ones & (labels[looks.source] == label)
    return found


def write(found: Fit) -> None:
    """Write the weights, and their checksum into the manifest."""
    body = io.BytesIO()
    weights = found.weights.astype(np.float32).reshape(128, 4, 4)
    np.savez(body, weights=weights, bias=np.float32(found.bias))
    (PACK / WEIGHTS).write_bytes(body.getvalue())
    write_checksums(PACK)


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, help="a folder of photographs in colour")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the pack's weights")
    asked = parser.parse_args()
    with np.load(asked.data) as data:
        faces = data["x_train"][:FITTED_TO], data["x_valid"]
        labels = data["labels"][data["y_valid"]]
    known = in_parts(fitted_faces, faces[0], asked.processes).read
    found = with_limit(known)
    measured = in_parts(measured_faces, faces[1], asked.processes)
    faced = measured.read.where(measured.read.kind == "plain")
    without: dict[str, Fit] = {}
    for family in FAMILIES:
        blind = fit(known.where(~np.isin(known.kind, family)))
        without |= dict.fromkeys(family, limited(blind, blind.scores(faced)))
    print(f"fitted to {len(known.kind):,} pictures of {len(np.unique(known.source)):,} faces")
    print_covers(measured, found, without)
    print_alarms(measured.read, found, alarm_groups(measured.read, labels))
    if asked.photographs:
        coloured = photographed(asked.photographs)
        print(
            f"\n{len(np.unique(coloured.source))} faces in photographs in colour, each also mirrored"
        )
        print_covers(coloured, found, without)
        print_alarms(coloured.read, found, alarm_groups(coloured.read, None))
    if asked.write:
        write(found)


if __name__ == "__main__":
    main()
