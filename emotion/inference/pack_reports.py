"""What was measured of a pack, and whether that lets it be used. Loads no engine: pages ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emotion.inference.labels import LABELS
from emotion.inference.models import ModelIntegrityError, pack_digest


def reports_of(folder: Path) -> list[dict[str, Any]]:
    """The evaluations of these very files of a pack; none when there is none, or only of other files.

    Raises ModelIntegrityError.
    """
    path = folder / "evaluation.json"
    if not path.exists():
        return []
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        fresh = whole["pack_sha256"] == pack_digest(folder)
        return list(whole["reports"]) if fresh else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelIntegrityError(f"evaluation.json: {type(error).__name__}") from error


def against_use(folder: Path) -> list[str]:
    """What keeps a pack that was taken in from being used: no evaluation of it, or a bad one."""
    reports = reports_of(folder)
    if not reports:
        return ["it has no evaluation of these very files: manage.py models evaluate"]
    problems = [problem for report in reports for problem in report["suspicious"]]
    problems += [
        f"on {report['data']} it is not surely better than chance"
        for report in reports
        if report["balanced_accuracy"][1] <= 1 / len(LABELS)
    ]
    return problems
