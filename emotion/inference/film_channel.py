"""All that the decoding child for films can reach: two pipes to its parent and the memory they share."""

from __future__ import annotations

import json
import mmap
import os
from collections import OrderedDict
from typing import Any, NoReturn

from emotion.inference import film_messages as messages
from emotion.inference.media_codes import MediaRefused


class Channel:
    """The two pipes and the shared memory; the only things the child can reach."""

    def __init__(self, memory: mmap.mmap, size: int) -> None:
        self.memory = memory
        self.size = size
        self.free = list(range(messages.SLOTS))
        self.pieces: OrderedDict[int, bytes] = OrderedDict()

    def say(self, kind: bytes, length: int = 0, a: int = 0, b: int = 0, time: float = 0.0) -> None:
        """One header."""
        self.write(messages.HEADER.pack(kind, length, a, b, time))

    def write(self, data: bytes) -> None:
        """All of the bytes. A parent that is gone ends the child by SIGPIPE or this error."""
        sent = 0
        while sent < len(data):
            sent += os.write(1, data[sent:])

    def say_json(self, kind: bytes, body: dict[str, Any]) -> None:
        """A header and the JSON that belongs to it."""
        text = json.dumps(body).encode()
        self.say(kind, len(text))
        self.write(text)

    def take(self, count: int) -> bytes:
        """Exactly so many bytes from the parent; leaves when it is gone."""
        data = bytearray()
        while len(data) < count:
            part = os.read(0, count - len(data))
            if not part:
                os._exit(1)
            data += part
        return bytes(data)

    def hear(self) -> bytes | None:
        """The next answer: bytes of the film, or None when it was a slot that is free again."""
        kind, number = messages.REPLY.unpack(self.take(messages.REPLY.size))
        if kind == messages.FREE:
            self.free.append(number)
            return None
        return self.take(number)

    def piece(self, number: int) -> bytes:
        """A piece of the film, asked for unless it was among the last few."""
        if number in self.pieces:
            self.pieces.move_to_end(number)
            return self.pieces[number]
        position = number * messages.PIECE
        self.say(messages.READ, min(messages.PIECE, self.size - position), position)
        data = None
        while data is None:
            data = self.hear()
        self.pieces[number] = data
        if len(self.pieces) > messages.PIECES_KEPT:
            self.pieces.popitem(last=False)
        return data

    def slot(self) -> int:
        """A slot of the shared memory that the parent does not read from."""
        while not self.free:
            self.hear()
        return self.free.pop(0)

    def refuse(self, refused: MediaRefused) -> NoReturn:
        """Say why, and leave without running anything else."""
        body = {"code": refused.code.value, "message": str(refused)}
        self.say_json(messages.REFUSED, body)
        os._exit(0)


class FilmFile:
    """The film as FFmpeg reads it: position and all, without a file."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.position = 0

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes; fewer at the end of a piece, none at the end of the film."""
        if self.position >= self.channel.size or count <= 0:
            return b""
        number, offset = divmod(self.position, messages.PIECE)
        data = self.channel.piece(number)[offset : offset + count]
        self.position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as files do; positions before the beginning are refused."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.channel.size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.position
