"""The checks of a pack in a process of their own, so that a web server neither loads an engine nor falls
over a file that makes one fall."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
"""Far more than the models of a pack take to answer their references."""


def problems_in_a_child(folder: Path) -> list[str]:
    """``pack_checks.problems_of`` in a child; a child that answers nothing is a problem too."""
    command = [sys.executable, "-m", "emotion.inference.pack_checks", str(folder)]
    try:
        found = subprocess.run(  # noqa: S603  # our own program on a folder that is installed here
            command, cwd=ROOT, env={}, capture_output=True, check=True, timeout=SECONDS
        )
        return [str(problem) for problem in json.loads(found.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return [f"{folder.name}: its checks did not come to an end: {type(error).__name__}"]
