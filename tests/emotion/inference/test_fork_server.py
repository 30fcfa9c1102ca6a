"""The server that loads a decoder once and forks a child for each medium."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emotion.inference import children, media
from emotion.inference.children import Child, Servers
from emotion.inference.media import DecoderKilled, PhotoProbe, decode_photo
from tests.emotion.inference.decoders import liar, said, told
from tests.emotion.inference.photographs import astronaut
from tests.processes import wait_for


@pytest.fixture(autouse=True)
def _no_servers_before() -> Iterator[None]:
    Servers.end()
    yield
    Servers.end()


def server() -> int:
    """The process of the photographs' server."""
    return Servers.of(media.CHILD).process.pid


def gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "\nState:\tZ" in status.read_text()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_one_server_makes_a_process_for_each() -> None:
    probes = [PhotoProbe.start(10**7) for _ in range(3)]
    processes = {probe.child.process.pid for probe in probes}
    assert len(processes) == 3
    for pid in processes:
        parent = Path(f"/proc/{pid}/status").read_text().split("PPid:")[1].split()[0]
        assert int(parent) == server()
    for probe in probes:
        probe.feed(astronaut())
        assert probe.finish().width == 512
    wait_for(lambda: all(not Path(f"/proc/{pid}").exists() for pid in processes), 5)


def test_nothing_of_one_child_is_in_the_next(tmp_path: Path) -> None:
    program = liar(tmp_path, "print(sys.__dict__.setdefault('kept', arguments[0]))")
    assert [told(program, "first"), told(program, "second")] == ["first\n", "second\n"]


def test_children_side_by_side_hold_only_what_is_theirs(tmp_path: Path) -> None:
    program = liar(tmp_path, "sys.stdin.buffer.read(1)\nprint(*os.listdir('/proc/self/fd'))")
    both = [Child(program), Child(program)]
    for child in both:
        child.write(b"x", time.monotonic() + 5)
    # 0, 1 and 2, and the folder that is being listed.
    assert [said(child) for child in both] == ["0 1 2 3\n"] * 2
    for child in both:
        child.close()


def test_what_is_handed_over_lies_at_its_place(tmp_path: Path) -> None:
    program = liar(tmp_path, "print(os.read(3, 9).decode(), *os.listdir('/proc/self/fd'))")
    reading, writing = os.pipe()
    os.write(writing, b"handed on")
    child = Child(program, handed=reading)
    assert said(child) == "handed on 0 1 2 3 4\n"
    child.close()
    os.close(reading)
    os.close(writing)


def test_nothing_is_left_of_many() -> None:
    pid = server()
    decode_photo(astronaut())
    offspring = Path(f"/proc/{pid}/task/{pid}/children")
    wait_for(lambda: offspring.read_text() == "", 5)
    before = descriptors(os.getpid()), descriptors(pid)
    for _ in range(20):
        decode_photo(astronaut())
        PhotoProbe.start(10**7).close()
    wait_for(lambda: offspring.read_text() == "", 5)
    assert (descriptors(os.getpid()), descriptors(pid)) == before
    assert server() == pid


def test_many_threads_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        shapes = list(pool.map(lambda _: decode_photo(astronaut()).shape, range(40)))
    assert set(shapes) == {(512, 512, 3)}
    assert len(Servers.running) == 1


def test_a_server_that_died_is_followed_by_another() -> None:
    probe = PhotoProbe.start(10**7)
    old = server()
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: gone(old), 5)
    assert decode_photo(astronaut()).shape == (512, 512, 3)
    assert server() != old
    # Its child had lost whoever would say how it ended; it ends when its pipes do.
    probe.close()
    wait_for(lambda: gone(probe.child.process.pid), 5)


def test_a_child_whose_server_died_says_nothing_of_the_photograph() -> None:
    probe = PhotoProbe.start(10**7)
    os.kill(server(), signal.SIGKILL)
    os.kill(probe.child.process.pid, signal.SIGKILL)
    with pytest.raises(DecoderKilled):
        probe.feed(astronaut())
        probe.finish()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_a_whole_group_lets_the_client_finish(sent: signal.Signals) -> None:
    probe = PhotoProbe.start(10**7)
    old = server()
    probe.feed(astronaut()[:1000])
    for pid in (old, probe.child.process.pid):
        os.kill(pid, sent)
    probe.feed(astronaut()[1000:])
    assert probe.finish().width == 512
    assert decode_photo(astronaut()).shape == (512, 512, 3)
    assert server() == old


def test_a_forked_process_has_servers_of_its_own() -> None:
    decode_photo(astronaut())
    mine = server()
    child = os.fork()
    if child == 0:
        fine = not Servers.running and decode_photo(astronaut()).shape == (512, 512, 3)
        fine = fine and server() != mine
        Servers.end()
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert decode_photo(astronaut()).shape == (512, 512, 3)
    assert server() == mine


def test_a_server_ends_with_its_client_whatever_ends_that() -> None:
    program = (
        "import sys, time\nfrom emotion.inference.children import Servers\n"
        "from emotion.inference import media\nprobe = media.PhotoProbe.start(1000)\n"
        "print(Servers.of(media.CHILD).process.pid, probe.child.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    client = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert client.stdout is not None
    with client.stdout as output:
        pids = [int(each) for each in output.readline().split()]
    assert not any(gone(pid) for pid in pids)
    client.kill()
    client.wait()
    wait_for(lambda: all(gone(pid) for pid in pids), 5)


@pytest.mark.parametrize(
    "program", ["raise SystemExit", "import nothing_like_this", "syntax error"]
)
def test_a_program_that_cannot_be_loaded_is_an_error(program: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(program)
    with pytest.raises(BrokenPipeError):
        Child(path)


def test_a_program_that_hangs_while_it_loads_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "ANSWERING", 0.5)
    monkeypatch.setattr(children, "ENDING", 0.5)
    path = tmp_path / "program.py"
    path.write_text("import time\ntime.sleep(60)")
    with pytest.raises(BrokenPipeError):
        Child(path)
