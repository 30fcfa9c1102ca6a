"""What comes out: one reading of one photograph, as parts that are sealed and erased each on its own.

Schema version 1. Every value says its unit and range; every part says its schema. A photograph that
cannot be read is a reading too, with a status that says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emotion.inference.models import manifest

SCHEMA = 1
Part = dict[str, Any]


@dataclass(frozen=True)
class PhotoReading:
    """status: "read", or why not: no-face, several-faces, too-small, too-dark, too-blurred.

    quality: figures of ``quality.measure_quality``, empty without a face. expression and blendshapes:
    by name, or None when not asked for or not measured.
    """

    status: str
    faces: int
    quality: dict[str, float] = field(default_factory=dict)
    expression: dict[str, float] | None = None
    blendshapes: dict[str, float] | None = None

    def parts(self) -> dict[str, Part]:
        """The JSON parts by data category; "summary" is always there."""
        found: dict[str, Part] = {
            "summary": {
                "schema": SCHEMA,
                "status": self.status,
                "faces": self.faces,
                "quality": self.quality,
                "models": model_versions(),
            }
        }
        if self.expression is not None:
            ranked = max(self.expression, key=self.expression.__getitem__)
            found["expression"] = {
                "schema": SCHEMA,
                "unit": "probability",
                "range": [0, 1],
                "model": "mean of fer, human and face-api, with mirroring",
                "top": ranked,
                "probabilities": self.expression,
            }
        if self.blendshapes is not None:
            found["blendshapes"] = {
                "schema": SCHEMA,
                "unit": "share of full movement",
                "range": [0, 1],
                "model": "MediaPipe face blendshapes V2",
                "values": self.blendshapes,
            }
        return found


def model_versions() -> dict[str, str]:
    """Each model file with its package, version and the start of its checksum."""
    return {
        name: f"{entry['package']} {entry['version']}, {entry['sha256'][:12]}"
        for name, entry in manifest().items()
    }
