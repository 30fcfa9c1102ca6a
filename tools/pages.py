"""Which pages the browser tests have not looked at: ``python -m tools.pages FILE``.

The file is written by ``tests/browser/looking.py``, a line for each look. Which pages there are is read
from the table of addresses in ``docs/roles.md``, which the tests compare with the running code.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROLES = ROOT / "docs" / "roles.md"
LOOKS = {(width, scheme) for width in ("360", "1280") for scheme in ("light", "dark")}
NO_PAGES = {
    "healthz", "readyz", "consent_receipt", "own_paper", "erasure_receipt",
    "entry_proof", "entry_proofs", "verifier", "own_bundle", "operate_document", "operate_paper_scan",
    "log_checkpoint", "log_tile", "log_key", "operate_log_file", "operate_register_file",
    "operate_technical_file_json", "operate_cohort_answers",
}  # fmt: skip
"""What answers a GET with a file, with JSON, or with a part of a page."""
IN_A_STATE = {"closed_account", "mfa_authenticate", "mfa_activate_totp"}
"""Pages that the house of the table has nobody for: whoever closed an account, or is signing in."""


def pages(table: str) -> dict[str, list[str]]:
    """Every page by the name of its address: what each role is told there, as the columns stand."""
    section = table.split("## Addresses\n", 1)[1].split("\n## ", 1)[0]
    found = {}
    for line in section.splitlines():
        if line.startswith("| `") and not line.startswith("| `api_"):
            name, asked, *told = (cell.strip(" `") for cell in line.strip("|").split("|"))
            opens = asked == "GET" and "yes" in told and name not in NO_PAGES
            if opens or name in IN_A_STATE:
                found[name] = told
    return found


def forgotten(looked_at: str, table: str) -> list[str]:
    """The pages that were not seen at both widths, light and dark, with how often they were."""
    seen = defaultdict[str, set[tuple[str, str]]](set)
    for line in looked_at.splitlines():
        name, width, scheme = line.split()
        seen[name].add((width, scheme))
    return [
        f"{name}: looked at {len(seen[name])} of {len(LOOKS)} ways"
        for name in pages(table)
        if not seen[name] >= LOOKS
    ]


def main(file: Path) -> int:
    """Say which pages nobody looked at; the exit status."""
    looked_at = file.read_text(encoding="utf-8") if file.exists() else ""
    found = forgotten(looked_at, ROLES.read_text(encoding="utf-8"))
    for line in found:
        print(f"no browser test looks at {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
