"""What the decoding child and its parent say to each other about a film, in bytes.

The child speaks in headers of one size; JSON follows FACTS and REFUSED. The parent answers in headers of
its own; bytes of the film follow DATA. Pictures lie in memory that both share. The standard library only.
"""

from __future__ import annotations

import struct

# From the child: kind, a length or a slot, two counts, a time in seconds.
HEADER = struct.Struct("<c3xIQQd")
READ = b"R"  # length and position of the bytes it wants
FACTS = b"F"  # length of the JSON
PICTURE = b"P"  # slot and colours (``placed``), index, pictures damaged so far, time
ALIVE = b"A"  # nothing, index, pictures damaged so far, time
END = b"E"  # nothing, pictures in all, pictures damaged, time of the last
REFUSED = b"X"  # length of the JSON
# From the parent: kind, a length or a slot.
REPLY = struct.Struct("<c3xI")
DATA = b"D"
FREE = b"S"

# The child asks for this much at once and keeps the last few pieces: sound and pictures may lie apart.
PIECE = 256 * 1024
PIECES_KEPT = 4
# Pictures that may wait for the parent. Four keep both sides busy; each is up to 2.5 MB.
SLOTS = 4


def placed(slot: int, colours: int) -> int:
    """Where a picture lies and how its colours are meant (``Colours.code``), in one number."""
    return slot + SLOTS * colours
