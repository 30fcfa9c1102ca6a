"""Load from ``wrk`` on loopback, and what the server process paid for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from benchmarks._processor import below

DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("FOUND %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    e.status + e.connect + e.read + e.write + e.timeout))
end
"""
FRESH = """
local number = 0
request = function()
  number = number + 1
  wrk.headers["Idempotency-Key"] = "%s-" .. number
  return wrk.format()
end
"""


def require_wrk() -> str:
    """Where ``wrk`` is; ends with status 2 where it is missing: no other load would compare."""
    found = shutil.which("wrk")
    if found is None:
        print("wrk is missing and nothing stands in for it. Install it: apt-get install -y wrk")
        sys.exit(2)
    return found


@dataclass(frozen=True)
class Asked:
    """One request, sent again and again.

    ``fresh``: each under an Idempotency-Key of its own; ``longer``: how many times as long as others it
    is asked, because few come in a second.
    """

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""
    fresh: bool = False
    longer: int = 1

    def script(self, folder: Path) -> Path:
        """The request as a script for wrk."""
        # A JSON string of ASCII without control characters is a Lua string, too.
        lines = [f"wrk.method = {json.dumps(self.method)}"]
        lines += [
            f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in self.headers.items()
        ]
        if self.body:
            (folder / "body").write_bytes(self.body)
            lines += [f'wrk.body = io.open({json.dumps(str(folder / "body"))}, "rb"):read("*a")']
        if self.fresh:
            lines += [FRESH % uuid4().hex]
        script = folder / "request.lua"
        script.write_text("\n".join([*lines, DONE]))
        return script


@dataclass(frozen=True)
class Found:
    """What one run found: requests, their rate, milliseconds of p50 and p99, and of processor time each."""

    requests: int
    rate: float
    p50: float
    p99: float
    processor: float


def load(
    asked: Asked, base: str, server: int, folder: Path, connections: int, seconds: int
) -> Found:
    """Ask for that long over so many connections; ends the program when an answer was no success."""
    before = below(server)
    done = subprocess.run(
        [require_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
         "-s", str(asked.script(folder)), f"{base}{asked.path}"],
        capture_output=True, text=True,
    )  # fmt: skip
    spent = below(server) - before
    line = next((x for x in done.stdout.splitlines() if x.startswith("FOUND ")), "")
    if not line:
        raise SystemExit(f"wrk: {done.stdout[-500:]}{done.stderr[-500:]}")
    number, duration, p50, p99, wrong = (int(word) for word in line.split()[1:])
    if wrong or not number:
        raise SystemExit(f"{asked.name}: {number} answers, {wrong} failures: nothing to report")
    rate = number / duration * 1e6
    return Found(number, rate, p50 / 1000, p99 / 1000, spent / number * 1000)
