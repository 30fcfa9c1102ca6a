"""``make pictures``: the pictures of the first page of the docs, taken anew by the browser tests.

With CONSENTRY_SCREENSHOTS those tests keep a picture of every page they look at; here the chosen ones are
cut to a readable height and written to ``docs/pictures/`` as WebP.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from tools.setup import PYTHON, ROOT

TESTS = ("tests/browser/test_pages.py", "tests/browser/test_operator_pages.py")
CHOSEN = {
    "home-live-1280-light": "subject",
    "notice-360-light": "notice",
    "result-360-light": "result",
    "operate-1280-light": "administrator",
}
MOST = {1280: 1400, 360: 1600}  # pixels of height, by width
QUALITY = 82


def main() -> int:
    """Run the tests, keep what is chosen; returns the tests' status."""
    with tempfile.TemporaryDirectory(prefix="consentry-pictures-") as folder:
        given = os.environ | {"CONSENTRY_SCREENSHOTS": folder}
        command = [str(PYTHON), "-m", "pytest", "-q", "-n", "2", *TESTS]
        status = subprocess.run(command, cwd=ROOT, env=given).returncode
        if status:
            return status
        for taken, name in CHOSEN.items():
            picture = cv2.imread(f"{folder}/{taken}.png")
            if picture is None:
                print(f"no test took {taken}", file=sys.stderr)
                return 1
            target = Path(ROOT, "docs", "pictures", f"{name}.webp")
            cut = picture[: MOST[picture.shape[1]]]
            cv2.imwrite(str(target), cut, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
