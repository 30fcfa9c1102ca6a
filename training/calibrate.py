"""Fit and choose the calibration of the expression pack, and measure it on held-out photographs.

    python -m training.calibrate --data fer2013_train_valid.npz             prints the tables
    ... --write                                                            and writes the pack's files

``--data`` holds ``x_valid`` (n, 48, 48) uint8, ``y_valid`` (n,) and ``labels``: FER2013's validation part.
Only that part is used: the models were trained on the other. Nothing of the data is written anywhere.
Every figure is of photographs that had no part in its fit (ten folds, a seed).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from emotion.inference.calibration import class_thresholds, tempered
from emotion.inference.crops import resized
from emotion.inference.evaluation import balanced, calibration_error, report
from emotion.inference.expressions import Member, expression_pack
from emotion.inference.intervals import bootstrap, wilson
from emotion.inference.labels import LABELS
from emotion.inference.models import BUILT_IN, read_pack
from training.fitting import WAYS, Array, fit_temperature
from training.references import write_references
from training.sets import SETS
from training.votes import folds_of, votes_of

COVERAGE = 0.9
FOLDS = 10
DATA = "FER2013, validation part: 3,589 labelled photographs of 48 x 48 pixels, fed as they are"
MOST_IN_SET = 2


def held_out(votes: Array, truth: Array, way: Any) -> Array:
    """Each row's probabilities by a fit that did not see it, (n, k)."""
    found, folds = np.zeros(votes.shape[1:]), folds_of(truth, FOLDS)
    for fold in range(FOLDS):
        seen, other = folds != fold, folds == fold
        found[other] = way(votes[:, seen], truth[seen], votes[:, other])
    return found


def surprise(probabilities: Array, truth: Array) -> Array:
    """The negative log-likelihood of each row, (n,)."""
    chances = probabilities[np.arange(len(truth)), truth]
    return -np.log(np.clip(chances, 1e-9, 1))


def compare_ways(votes: Array, truth: Array) -> None:
    """A row for each way: its figures, and each one's difference from the arithmetic mean's."""
    found = {name: held_out(votes, truth, way) for name, way in WAYS.items()}
    print("| way | log loss | calibration error | right | balanced |\n|---|---|---|---|---|")
    base = measures_of(found["arithmetic mean"], truth)
    for name, probabilities in found.items():
        cells = []
        for (measure, one), (_same, other) in zip(
            measures_of(probabilities, truth), base, strict=True
        ):
            rows = np.arange(len(truth))
            shown = f"{one(rows):{measure}}"
            if name != "arithmetic mean":
                apart = bootstrap(lambda rows, one=one, other=other: one(rows) - other(rows), truth)
                shown += f" ({apart[1]:+.3f} to {apart[2]:+.3f})"
            cells.append(shown)
        print(f"| {name} | {' | '.join(cells)} |")


def measures_of(probabilities: Array, truth: Array) -> list[tuple[str, Callable[[Array], float]]]:
    """Log loss, calibration error, share right, balanced: how each is written, and of given rows."""
    lost = surprise(probabilities, truth)
    right = probabilities.argmax(1) == truth
    return [
        (".3f", lambda rows: float(lost[rows].mean())),
        (".3f", lambda rows: calibration_error(probabilities[rows], truth[rows])),
        (".1%", lambda rows: float(right[rows].mean())),
        (".1%", lambda rows: balanced(right[rows], truth[rows])),
    ]


def split(truth: Array, without: Array) -> tuple[Array, Array]:
    """Of the rows outside ``without``: a third for the temperature, the rest for the thresholds."""
    thirds = folds_of(truth, 3)
    return (thirds == 0) & ~without, (thirds != 0) & ~without


def compare_sets(mean: Array, truth: Array) -> dict[str, tuple[Array, Array]]:
    """A row for each kind of set; the held-out probabilities and sets of each."""
    print("| sets | covered | least covered class | mean size |\n|---|---|---|---|")
    found, folds = {}, folds_of(truth, FOLDS)
    for name, rule in SETS.items():
        probabilities, sets = np.zeros_like(mean), np.zeros(mean.shape, bool)
        for fold in range(FOLDS):
            other = folds == fold
            fit, rest = split(truth, other)
            tempering = fit_temperature(mean[fit], truth[fit])
            known = tempered(mean[rest], tempering)
            probabilities[other] = tempered(mean[other], tempering)
            sets[other] = rule(known, truth[rest], probabilities[other], COVERAGE)
        covered = sets[np.arange(len(truth)), truth]
        least = min(range(len(LABELS)), key=lambda label: covered[truth == label].mean())
        value, low, high = wilson(int(covered.sum()), len(truth))
        worst = wilson(int(covered[truth == least].sum()), int((truth == least).sum()))
        print(
            f"| {name} | {value:.1%} ({low:.1%} to {high:.1%}) | {LABELS[least]} {worst[0]:.1%} "
            f"({worst[1]:.1%} to {worst[2]:.1%}) | {sets.sum(1).mean():.2f} |"
        )
        found[name] = (probabilities, sets)
    return found


def compare_abstention(probabilities: Array, truth: Array, sets: Array) -> None:
    """A row for each rule of when to say nothing."""
    hit, sizes = probabilities.argmax(1) == truth, sets.sum(1)
    rules = {f"at most {most} in the set": sizes <= most for most in (1, 2, 3)}
    rules |= {f"share over {least}": probabilities.max(1) > least for least in (0.4, 0.5, 0.6)}
    print("| says something when | on | right then |\n|---|---|---|")
    for name, said in rules.items():
        on, right = (
            wilson(int(said.sum()), len(said)),
            wilson(int(hit[said].sum()), int(said.sum())),
        )
        print(f"| {name} | {on[0]:.1%} | {right[0]:.1%} ({right[1]:.1%} to {right[2]:.1%}) |")


def compare_mirroring(both: Array, truth: Array) -> None:
    """What the mirrored face adds to the arithmetic mean. both: (models, 2, n, k)."""
    once, twice = both[:, 0].mean(0), both.mean(axis=(0, 1))
    hits = [probabilities.argmax(1) == truth for probabilities in (once, twice)]
    value, low, high = bootstrap(
        lambda rows: float(hits[1][rows].mean() - hits[0][rows].mean()), truth
    )
    print(
        f"mirroring: right {hits[0].mean():.1%} without, {hits[1].mean():.1%} with; {value:+.1%} "
        f"({low:+.1%} to {high:+.1%})"
    )


def calibration_of(
    mean: Array, truth: Array, measured: dict[str, Any], date: str
) -> dict[str, Any]:
    """What is written to ``calibration.json``: fitted on all of the data, its figures on held-out parts."""
    fit, rest = split(truth, np.zeros(len(truth), bool))
    temperature = round(fit_temperature(mean[fit], truth[fit]), 4)
    thresholds = class_thresholds(tempered(mean[rest], temperature), truth[rest], COVERAGE)
    return {
        "schema": 1,
        "method": "temperature on the arithmetic mean of the votes",
        "temperature": temperature,
        "sets": {
            "method": "split-conformal, score 1 - p (LAC), a threshold for each class",
            "coverage": COVERAGE,
            "thresholds": {
                label: float(np.floor(value * 1e6) / 1e6)
                for label, value in zip(LABELS, thresholds, strict=True)
            },
        },
        "abstain": {
            "most_in_set": MOST_IN_SET,
            "named": rounded(measured["sets"]["named"]),
            "right": rounded(measured["sets"]["right_when_named"]),
        },
        "data": "FER2013, validation part",
        "faces": {"temperature": int(fit.sum()), "thresholds": int(rest.sum())},
        "date": date,
        "by": "python -m training.calibrate",
    }


def rounded(value: Any) -> Any:
    """Numbers to four places, inside whatever holds them."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def write(folder: Path, calibration: dict[str, Any], measured: dict[str, Any], sha256: str) -> None:
    """Write the pack's calibration and references, all checksums, and the report that names them."""
    (folder / "calibration.json").write_text(json.dumps(calibration, indent=2) + "\n")
    write_checksums(folder)
    write_references(folder)
    write_checksums(folder)
    found = {
        "data": DATA,
        "data_sha256": sha256,
        "date": calibration["date"],
        "note": "Each photograph was measured with a calibration that had not seen it (ten folds).",
        **rounded(measured),
    }
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    reports = {"schema": 1, "pack_sha256": digest, "reports": [found]}
    (folder / "evaluation.json").write_text(json.dumps(reports, indent=1) + "\n")


def write_checksums(folder: Path) -> None:
    """The checksum of everything in the pack that is no model, into its manifest."""
    path = folder / "manifest.json"
    listed = json.loads(path.read_text())
    left_out = {"manifest.json", "evaluation.json", *(entry["file"] for entry in listed["files"])}
    files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    listed["also"] = {
        name: hashlib.sha256(files[name].read_bytes()).hexdigest()
        for name in sorted(set(files) - left_out)
    }
    path.write_text(json.dumps(listed, indent=2) + "\n")
    expression_pack.cache_clear()


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pack", type=Path, default=BUILT_IN)
    parser.add_argument("--date", help="of the fit, YYYY-MM-DD; needed to write")
    parser.add_argument("--write", action="store_true", help="write into the pack")
    asked = parser.parse_args()
    if asked.write and not asked.date:
        parser.error("--write needs --date")
    with np.load(asked.data) as file:
        names = [str(name) for name in file["labels"]]
        truth = np.array([LABELS.index(names[number]) for number in file["y_valid"]])
        images = np.repeat(file["x_valid"][..., None], 3, axis=3)
    members = [Member.of(entry) for entry in read_pack(asked.pack)["files"]]
    both = votes_of(
        members, lambda start, size, side: resized(images[start : start + size], side), len(truth)
    )
    votes = both.mean(axis=1)
    compare_mirroring(both, truth)
    compare_ways(votes, truth)
    mean = votes.mean(axis=0)
    kinds = compare_sets(mean, truth)
    probabilities, sets = kinds["LAC, per class"]
    compare_abstention(probabilities, truth, sets)
    measured = report(probabilities, truth, sets, MOST_IN_SET, LABELS)
    if asked.write:
        sha256 = hashlib.sha256(asked.data.read_bytes()).hexdigest()
        write(asked.pack, calibration_of(mean, truth, measured, asked.date), measured, sha256)


if __name__ == "__main__":
    main()
