"""Loads a decoder once, then forks a process of its own for each photograph and each film.

To start Python and load a decoder takes many times as long as to decode. This program does it before
there is anything to decode, and never sees a byte of a medium: the pipes of a child only pass through it.
``children`` starts it and is its one client; when that ends, so do this and all its children.

On its standard input, a socket, comes one packet for each child: its arguments as a JSON list of texts, and
with them the descriptors of its input, its output, its line and, if it is handed one, a fourth, which the
child has as HANDED. Answered is the number of the process, 0 where none could be made. On its line stands,
once it has ended, how (``os.waitstatus_to_exitcode``); when the other end of the line is closed it is
killed. It is waited for only then, so its number means nobody else as long as somebody may use it.

Run as ``python -I -S -B fork_server.py PROGRAM PACKAGES``: a file with ``load()`` and ``main(*arguments)``,
and the folder where packages lie. The standard library only.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY = 2 * 1024**3
"""Bytes of address space for the server and for each child."""
HANDED = 3
"""The descriptor of what a child is handed beside its pipes."""
PACKET = 65536
"""The most bytes of a packet."""
NUMBER = struct.Struct("<i")


def limit_before_loading() -> None:
    """Memory, no core dump, no byte written to any file; for the server and all that it makes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def limit_before_reading(seconds: int, seconds_max: int) -> None:
    """For a child: processor time, and no further file, socket or process; its open pipes stay usable.

    ``seconds`` end it with SIGXCPU, by which the parent knows what happened; they can be raised from
    outside up to ``seconds_max``.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds_max))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


class Server:
    """``control``: where packets come from. ``main``: what a child does with its arguments."""

    def __init__(self, control: socket.socket, main: Callable[..., None]) -> None:
        self.control = control
        self.main = main
        self.lines: dict[int, tuple[int, socket.socket]] = {}  # by descriptor: process and its line
        self.ended: set[int] = set()  # processes of which that was said
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        # A signal is a byte here, so that waiting for packets ends when a child has ended.
        self.woken, waking = socket.socketpair()
        for each in (self.woken, waking):
            each.setblocking(False)
        self.waking = waking
        # The client says when it is over: who ends a whole group of processes lets it finish its work.
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        self.poll.register(self.woken, select.POLLIN)

    def serve(self) -> None:
        """Until the client is gone."""
        while True:
            for descriptor, _event in self.poll.poll():
                if descriptor == self.control.fileno():
                    data, given, _flags, _address = socket.recv_fds(self.control, PACKET, 4)
                    if not data:
                        self.end_all()
                        return
                    self.make(json.loads(data), given)
                elif descriptor == self.woken.fileno():
                    self.woken.recv(PACKET)
                    self.tell_the_ended()
                elif descriptor in self.lines:
                    self.end(descriptor)

    def make(self, arguments: list[str], given: list[int]) -> None:
        """One child."""
        try:
            process = os.fork()
        except OSError:
            process = 0
            for descriptor in given:
                os.close(descriptor)
        else:
            if process == 0:
                self.be_child(arguments, given)
            line = socket.socket(fileno=given[2])
            self.lines[line.fileno()] = process, line
            self.poll.register(line, select.POLLIN)
            for descriptor in given[:2] + given[3:]:
                os.close(descriptor)
        self.control.send(NUMBER.pack(process))

    def be_child(self, arguments: list[str], given: list[int]) -> None:
        """In the child: keep nothing but what it is given, and do its work."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            wanted = {0: given[0], 1: given[1]} | ({HANDED: given[3]} if len(given) > 3 else {})
            # Out of the way first: a descriptor may lie where another is wanted.
            copies = {place: os.dup(descriptor) for place, descriptor in wanted.items()}
            for place, descriptor in copies.items():
                os.dup2(descriptor, place)
            os.closerange(HANDED + (HANDED in wanted), os.sysconf("SC_OPEN_MAX"))
            self.main(*arguments)
        finally:
            os._exit(1)

    def tell_the_ended(self) -> None:
        """Say on its line how each child ended that has; its number stays its own."""
        for process, line in self.lines.values():
            if process in self.ended:
                continue
            found = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                self.ended.add(process)
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
                with contextlib.suppress(BrokenPipeError):  # nobody wants to know
                    line.sendall(NUMBER.pack(code))

    def end(self, descriptor: int) -> None:
        """The other end of a line was closed: its child is over."""
        process, line = self.lines.pop(descriptor)
        self.poll.unregister(descriptor)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        self.ended.discard(process)
        line.close()

    def end_all(self) -> None:
        """Nobody wants anything any more."""
        for descriptor in list(self.lines):
            self.end(descriptor)


def main(program: str, packages: str) -> None:
    """Load the program, then serve."""
    limit_before_loading()
    path = Path(program)
    sys.path += [packages, str(Path(__file__).resolve().parents[2]), str(path.parent)]
    module = importlib.import_module(path.stem)
    module.load()
    # What is there now stays: no child need copy it only because garbage is looked for in it.
    gc.collect()
    gc.freeze()
    Server(socket.socket(fileno=0), module.main).serve()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
