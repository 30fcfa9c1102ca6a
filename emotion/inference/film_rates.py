"""How often something is due in a film: by its own times, whatever number of pictures it has."""

from __future__ import annotations

import math

FOLLOWED = 10.0
"""Pictures a second in which the person is looked for, however few are measured.

Between two of them somebody who walks by goes about one face width. At fewer, whoever steps in front of the
person and away again is never seen beside them, and is taken for them.
"""


def due(before: float | None, time: float, rate: float | None) -> bool:
    """Whether a picture is the first at or after a multiple of 1/rate.

    before, time: seconds of the picture before, if there was one, and of this one. rate: times a second;
    None is every picture.
    """
    if before is None or rate is None:
        return True
    return int(time * rate + 1e-6) > int(before * rate + 1e-6)


def followed_at(rate: float | None) -> float | None:
    """How many pictures a second to ask for where so many are measured: all of these are among them."""
    return None if rate is None else rate * max(1, math.ceil(FOLLOWED / rate))
