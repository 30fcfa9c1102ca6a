"""The technical file (AI Act Art. 11 and Annex IV; Annex III 1(c)): what this installation is and does.

It is drawn afresh each time from the code, the model files, the log and the purposes, and holds nothing
about any data subject. What was not measured is called so. ``schemas/technical-file.schema.json`` lists
the fields; docs/technical-file.md says what an operator still has to add.
"""

from __future__ import annotations

import platform
import tomllib
from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.db.models import Prefetch
from django.utils import timezone

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.errors import SigningKeyMissing
from audit_log.proofs import latest_checkpoint
from audit_log.signing import public_key
from consent.models import ImpactAssessment, Purpose, PurposeState, Sector, Use
from consent.register import SECURITY_MEASURES, of_assessment
from consent.screening import MAY_BE_EXCEPTED, REFUSED_SECTORS, REFUSED_USES
from emotion.inference.models import ModelIntegrityError
from emotion.model_packs import NEVER, measurements, packs, packs_beside
from emotion.models import Analysis, AnalysisState
from emotion.oversight import oversight
from emotion.overview import by_state
from emotion.pipeline import code_digest, steps

SCHEMA = 1
SAYS = (
    "Drawn by software from what is installed. It is a part of the technical documentation and not legal "
    "advice; what an operator has to add stands at its end."
)
CLASSIFIED = (
    "AI Act Annex III 1(c): a system for recognising emotions, in the words of the law (high risk). It "
    "reads apparent expression; it makes no claim about what anybody feels (recital 18)."
)
INTENDED = (
    "To measure, in one photograph or film at a time and on the operator's own machines, the apparent "
    "expression, the movements of the face and the body and the direction of head and eyes of people who "
    "consented to exactly that, for research, usability tests, health care and the arts."
)
BY_THE_OPERATOR = [
    "Annex IV(2)(g): how well it does on the recordings of this installation, and for its groups of people",
    "Annex IV(5): the risk management of the whole study; the impact assessment of each purpose is a part",
    "Annex IV(8): the EU declaration of conformity",
    "Annex IV(9): the plan for watching the system after it is put into use (Art. 72)",
    "Art. 26: people who oversee it, with the training and the authority to do so",
]
ROBUSTNESS = [
    ("When nothing is said (thresholds, known gaps)", "docs/models.md"),
    ("Hostile files: decoded in a process of their own, with limits", "docs/models.md"),
    ("What is kept, what is left, and from whom it protects", "docs/threat-model.md"),
    ("The rule of the gate, cell by cell", "docs/gate.md"),
    ("Faults of the installation: work waits and is not lost", "docs/operating.md"),
    ("What a clock that runs wrong can and cannot do", "docs/threat-model.md"),
    ("Who is told what at every address", "docs/roles.md"),
    ("Which tests show that the duties are kept", "docs/duties.md"),
]
STANDARDS = [
    "GDPR Art. 30 register; ISO/IEC TS 27560 consent records in DPV JSON-LD; Kantara Consent Receipt 1.1",
    "RFC 6962/9162 Merkle tree; C2SP signed-note, tlog-checkpoint, tlog-proof; chunked-encryption",
    "RFC 9457 problem details; OpenAPI 3.1; WCAG 2.2 AA",
    "No harmonised standard under AI Act Art. 40 was applied",
]
CHANGES = "docs/decisions.md lists what was decided and why; the model files are pinned by SHA-256."


def technical_file() -> dict[str, Any]:
    """The whole file as plain values, ready for JSON. Nothing in it raises: a gap is written down."""
    return {
        "schema": SCHEMA,
        "file": "AI Act Annex IV, technical documentation",
        "drawn_at": timezone.now().isoformat(timespec="seconds"),
        "says": SAYS,
        "system": system(),
        "purpose": {
            "intended": INTENDED,
            "must_not_be_used": NEVER,
            "screening": screening(),
            "open_now": open_purposes(),
        },
        "models": installed_models(),
        "pipeline": {"code_sha256": code_digest(), "steps": steps()},
        "measured": all_measured(),
        "oversight": oversight(),
        "logs": logs(),
        "robustness": [{"what": what, "where": where} for what, where in ROBUSTNESS],
        "security": SECURITY_MEASURES,
        "record": record(),
        "standards": STANDARDS,
        "changes": CHANGES,
        "by_the_operator": BY_THE_OPERATOR,
    }


def system() -> dict[str, Any]:
    """The program and what it runs on."""
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text("utf-8"))["project"]
    return {
        "name": "Consentry",
        "version": project["version"],
        "description": project["description"],
        "classified_as": CLASSIFIED,
        "installation": settings.SITE_URL,
        "demo": settings.DEMO,
        "runs_on": {
            "machine": platform.machine(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("django", "onnxruntime", "numpy")},
        },
        "forms": "web pages, and an API described at /api/v1/schema/",
    }


def screening() -> dict[str, Any]:
    """What no consent can allow, with the article each refusal rests on."""
    return {
        "sectors_refused": named(REFUSED_SECTORS, Sector),
        "uses_refused": named(REFUSED_USES, Use),
        "sectors_with_a_documented_exception": sorted(MAY_BE_EXCEPTED),
        "exception": "AI Act Art. 5(1)(f): a documented medical or safety reason that two people agreed to",
    }


def named(refused: dict[str, str], words: Any) -> list[dict[str, str]]:
    """Each refused value with its name and its rule."""
    return [
        {"value": str(value), "name": str(words(value).label), "rule": rule}
        for value, rule in refused.items()
    ]


def open_purposes() -> list[dict[str, Any]]:
    """The purposes that take recordings now. Who takes part, or how many, is not in it."""
    newest = ImpactAssessment.objects.select_related("document").order_by("-version")
    rows = Purpose.objects.filter(state=PurposeState.OPEN).order_by("opened_at", "id")
    return [
        {
            "id": str(purpose.id),
            "name": purpose.name,
            "state": purpose.state,
            "sector": purpose.sector,
            "uses": purpose.uses,
            "data_categories": purpose.categories,
            "opened_at": purpose.opened_at.isoformat() if purpose.opened_at else None,
            "impact_assessment": of_assessment(purpose),
        }
        for purpose in rows.prefetch_related(Prefetch("assessments", newest))
    ]


def installed_models() -> list[dict[str, Any]]:
    """Every pack on the disk; empty when the list of them cannot be read, which /readyz says too."""
    try:
        return packs() + packs_beside()
    except ModelIntegrityError:
        return []


def all_measured() -> dict[str, Any]:
    """Every figure once, and what was never measured."""
    try:
        found = measurements()
    except ModelIntegrityError as error:
        return {"figures": [], "not_measured": [f"everything: {error}"]}
    return {"figures": found["figures"], "not_measured": found["not_measured"]}


def logs() -> dict[str, Any]:
    """The access log: what it can say, where it stands, and how anybody verifies it."""
    newest = latest_checkpoint()
    try:
        key = public_key()
        origin, verifier = key.name, str(key)
    except SigningKeyMissing:
        origin = verifier = "not in reach"
    return {
        "origin": origin,
        "verifier_key": verifier,
        "tree_size": newest.size if newest else 0,
        "root_sha256": newest.root.hex() if newest else None,
        "signed_at": newest.signed_at.isoformat(timespec="seconds") if newest else None,
        "verify": [
            "manage.py verify_log recomputes the whole tree from the entries",
            "tools/verify_access_log.py checks a receipt without this installation (docs/access-log.md)",
            "the newest checkpoint is at /log/checkpoint, the key at /.well-known/consentry-log-key",
        ],
        "kept": "for good; the key of the tags that stand for a person dies after their last erasure",
        "actions": [action.value for action in Action],
        "outcomes": [outcome.value for outcome in Outcome],
        "reasons": [reason.value for reason in ReasonCode],
    }


def record() -> dict[str, Any]:
    """How many analyses there are in each state, over all purposes; nothing about what they found."""
    return {
        "analyses": {
            state: number
            for state, _label, number in by_state(
                Analysis.objects.all(), "state", AnalysisState.choices
            )
        },
        "abstained": "not counted: whether a photograph was abstained on lies sealed in its result",
        "groups": "none: figures about groups of people stand in no file that leaves the house",
    }
