"""Resolves ``pyproject.toml`` into the hashed lock files: ``python -m tools.lock [--upgrade]``.

The format is uv's requirements output, because ``uv.lock`` would write the addresses of package
indexes into the repository. The runtime's lock is constrained by the developer's, so that both name
the same versions.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tools.setup import BOOTSTRAP, LOCKS, ROOT, VENV, uv_environment

UV_COMPILE = [
    str(VENV / "bin" / "uv"),
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--generate-hashes",
]


def compile_lock(*arguments: str, text: str | None = None) -> None:
    """Run ``uv pip compile`` in the repository; raises CalledProcessError when it finds no answer."""
    subprocess.run(
        [*UV_COMPILE, *arguments],
        cwd=ROOT,
        check=True,
        input=text,
        text=True,
        stdout=subprocess.DEVNULL,  # uv also prints what it writes
        # A lock needs the hashes of all files of a release, for other machines than this one.
        env=uv_environment(partial=False),
    )


def addresses(name: str) -> list[str]:
    """Lines of a lock file that name a host; there must be none."""
    return [line for line in (ROOT / name).read_text().splitlines() if "://" in line]


def main(arguments: list[str]) -> int:
    """Compile all three locks; returns 1 when an address got into one."""
    parser = argparse.ArgumentParser(description="Recompile the lock files.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    upgrade = ["--upgrade"] if parser.parse_args(arguments).upgrade else []
    dev, runtime = LOCKS["dev"].name, LOCKS["runtime"].name
    bootstrap = str(BOOTSTRAP.relative_to(ROOT))
    compile_lock(*upgrade, "--extra", "dev", "pyproject.toml", "-o", dev)
    compile_lock(*upgrade, "-c", dev, "pyproject.toml", "-o", runtime)
    compile_lock(*upgrade, "-c", dev, "-", "-o", bootstrap, text="uv\n")
    found = [line for name in (dev, runtime, bootstrap) for line in addresses(name)]
    for line in found:
        print(f"an address in a lock file: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
