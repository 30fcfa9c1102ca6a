"""The figures of an evaluation, on tables whose figures are known by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from emotion.inference.evaluation import (
    calibration_error,
    confusion,
    report,
    selective,
    suspicious,
)
from emotion.inference.intervals import bootstrap, share_of, student, wilson

LABELS = ("a", "b")


def faces(*cells: tuple[int, int, float, int]) -> tuple[np.ndarray, np.ndarray]:
    """(truth, called, how sure, how many) as probabilities and truth."""
    probabilities, truth = [], []
    for true, called, sure, number in cells:
        row = [1 - sure, 1 - sure]
        row[called] = sure
        probabilities += [row] * number
        truth += [true] * number
    return np.array(probabilities), np.array(truth)


def test_wilson_is_the_published_interval() -> None:
    assert wilson(8, 10) == pytest.approx([0.8, 0.4902, 0.9433], abs=1e-4)  # Agresti and Coull 1998
    assert wilson(0, 10) == pytest.approx([0, 0, 0.2775], abs=1e-4)
    assert wilson(10, 10) == pytest.approx([1, 0.7225, 1], abs=1e-4)
    assert wilson(0, 0) == [0, 0, 1]


def test_bootstrap_agrees_with_theory_and_with_itself() -> None:
    right = np.arange(400) % 4 != 0
    found = bootstrap(lambda rows: float(right[rows].mean()), np.zeros(400, int))
    assert found == bootstrap(lambda rows: float(right[rows].mean()), np.zeros(400, int))
    assert found[0] == 0.75
    assert found[1:] == pytest.approx(
        [0.7076, 0.7924], abs=0.006
    )  # 0.75 +- 1.96 sqrt(.75 .25 / 400)


def test_a_percentile_of_student_is_the_published_one() -> None:
    assert [student(freedom) for freedom in (5, 9, 19, 100)] == pytest.approx(
        [2.571, 2.262, 2.093, 1.984], abs=0.03
    )


def drawn_people(
    people: int, faces: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(who, right, in a group) of faces, some people easier than others: no group is read better."""
    who = np.repeat(np.arange(people), faces)
    easy = 1 / (1 + np.exp(-generator.normal(0.5, 1.0, people)))
    return who, generator.random(len(who)) < easy[who], who < people // 2


def test_intervals_by_person_miss_as_seldom_as_they_say() -> None:
    """Forty people with twenty faces each: one of twenty may miss, and by face a third does."""
    generator, by_face, by_person, share = np.random.default_rng(2), 0, 0, 0
    for _ in range(100):
        who, right, inside = drawn_people(40, 20, generator)

        def difference(rows: np.ndarray, hit: Any = right, own: Any = inside) -> float:
            return float(hit[rows][own[rows]].mean() - hit[rows][~own[rows]].mean())

        for people in (None, who):
            _value, low, high = bootstrap(difference, inside.astype(int), people, draws=200)
            if people is None:
                by_face += not low <= 0 <= high
            else:
                by_person += not low <= 0 <= high
        _value, low, high = share_of(right, who)
        share += not low <= 0.6053 <= high  # the mean of 1 / (1 + exp(-x)), x of N(0.5, 1)
    assert by_face >= 20
    assert by_person <= 10
    assert share <= 10


def test_by_person_is_never_surer_than_by_face_and_one_person_says_nothing() -> None:
    right = np.arange(400) % 4 != 0
    alone = np.arange(400)
    assert share_of(right, alone)[1:] == pytest.approx(wilson(300, 400)[1:], abs=0.002)
    by_person = share_of(right, alone // 4)  # everybody is right in three of four
    assert by_person[1] <= wilson(300, 400)[1]
    assert by_person[2] >= wilson(300, 400)[2]
    alike = share_of(np.ones(400, bool), alone // 20)
    assert alike == pytest.approx(wilson(20, 20, student(19)))
    assert share_of(right, alone * 0) == [0.75, 0, 1]
    once = bootstrap(lambda rows: float(right[rows].mean()), alone * 0, alone * 0)
    assert once == [0.75, 0, 1]
    assert share_of(right[:0], alone[:0]) == wilson(0, 0)


def test_each_draw_takes_all_of_a_person() -> None:
    who = np.array([3, 1, 3, 2, 1, 3])
    seen = set()

    def whole(rows: np.ndarray) -> float:
        for person in range(1, 4):
            counts = {int((rows == row).sum()) for row in np.flatnonzero(who == person)}
            assert len(counts) == 1
        seen.add(len(rows))
        return 0.0

    bootstrap(whole, who * 0, who, draws=50)
    assert min(seen) >= 3
    assert max(seen) <= 9


def test_accuracy_recall_and_confusion_of_a_known_table() -> None:
    probabilities, truth = faces((0, 0, 0.9, 80), (0, 1, 0.6, 20), (1, 1, 0.9, 10), (1, 0, 0.6, 10))
    sets = probabilities >= 0.4
    found = report(probabilities, truth, sets, 1, LABELS)
    assert found["faces"] == 120
    assert found["accuracy"][0] == 0.75
    assert found["recall"]["a"][0] == 0.8
    assert found["recall"]["b"][0] == 0.5
    assert found["balanced_accuracy"][0] == pytest.approx(0.65)
    assert found["balanced_accuracy"][1] < 0.65 < found["balanced_accuracy"][2]
    assert found["confusion"] == {"a": {"a": 80, "b": 20}, "b": {"a": 10, "b": 10}}
    # The unsure ones hold both classes and are all wrong: nothing is said of them.
    assert found["sets"]["coverage"][0] == 1
    assert found["sets"]["named"][0] == 0.75
    assert found["sets"]["right_when_named"][0] == 1
    assert found["sets"]["mean_size"] == 1.25
    assert found["groups"] == {}
    assert "not measured" in found["groups_note"]


def test_calibration_error_of_known_bins() -> None:
    # 90 at 0.9 of whom all are right (0.1 off), 10 at 0.6 of whom none is (0.6 off).
    probabilities, truth = faces((0, 0, 0.9, 90), (1, 0, 0.6, 10))
    assert calibration_error(probabilities, truth) == pytest.approx(0.9 * 0.1 + 0.1 * 0.6)
    perfect, truth = faces((0, 0, 0.8, 80), (1, 0, 0.8, 20))
    assert calibration_error(perfect, truth) == pytest.approx(0)


def test_selective_accuracy_takes_the_surest_first() -> None:
    probabilities, truth = faces((1, 0, 0.55, 10), (0, 0, 0.7, 40), (0, 0, 0.95, 50))
    found = selective(probabilities, truth)
    assert found["50"][0] == found["70"][0] == found["90"][0] == 1
    probabilities, truth = faces((0, 0, 0.55, 50), (1, 0, 0.95, 25), (0, 0, 0.9, 25))
    assert selective(probabilities, truth)["50"][0] == 0.5
    assert selective(probabilities, truth)["50"][1:] == wilson(25, 50)[1:]


def test_swapped_labels_are_seen_and_hard_classes_are_not_suspected() -> None:
    swapped, truth = faces((0, 1, 0.9, 90), (0, 0, 0.9, 10), (1, 0, 0.9, 80), (1, 1, 0.9, 20))
    assert len(suspicious(confusion(swapped, truth, LABELS))) == 1
    hard, truth = faces((0, 1, 0.9, 90), (0, 0, 0.9, 10), (1, 1, 0.9, 80), (1, 0, 0.9, 20))
    assert suspicious(confusion(hard, truth, LABELS)) == []


def groups_of(first_right: int) -> dict[str, object]:
    """100 of one group of whom so many are read right, 100 of another of whom 80 are, 5 of a third."""
    probabilities, truth = faces(
        (0, 0, 0.9, first_right), (0, 1, 0.9, 100 - first_right), (0, 0, 0.9, 80), (0, 1, 0.9, 20),
        (0, 0, 0.9, 5), (0, 0, 0.9, 7),
    )  # fmt: skip
    answers = np.array(["one"] * 100 + ["two"] * 100 + ["few"] * 5 + [""] * 7)
    found = report(probabilities, truth, probabilities > 0.5, 1, LABELS, {"origin": answers})
    return dict(found["groups"]["origin"])


def test_a_gap_between_groups_has_an_interval_and_a_sentence() -> None:
    found = groups_of(50)
    assert set(found) == {"one", "two", "few"}, "who said nothing is no group"
    gap = found["one"]["gap"]
    assert gap[0] == pytest.approx(0.5 - 85 / 105)
    assert gap[1] < gap[0] < gap[2] < 0
    assert gap[2] - gap[1] == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 100 + 0.154 / 105), abs=0.03)
    assert "read right less often" in found["one"]["means"]
    assert "Do not compare" in found["one"]["means"]
    assert "read right more often" in found["two"]["means"]
    assert "too few" in found["few"]["means"]
    assert "gap" not in found["few"]  # type: ignore[operator]
    alike = groups_of(80)
    assert "no difference" in alike["one"]["means"]
    assert "may still be there" in alike["one"]["means"]


@pytest.mark.parametrize(("people", "told"), [(20, "no difference"), (18, "too few")])
def test_a_report_by_person_says_so_and_compares_only_groups_of_enough_people(
    people: int, told: str
) -> None:
    """Half of each group's people are always read right, the others never: no face of them tells more."""
    who = np.repeat(np.arange(people), 30)
    truth = np.zeros(len(who), int)
    called = who % 2
    probabilities = np.stack([1 - 0.9 * called, 0.1 + 0.8 * called], axis=1)
    answers = {"origin": np.where(who < people // 2, "one", "two")}
    named = np.array([f"person {number}" for number in who])
    arguments = (probabilities, truth, probabilities > 0.5, 1, LABELS, answers)
    found, without = report(*arguments, named), report(*arguments)
    assert found["people"] == people
    assert found["intervals_note"].startswith(
        f"Intervals are by person: the faces of one of the {people}"
    )
    assert "as if each face were another person's" in without["intervals_note"]
    assert without["people"] is None
    assert told in found["groups"]["origin"]["one"]["means"]
    assert ("gap" in found["groups"]["origin"]["one"]) == (told == "no difference")
    for name in ("accuracy", "balanced_accuracy"):
        wide, narrow = found[name], without[name]
        assert wide[0] == narrow[0]
        assert wide[2] - wide[1] > 3 * (narrow[2] - narrow[1])
    assert "person 3" not in json.dumps(found), "who it was is not told"


def test_arrays_that_do_not_fit_are_refused() -> None:
    probabilities, truth = faces((0, 0, 0.9, 4))
    with pytest.raises(ValueError, match="do not fit"):
        report(probabilities, truth[:3], probabilities > 0.5, 1, LABELS)
    with pytest.raises(ValueError, match="do not fit"):
        report(probabilities[:0], truth[:0], probabilities[:0] > 0.5, 1, LABELS)
