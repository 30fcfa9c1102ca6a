"""How soon a worker is ready, and what memory it holds: ``python -m benchmarks.worker_start [rounds]``.

A message waits in the queue of a fresh installation. The worker is started as ``make run`` starts it, with
one process; it is ready when that process, its models loaded, has taken the message. Printed: seconds by
the clock and of processor time until then, beside those of an interpreter that imports only Django, and
the memory of both processes together (what they share counted once) and of the larger one alone.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks._installation import INNER, ROOT, run_on
from benchmarks._processor import TICKS, descendants

WORKER = [
    *("-m", "celery", "-A", "config", "worker", "--pool", "prefork", "--concurrency", "1"),
    *("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
]
TAKEN = b"names no row"


def family(parent: int) -> list[Path]:
    """A process and all below it in /proc."""
    return [Path(f"/proc/{each}") for each in (parent, *descendants(parent))]


def kilobytes(process: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", (process / "smaps_rollup").read_text(), re.M)
    return int(found[1]) if found else 0


def started() -> dict[str, float]:
    """One start, from the command to the message taken."""
    from config.celery import app

    app.send_task("emotion.analyse", args=["no analysis"])
    clock = time.perf_counter()
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    worker = subprocess.Popen(
        [sys.executable, *WORKER], cwd=ROOT, env=os.environ | threads, stderr=subprocess.PIPE
    )
    if worker.stderr is None or not any(TAKEN in line for line in worker.stderr):
        raise SystemExit("the worker did not take the message")
    found = {"clock": time.perf_counter() - clock}
    processes = family(worker.pid)
    fields = [(each / "stat").read_text().rsplit(")", 1)[1].split() for each in processes]
    found["cpu"] = sum(int(each[11]) + int(each[12]) for each in fields) / TICKS
    found["together"] = sum(kilobytes(each, "Pss") for each in processes) / 1024
    found["larger"] = max(kilobytes(each, "Rss") for each in processes) / 1024
    worker.terminate()
    worker.communicate()
    return found


def django_alone() -> float:
    clock = time.perf_counter()
    words = "import django; django.setup()"
    subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=True)
    return time.perf_counter() - clock


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if INNER not in os.environ:
        run_on("SQLite", "benchmarks.worker_start", str(rounds))
        return
    pairs = [(started(), django_alone()) for _ in range(rounds)]
    middle = {name: statistics.median(one[name] for one, _ in pairs) for name in pairs[0][0]}
    floor = statistics.median(alone for _, alone in pairs)
    print(
        f"  ready after {middle['clock']:.2f} s ({min(one['clock'] for one, _ in pairs):.2f} at best), "
        f"processor {middle['cpu']:.2f} s; Django alone {floor:.2f} s"
    )
    print(f"  memory {middle['together']:.0f} MiB together, {middle['larger']:.0f} MiB the larger")


if __name__ == "__main__":
    main()
