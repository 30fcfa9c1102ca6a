"""One person is followed; whoever else comes in is never taken for them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from emotion.inference import tracking
from emotion.inference.faces import Face
from emotion.inference.places import LOOK_EVERY, Place
from emotion.inference.tracking import Follower, Memory, Sighting
from tests.emotion.inference.scenes import FACE, Path, Scene, during, sits, walks, without

Story = list[tuple[float, Sighting]]


def told(scene: Scene, memory: Memory | None = None, start: float = 0.0) -> Story:
    """What the follower says about every frame from ``start`` on."""
    follower = Follower(memory)
    return [
        (time, follower.see(picture, time)) for time, picture in scene.frames() if time >= start
    ]


def misread(scene: Scene, story: Story) -> list[float]:
    """The times at which a face was read that is not where the person is, or stands before them."""
    wrong = []
    for time, sighting in story:
        if sighting.landmarks is None:
            continue
        where, size = scene.truth(time), FACE * scene.shrunk
        found = Place.of(sighting.landmarks.face, time)
        other, person = scene.other(time), scene.person(time)
        hidden = other and person and abs(other[0] - person[0]) < 0.8 * FACE
        if hidden or where is None or found.distance(Place(*where, size, time)) > 0.5:
            wrong.append(time)
    return wrong


def times(story: Story, status: str) -> list[float]:
    return [time for time, sighting in story if sighting.status == status]


def test_a_person_alone_is_read_in_every_frame() -> None:
    scene = Scene(3, lambda time: (300 + 60 * time, 250))
    story = told(scene)
    assert len(times(story, "read")) == len(story) == 30
    assert misread(scene, story) == []
    assert {sighting.faces for _time, sighting in story} == {1}


SIZES = pytest.mark.parametrize("shrunk", [1.0, 0.7, 0.48])  # at the last a face has 49 pixels


@SIZES
@pytest.mark.parametrize("speed", [150, 400, 900])
def test_a_bystander_who_crosses_in_front_is_never_read(speed: float, shrunk: float) -> None:
    scene = Scene(
        3 + 1200 / speed + 3,
        sits(),
        during(3, 3 + 1200 / speed, walks(3, -150, speed)),
        rate=25 if speed > 500 else 10,
        shrunk=shrunk,
    )
    story = told(scene)
    assert misread(scene, story) == []
    assert times(story, "person-unclear")
    unclear = [time for time, sighting in story if sighting.status != "read"]
    # The doubt ends when they are side by side again, well apart.
    assert max(unclear) < 3 + (420 + 150 + 2 * FACE) / speed + 0.3
    assert story[-1][1].status == "read"


def crosses(speed: float, later: float, rate: float, **how: float) -> Scene:
    """Somebody walks across in front of the person, and begins that much later than at 1 s."""
    start = 1 + later
    crossing = during(start, start + 1200 / speed, walks(start, -150, speed))
    return Scene(start + 1200 / speed, sits(), crossing, rate=rate, **how)


@pytest.mark.parametrize("later", [0.0, 0.03, 0.07, 0.13])
@pytest.mark.parametrize("speed", [500, 650, 800, 1000])
@pytest.mark.parametrize("rate", [10, 25])
def test_whoever_steps_in_front_between_two_looks_is_not_read(
    rate: float, speed: float, later: float
) -> None:
    scene = crosses(speed, later, rate)
    assert misread(scene, told(scene)) == []


@pytest.mark.parametrize("later", [0.025, 0.1])
@pytest.mark.parametrize("speed", [650, 1000])
@pytest.mark.parametrize(("rate", "shrunk"), [(25, 1.0), (25, 0.7), (15, 0.7)])
def test_nor_is_who_does_so_in_a_film_whose_pictures_are_taken_ten_times_a_second(
    rate: float, shrunk: float, speed: float, later: float
) -> None:
    """They come after 0.12 and 0.08 s, or after 0.13 and 0.07."""
    scene = crosses(speed, later, rate, taken=10, shrunk=shrunk)
    assert misread(scene, told(scene)) == []


@pytest.mark.parametrize("taken", [None, 10])
@pytest.mark.parametrize("rate", [10, 12, 15, 24, 25, 30000 / 1001, 30, 50, 60])
def test_others_are_looked_for_ten_times_a_second_at_any_rate(
    rate: float, taken: float | None
) -> None:
    scene = Scene(3, sits(), rate=rate, taken=taken)
    follower, looks, wider = Follower(), list[float](), list[float]()
    for time, picture in scene.frames():
        follower.see(picture, time)
        looks += [time] if follower.memory.looked == time else []
        wider += [time] if follower.memory.looked_wider == time else []
    times = [time for time, _picture in scene.frames()]
    longest = max(np.diff(times))
    if taken:  # every picture that is taken
        assert looks == times
    assert max(np.diff(looks)) <= max(longest, LOOK_EVERY + longest / 2) + 1e-6
    assert max(np.diff(wider)) <= 2 * max(np.diff(looks)) + 1e-6
    assert 9.9 <= len(looks) / 3 <= 15.1, "more would cost without being needed"


def test_who_is_overlooked_for_a_moment_costs_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody beside the person, whom the detector does not see in one frame; the person sits still."""
    scene = Scene(4, sits(250), during(1, 4, sits(440)))
    real, looks, blind_at = tracking.distinct, list[int](), 0

    def blind_once(faces: list[Face]) -> list[Face]:
        looks.append(len(looks) + 1)
        found = real(faces)
        return [face for face in found if face.box[0] < 300] if looks[-1] == blind_at else found

    monkeypatch.setattr(tracking, "distinct", blind_once)
    assert len(times(told(scene), "read")) == 40
    blind_at = len(looks) - 10
    looks.clear()
    story = told(scene)
    assert len(times(story, "person-unclear")) == 1
    assert len(times(story, "read")) == 39


@pytest.mark.parametrize("away", [0.8, 1.2])
def test_what_the_detector_takes_for_a_face_once_costs_a_moment(
    monkeypatch: pytest.MonkeyPatch, away: float
) -> None:
    """The person moves meanwhile. A doubt about who is who would never end, as nobody else is there."""
    scene = Scene(4, lambda time: (200 + 90 * time, 250))
    real, looks = tracking.distinct, list[int]()

    def mistaken_once(faces: list[Face]) -> list[Face]:
        looks.append(len(looks) + 1)
        found = real(faces)
        if looks[-1] != 25:
            return found
        box = found[0].box + np.array([-away, 0, -away, 0], np.float32) * FACE
        return [*found, Face(box, found[0].points, 0.6)]

    monkeypatch.setattr(tracking, "distinct", mistaken_once)
    story = told(scene)
    assert len(looks) > 30
    assert len(times(story, "read")) == len(story) - 1
    assert len(times(story, "person-unclear")) == 1


def test_a_bystander_at_a_distance_leaves_the_person_readable() -> None:
    scene = Scene(4, sits(250), during(1, 3, sits(650)))
    story = told(scene)
    assert len(times(story, "read")) == len(story)
    assert misread(scene, story) == []
    beside = [sighting for time, sighting in story if 1.3 <= time < 2.9]
    assert all(len(sighting.others) == 1 and sighting.faces == 2 for sighting in beside)
    assert all(abs((box[0] + box[2]) / 2 - 650) < FACE / 2 for s in beside for box in s.others)


def stops(x: float, start: float, stand: float, speed: float) -> Path:
    """Comes in from the left, stands at ``x`` for ``stand`` seconds, goes on to the right."""
    comes = (x + 150) / speed

    def where(time: float) -> tuple[float, float] | None:
        passed = time - start
        if passed < 0:
            return None
        if passed < comes:
            return (-150 + passed * speed, 250)
        return (x + max(0.0, passed - comes - stand) * speed, 250)

    return where


@SIZES
def test_who_hides_the_person_for_a_while_is_not_read(shrunk: float) -> None:
    scene = Scene(10, sits(), stops(420, 2, 2.5, 300), shrunk=shrunk)
    story = told(scene)
    assert misread(scene, story) == []
    hidden = [time for time, _ in story if 3.9 <= time < 6.4]
    assert set(times(story, "person-unclear")) >= set(hidden)
    assert story[-1][1].status == "read"


@SIZES
def test_who_stays_when_the_person_left_behind_them_is_never_read(shrunk: float) -> None:
    scene = Scene(10, during(0, 5, sits()), stops(420, 2, 2.5, 300), shrunk=shrunk)
    story = told(scene)
    assert misread(scene, story) == []
    assert not [time for time in times(story, "read") if time > 3.9]


@SIZES
def test_who_sits_down_in_the_persons_place_is_never_read(shrunk: float) -> None:
    other = stops(420, 2, 60, 300)
    scene = Scene(12, during(0, 5, sits()), other, shrunk=shrunk)
    story = told(scene)
    assert misread(scene, story) == []
    assert not [time for time in times(story, "read") if time > 3.9]


def test_a_helper_at_the_start_is_not_the_person() -> None:
    scene = Scene(5, sits(250), during(0, 2, sits(650)))
    story = told(scene)
    assert misread(scene, story) == []
    assert set(times(story, "several-faces")) == {time for time, _ in story if time < 2}
    assert min(times(story, "read")) >= 3.0  # alone for a second first


def test_a_face_that_is_away_for_a_moment_is_found_again() -> None:
    scene = Scene(5, without(2, 2.6, sits()))
    story = told(scene)
    assert times(story, "no-face") == [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
    assert len(times(story, "read")) == len(story) - 6


def test_back_in_the_same_place_within_a_minute_but_not_after_it() -> None:
    for away, status in [(50, "read"), (70, "person-lost")]:
        scene = Scene(2 + away + 2, without(2, 2 + away, sits()), rate=2)
        story = told(scene)
        assert story[-1][1].status == status
        assert len(times(story, "no-face")) == 2 * away


def test_another_place_after_an_absence_cannot_be_told() -> None:
    scene = Scene(8, lambda t: (250, 250) if t < 2 else (None if t < 5 else (650, 250)))
    story = told(scene)
    assert {sighting.status for time, sighting in story if time >= 5} == {"person-lost"}


@pytest.mark.parametrize(("away", "widths"), [(0.3, 1.5), (0.6, 1.8), (1.5, 1.8)])
def test_who_leans_aside_while_they_are_not_seen_is_found_again(away: float, widths: float) -> None:
    scene = Scene(
        5, lambda t: None if 2 <= t < 2 + away else (300 + (widths * FACE if t > 2 else 0), 250)
    )
    story = told(scene)
    assert misread(scene, story) == []
    assert len(times(story, "read")) == len(story) - round(away * scene.rate)


def test_what_the_detector_alone_sees_elsewhere_replaces_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(12, without(2, 10, sits()))
    real, looks = tracking.distinct, list[int]()

    def mistaken(faces: list[Face]) -> list[Face]:
        looks.append(len(looks) + 1)
        found = real(faces)
        if found or looks[-1] % 2:
            return found
        box = np.array([100, 100, 200, 200], np.float32)
        return [Face(box, np.full((6, 2), 150, np.float32), 0.6)]

    monkeypatch.setattr(tracking, "distinct", mistaken)
    story = told(scene)
    assert len(times(story, "person-unclear")) > 20
    assert len(times(story, "read")) == 40


def arrives(start: float, x: float, speed: float, seat: float = 420) -> Path:
    """Comes in at ``x`` when ``start``, goes to the seat and stays there."""

    def where(time: float) -> tuple[float, float] | None:
        if time < start:
            return None
        gone = (time - start) * speed
        return min(x + gone, seat) if speed > 0 else max(x + gone, seat), 250

    return where


def leaves(start: float, speed: float) -> Path:
    """Gets up from the seat when ``start`` and walks out of the picture, face to the camera."""
    return lambda time: (420 + max(0.0, time - start) * speed, 250)


NEWCOMERS = {
    "turned away, the next comes in": (during(0, 3, sits()), arrives(5, -150, 300)),
    "turned away, the next comes in at once": (during(0, 3, sits()), arrives(3, -100, 250)),
    "turned away, the next comes in after half a minute": (
        during(0, 3, sits()),
        arrives(33, 1000, -300),
    ),
    "walks out, the next comes in there": (leaves(3, 300), arrives(7, 1000, -300)),
    "walks out, the next comes in there and stays there": (
        leaves(3, 300),
        arrives(7, 1000, -300, 830),
    ),
    "walks out, the next comes in there at once": (leaves(3, 300), arrives(4.4, 1000, -600)),
    "walks out, the next comes in elsewhere": (leaves(3, 300), arrives(7, -150, 300)),
    "two come in": (
        lambda time: (420, 250) if time < 3 else arrives(6, 1000, -300, 720)(time),
        arrives(6, -150, 300),
    ),
}


@pytest.mark.parametrize(("person", "other"), NEWCOMERS.values(), ids=NEWCOMERS)
def test_who_comes_in_after_the_person_left_is_never_read(person: Path, other: Path) -> None:
    scene = Scene(38 if other(30) is None else 12, person, other)
    story = told(scene)
    left = 3.0 if person(4) is None else 3 + (854 - 420 + FACE) / 300
    assert not [time for time in times(story, "read") if time > left]
    lost = times(story, "person-lost")
    assert lost
    assert not times([each for each in story if each[0] > lost[0]], "person-unclear"), "to the end"


def test_at_the_side_of_the_picture_nobody_can_tell_who_comes_back() -> None:
    story = told(Scene(10, without(3, 6, sits(60))))
    assert times(story, "read") == [time for time, _ in story if time < 3]


def then(change: float, one: Path, other: Path) -> Path:
    """One way until ``change``, another from then on."""
    return lambda time: one(time) if time < change else other(time)


def nowhere(_time: float) -> None:
    return None


THIRDS = {
    "who waited moves up, and the next one queues": (
        then(8, during(0, 4, sits()), sits(720)),
        then(5, during(1, 9, sits(720)), arrives(5, 720, -300)),
    ),
    "who hid them stays, and another comes in": (
        then(8, during(0, 5, sits()), arrives(8, 1000, -300, 720)),
        stops(420, 2, 60, 300),
    ),
    "who took their place turns away and back while another is there": (
        then(8, during(0, 4, sits()), sits(720)),
        without(9, 10, then(5, during(1, 9, sits(720)), arrives(5, 720, -300))),
    ),
    "who waits looks away while the next one comes in": (
        then(7, during(0, 4, sits()), arrives(7, -150, 300)),
        without(6, 10, during(1, 20, sits(720))),
    ),
}


@pytest.mark.parametrize(("person", "other"), THIRDS.values(), ids=THIRDS)
def test_a_third_ends_no_doubt_about_two(person: Path, other: Path) -> None:
    scene = Scene(13, person, other)
    story = told(scene)
    assert not [time for time in times(story, "read") if time > 4]
    assert [sighting for time, sighting in story if time > 10.5 and sighting.faces == 2]


@pytest.mark.parametrize("away", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("beside", [600, 720])
def test_who_turns_away_beside_another_is_found_again(beside: float, away: float) -> None:
    scene = Scene(8, without(3, 3 + away, sits()), during(1, 8, sits(beside)))
    story = told(scene)
    assert misread(scene, story) == []
    unread = [time for time, sighting in story if sighting.status != "read"]
    # Somebody at a distance is seen every two seconds only, and has to be seen beside the person again.
    assert all(3 <= time < 3 + away + tracking.LOOK_CLOSER_EVERY for time in unread)


def test_nothing_depends_on_when_the_work_was_interrupted() -> None:
    scene = Scene(9, sits(), during(3, 6.5, walks(3, -150, 350)))
    whole = told(scene)
    for cut in (1.0, 3.9, 4.6, 5.0, 6.0):
        follower = Follower()
        for time, picture in scene.frames():
            if time < cut:
                follower.see(picture, time)
        memory = Memory.from_json(json.loads(json.dumps(follower.memory.to_json())))
        assert memory == follower.memory
        rest = told(scene, memory, cut)
        assert [(t, s.status, s.faces) for t, s in rest] == [
            (t, s.status, s.faces) for t, s in whole if t >= cut
        ]
        for (_, one), (_, other) in zip(rest, whole[-len(rest) :], strict=True):
            if one.landmarks is not None and other.landmarks is not None:
                assert one.landmarks.points.tobytes() == other.landmarks.points.tobytes()


def test_an_empty_picture_has_nobody() -> None:
    story = told(Scene(1, lambda _t: None))
    assert {(sighting.status, sighting.faces) for _time, sighting in story} == {("no-face", 0)}
