"""Which face is the data subject's, from frame to frame: by position and continuity, never by who it is.

A film is one person's. Others may walk through it, and nothing here recognises anybody: the person is
the one who was alone in the picture when a face was first seen, and stays the one as long as the face can
be followed without doubt. Where another face comes so near that the two could be taken for each other,
nobody is read until the doubt is over, if it ever is. Where somebody comes in after the person was
lost from sight, nobody is read any more.

Between two looks with the detector the landmarks of one frame say where to look in the next (Bazarevsky
et al. 2019). How often to look again is set in seconds: counted in frames, sparse sampling would lose
faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.faces import (
    HALVES,
    QUARTERS,
    SURELY_FOUND,
    WHOLE,
    Face,
    covered,
    distinct,
    find_around,
    find_faces,
)
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.pictures import Picture
from emotion.inference.places import (
    LOOK_EVERY,
    NEAR,
    OVER,
    SAME_ONE,
    WALK,
    Place,
    apart,
    beside,
    margin,
    nearest,
    same_size,
    went_on,
)

TICK = 1e-6
"""Seconds by which two spans of time may differ that are the same: they are differences of fractions."""
COMPANY = 0.4
"""Seconds after somebody else was seen in which every frame is searched."""
LOOK_CLOSER_EVERY = 2.0
"""Seconds between two looks at all of its parts, which find the faces that are small in it."""
SPEED = 6.0
"""Face widths a second by which a face that was lost may have moved: 90 cm, as when somebody sneezes."""
LEAN = 2.0
"""Face widths by which it may have moved in all, without getting up: some 30 cm."""
BRIEFLY = 2.0
"""Seconds in which a face that was lost cannot have been exchanged, if nobody else was seen."""
WALKING = 0.7
"""Face widths a second from which a person is on their way, and has no place by which to tell them."""
FLICKER = 0.5
"""Seconds in which somebody who is there may not be seen."""
EDGE = 0.25
"""Face widths to a side of the picture within which a face that is lost may have left it."""
STILL = 0.1
"""Face widths by which a face that stays moves between two frames, and the share by which its size does."""
AWAY_MAX = 60.0
"""Seconds after which whoever sits in the person's place may be somebody else."""
SAME_PLACE = 0.75
"""Face widths around a place that are still that place."""
SETTLED = 1.0
"""Seconds that a face must be alone at the start, if others were there: a helper who leaves is not it."""
SAME_FACE = 0.5
"""Share of the smaller box that two views of one face cover at least."""


@dataclass(frozen=True)
class Sighting:
    """What one frame shows of the person.

    Fields:
        status: "read" when the face is surely the person's, else "no-face", "several-faces",
            "person-unclear", or "person-lost" where it stays unclear to the end of the film.
        landmarks: of the person's face; None unless "read".
        faces: how many faces were seen when last looked.
        others: boxes of the faces that are not the person's, or of all when it is not clear; pixels.
    """

    status: str
    landmarks: Landmarks | None
    faces: int
    others: list[Array]


@dataclass
class Memory:
    """What following carries from one frame to the next; plain values, so that it can be sealed.

    Fields:
        person: the last place that was surely the person's; None before the first.
        face: the box (4,) and the two eyes (2, 2) from which the next crop is made; None when lost.
        looked, looked_wider, looked_closer: when others were last searched for: around the person, in the
            whole picture, and in its parts.
        others: the boxes found then that are not the person's; confirmed: those in which the landmark model
            sees a face as well. The detector sees one where there is none now and then, and a doubt stays.
        company: when somebody else was last seen; contested: whether it is unclear who is who.
        alone_since: since when, before there is a person, one face has been alone in the picture.
        velocity: of the person, face widths a second to the right and down; leaving: whether they may have
            left the picture from where they were last.
        present: the boxes of everybody who was seen just now, each followed by when. While it is unclear
            who is who, hidden: whether the person may be behind somebody; taken: whether somebody else
            was seen last in the person's place.
        ended: whether nobody can tell any more which face is the person's.
    """

    person: Place | None = None
    face: tuple[list[float], list[list[float]]] | None = None
    looked: float = -1e9
    looked_wider: float = -1e9
    looked_closer: float = -1e9
    others: list[list[float]] = field(default_factory=list)
    confirmed: list[list[float]] = field(default_factory=list)
    company: float = -1e9
    contested: bool = False
    alone_since: float | None = None
    velocity: list[float] = field(default_factory=lambda: [0.0, 0.0])
    leaving: bool = False
    present: list[list[float]] = field(default_factory=list)
    hidden: bool = False
    taken: bool = False
    ended: bool = False

    def to_json(self) -> dict[str, Any]:
        """As values of JSON; ``from_json`` gives back an equal memory."""
        return {**vars(self), "person": vars(self.person) if self.person else None}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Memory:
        """The inverse of ``to_json``."""
        face = body["face"]
        return cls(
            **{
                **body,
                "person": Place(**body["person"]) if body["person"] else None,
                "face": (face[0], face[1]) if face else None,
            }
        )


class Follower:
    """Follows one person through the frames of a film, given in the order of their times.

    look_every: seconds between two looks around the person for other faces; at 0 all of each is searched.
    """

    def __init__(self, memory: Memory | None = None, look_every: float = LOOK_EVERY) -> None:
        self.memory = memory or Memory()
        self.look_every = look_every

    def see(self, picture: Picture, time: float) -> Sighting:
        """The next frame, at ``time`` seconds."""
        memory = self.memory
        landmarks = self.track(picture)
        busy = time - memory.company <= COMPANY  # somebody is about: look at every frame
        looked = memory.looked
        if landmarks is not None and not busy and not self.look_is_due(time):
            return self.read(picture, landmarks, time)
        faces = self.look(picture, time, followed=landmarks is not None, wider=busy)
        if memory.person is None:
            return self.begin(picture, faces, time)
        if landmarks is not None:
            return self.go_on(picture, landmarks, faces, time, looked)
        return self.find_again(picture, faces, time)

    def look_is_due(self, time: float) -> bool:
        """Whether of all frames this one is nearest to ``look_every`` after the last look.

        The next frame is expected as much later as this one came after the one before, in which the person
        was read. Those of a film of 25 a second that is read at 10 a second come after 0.12 and 0.08 s:
        to wait for whole 0.1 s would be to look at every other one of them.
        """
        person = self.memory.person
        step = time - person.time if person else 0.0
        return time - self.memory.looked + step / 2 >= self.look_every - TICK

    def track(self, picture: Picture) -> Landmarks | None:
        """The landmarks where the face was last.

        None when it is not there, was not sure, or has all at once another size: then it is another's.
        """
        memory = self.memory
        if memory.face is None or memory.person is None:
            return None
        box, eyes = memory.face
        points = np.zeros((6, 2), np.float32)
        points[:2] = eyes
        found = find_landmarks(picture, Face(np.array(box, np.float32), points, 1.0))
        if found is None or not same_size(memory.person.size, found.face.size):
            return None
        return found

    def look(self, picture: Picture, time: float, *, followed: bool, wider: bool) -> list[Face]:
        """The faces around the person; every other time, or if ``wider``, those in all of the picture.

        Around a person who is small in it they are looked for each time: others may be as small. All of the
        picture's parts are searched only while nobody is followed.
        """
        memory, parts, person = self.memory, 0, self.memory.person
        wider |= memory.looked_wider < memory.looked or not self.look_every
        memory.looked = time
        small = person is None or person.size < SURELY_FOUND * max(picture.shape[:2])
        if time - memory.looked_closer >= LOOK_CLOSER_EVERY - TICK:
            memory.looked_closer, parts = time, HALVES if followed else QUARTERS
        elif small and not followed:
            parts = HALVES  # whoever comes in shall be seen on the way
        elif wider or not followed:
            parts = WHOLE
        faces = []
        if parts:
            memory.looked_wider = time
            faces = find_faces(picture, parts=parts)
        if person is None or (parts and not small):
            return faces
        return distinct([*faces, *find_around(picture, person.face)])

    def begin(self, picture: Picture, faces: list[Face], time: float) -> Sighting:
        """Nobody yet: the person is the first who is alone in the picture."""
        memory = self.memory
        if len(faces) != 1:
            memory.alone_since = None
            if faces:
                memory.company = time
            return self.nobody("several-faces" if faces else "no-face", faces)
        if memory.alone_since is None:
            memory.alone_since = time
        # Whoever is left over was not always alone: a helper who sets up the camera, and leaves.
        if memory.company >= 0 and time - memory.alone_since < SETTLED:
            return self.nobody("person-unclear", faces)
        landmarks = find_landmarks(picture, faces[0])
        if landmarks is None:  # what looked like a face is none
            return self.nobody("no-face", [])
        memory.others = memory.confirmed = []
        memory.alone_since = None
        return self.read(picture, landmarks, time)

    def go_on(
        self, picture: Picture, landmarks: Landmarks, faces: list[Face], time: float, looked: float
    ) -> Sighting:
        """The face was followed: say whether it is still beyond doubt whose it is.

        ``looked``: when others were searched for before; whoever was seen then may have come nearer since.
        """
        memory, here = self.memory, landmarks.face
        others = [face for face in faces if covered(face.box, here.box) < SAME_FACE]
        confirmed = [face for face in others if find_landmarks(picture, face) is not None]
        place = Place.of(here, time)
        hidden = self.may_be_hidden(place, confirmed, WALK * (time - looked))
        memory.others, memory.confirmed = sides(others), sides(confirmed)
        if confirmed or hidden:
            memory.company = time
        if nearest(place, confirmed) < OVER or (hidden and not self.stayed(place)):
            self.doubt(hidden=hidden)
            memory.present = stamped([here, *confirmed], time)
            return self.nobody("person-unclear", faces)
        sighting = self.read(picture, landmarks, time)
        if nearest(place, others) < NEAR or hidden:
            return replace(sighting, status="person-unclear", landmarks=None)
        return sighting

    def may_be_hidden(self, here: Place, confirmed: list[Face], way: float) -> bool:
        """Whether somebody who was seen is not any more, and may stand before the person or behind.

        confirmed: others who are seen now; way: face widths that anybody may have gone since.
        """
        before = [Place.of_box(box, here.time) for box in self.memory.confirmed]
        near = [place for place in before if here.distance(place) <= OVER + way]
        return any(nearest(place, confirmed) > way + SAME_ONE for place in near)

    def stayed(self, here: Place) -> bool:
        """Whether a face is so much where the person's was that hardly anybody else's can be there."""
        person = self.memory.person
        if person is None or person.distance(here) > STILL:
            return False
        return same_size(person.size, here.size, 1 + STILL)

    def find_again(self, picture: Picture, faces: list[Face], time: float) -> Sighting:
        """Lost, or not clear: take the face that is the person's by where it is, if there is one."""
        memory = self.memory
        assert memory.person is not None  # noqa: S101  # somebody was there
        # A doubt that begins here stays, so what only the detector sees begins none.
        sure = [(face, found) for face in faces if (found := find_landmarks(picture, face))]
        confirmed = [face for face, _landmarks in sure]
        if len(faces) > 1:
            faces = confirmed
        if len(faces) > 1:
            memory.company = time
        if memory.company >= memory.person.time - BRIEFLY and not memory.contested:
            self.doubt(hidden=False)  # lost while somebody else was about
        if memory.contested:
            self.watch(confirmed, time)
        if not faces:
            return self.nobody("no-face", faces)
        if confirmed:
            memory.ended |= time - memory.person.time > AWAY_MAX
        if confirmed and not memory.contested:
            memory.ended |= not any(self.may_be_theirs(face, time) for face in confirmed)
        chosen = self.by_place(faces, time)
        landmarks = next((found for face, found in sure if face is chosen), None)
        if landmarks is None:
            return self.nobody("person-unclear", faces)
        memory.contested = False
        memory.others = memory.confirmed = sides([face for face in faces if face is not chosen])
        return self.read(picture, landmarks, time)

    def doubt(self, *, hidden: bool) -> None:
        """From now on it is open who is who; of somebody who walks it stays so, as they have no place."""
        memory = self.memory
        memory.contested, memory.hidden, memory.taken = True, hidden, hidden
        memory.ended |= self.walking

    @property
    def speed(self) -> float:
        """Of the person when they were seen last, face widths a second."""
        return math.hypot(*self.memory.velocity)

    @property
    def walking(self) -> bool:
        """Whether the person was on their way when they were seen last."""
        return self.speed > WALKING

    def watch(self, faces: list[Face], time: float) -> None:
        """While it is open who is who: who stands behind whom, and who comes into the person's place.

        A face that vanishes beside another may be behind it. Somebody who goes to the person's place while
        the person is nowhere has taken it, and whoever is seen elsewhere then says nothing about that.
        """
        memory, now = self.memory, [Place.of(face, time) for face in faces]
        before = [entry for entry in memory.present if time - entry[4] <= FLICKER]
        were = [Place.of_box(entry[:4], entry[4]) for entry in before]
        same = went_on(now, were)
        lost = [at for at in range(len(before)) if at not in same.values()]
        newest = max((place.time for place in were), default=time)
        memory.hidden |= any(
            were[at].time == newest
            and self.in_place(were[at])
            and any(beside(were[at], place) for place in now)
            for at in lost
        )
        alone_there = sum(self.in_place(place) for place in now) == 1
        for at, was in same.items():
            if self.in_place(now[at]) and not self.in_place(were[was]):
                memory.taken |= alone_there
                memory.ended |= alone_there and not memory.hidden
            elif self.in_place(were[was]) and not self.in_place(now[at]):
                memory.ended |= not memory.taken  # it was the person who went away
                memory.taken = False
        new = [at for at in range(len(now)) if at not in same or were[same[at]].time < newest]
        for at in new:
            memory.hidden &= not self.uncovered(now[at], [*were, *now])
        memory.present = [*(before[at] for at in lost), *stamped(faces, time)]

    def uncovered(self, place: Place, others: list[Place]) -> bool:
        """Whether a face that is new is the person's, who was behind another.

        others: all who are seen and were. Who comes out elsewhere leaves open who it is that stays.
        """
        if not self.in_place(place):
            return False
        return not self.memory.taken or any(
            each is not place and beside(each, place) for each in others
        )

    def in_place(self, place: Place) -> bool:
        """Whether this is where the person was, of whatever size: half of a face looks smaller."""
        person = self.memory.person
        return person is not None and person.distance(place) <= SAME_PLACE

    def at_home(self, place: Place) -> bool:
        """Whether this is the person's place, and their size."""
        person = self.memory.person
        return person is not None and self.in_place(place) and same_size(person.size, place.size)

    def may_be_theirs(self, face: Face, time: float) -> bool:
        """Whether a face may be the one that was lost, by where and how large it is, and after how long.

        Who got up and came back, or came in instead, is first seen elsewhere, or where the person left.
        """
        person, place = self.memory.person, Place.of(face, time)
        if person is None or not same_size(person.size, place.size):
            return False
        away, distance = time - person.time, person.distance(place)
        if self.memory.leaving and self.walking and away > 2 * LOOK_EVERY + TICK:
            return False
        if away <= BRIEFLY:
            return distance <= max(SAME_PLACE, min(SPEED * away, LEAN))
        return distance <= SAME_PLACE and not self.memory.leaving

    def by_place(self, faces: list[Face], time: float) -> Face | None:
        """The one face that can only be the person's; None when that cannot be told.

        Whoever is alone after a doubt may stand where the person sat, and hide them: only two faces
        side by side end it, with the person not behind them.
        """
        if self.memory.ended:
            return None
        if len(faces) == 1:
            possible = not self.memory.contested and self.may_be_theirs(faces[0], time)
            return faces[0] if possible else None
        places = [Place.of(face, time) for face in faces]
        home = [face for face, at in zip(faces, places, strict=True) if self.at_home(at)]
        return home[0] if len(home) == 1 and apart(places) and not self.memory.hidden else None

    def read(self, picture: Picture, landmarks: Landmarks, time: float) -> Sighting:
        """This is the person."""
        memory, face, before = self.memory, landmarks.face, self.memory.person
        memory.person = here = Place.of(face, time)
        if before is not None and time > before.time:
            passed = time - before.time
            share = 1 - math.exp(-passed / LOOK_EVERY / 2)
            way = ((here.x - before.x) / here.size, (here.y - before.y) / here.size)
            memory.velocity = [
                old + share * (new / passed - old)
                for old, new in zip(memory.velocity, way, strict=True)
            ]
        # At this speed they are out of the picture before two more looks.
        memory.leaving = margin(picture, here) < EDGE + self.speed * 2 * LOOK_EVERY
        memory.present = [*stamped([face], time), *([*box, time] for box in memory.confirmed)]
        memory.face = (
            [float(side) for side in face.box],
            [[float(each) for each in eye] for eye in face.points[:2]],
        )
        others = [np.array(box, np.float32) for box in memory.others]
        return Sighting("read", landmarks, 1 + len(others), others)

    def nobody(self, status: str, faces: list[Face]) -> Sighting:
        """Nobody is read in this frame; every face in it counts as somebody else's."""
        memory = self.memory
        memory.face = None
        memory.others, memory.confirmed = sides(faces), []
        if memory.ended and status == "person-unclear":
            status = "person-lost"
        return Sighting(status, None, len(faces), [face.box for face in faces])


def sides(faces: list[Face]) -> list[list[float]]:
    """The boxes as plain numbers."""
    return [[float(side) for side in face.box] for face in faces]


def stamped(faces: list[Face], time: float) -> list[list[float]]:
    """The boxes, each followed by when it was seen."""
    return [[*box, time] for box in sides(faces)]
