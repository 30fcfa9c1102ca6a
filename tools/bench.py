"""``make bench``: runs every program in ``benchmarks/``, one after the other, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tools.setup import PYTHON, ROOT


def main() -> int:
    """Run them all; returns 1 when one failed, or when there is none."""
    programs = sorted(p for p in (ROOT / "benchmarks").glob("*.py") if not p.name.startswith("_"))
    if not programs:
        print("benchmarks/ has no programs yet", file=sys.stderr)
        return 1
    failed = []
    for program in programs:
        print(f"--- {program.stem}", flush=True)
        if subprocess.run([PYTHON, "-m", f"benchmarks.{program.stem}"], cwd=ROOT).returncode:
            failed.append(program.stem)
    print(f"bench: {', '.join(failed)} failed" if failed else "bench: ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
