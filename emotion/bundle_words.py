"""What a person's archive says in words: the read-me, the logic, and the entries about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from audit_log.receipts import verify_command
from consent.history import Tags, whole_history
from consent.models import Purpose

LOGIC = (
    "A detector finds the face, one model places landmarks, from which the direction of head and eyes is "
    "computed, one estimates 52 facial movements, and three models averaged divide 100 per cent among "
    "seven apparent expressions. Only what was consented to is measured. They describe what a face "
    "showed; they cannot tell what anybody felt. No decision rests on them. Measured errors: "
    "docs/models.md of the program."
)


def read_me(purpose: Purpose) -> str:
    """What is in the archive, in words, and how its proofs are checked."""
    lines = [
        _("Everything about you in “%(purpose)s”.") % {"purpose": purpose.name},
        _("me.json: your address, what each study calls you, and the numbers that stand for you."),
        _("purpose.json: what the study is, who answers for it, how long anything is kept."),
        _("consent: what you said yes or no to, and the receipts."),
        _(
            "recordings: one folder each, with what was measured as JSON and CSV, and the photograph "
            "or film while it is kept."
        ),
        _("requests.json: what you asked the staff for, and what they answered."),
        _("erasures: what was erased, with receipts."),
        _(
            "who-looked.json: every entry of the access log about you in this study and about your "
            "account, up to when this archive was made."
        ),
        _(
            "who-looked-proofs-1.json and so on: the same entries with proofs, a thousand in a file."
        ),
        _(
            "verify_access_log.py checks the proofs, and those in the receipts. It needs Python 3.11 or "
            "newer and the package “cryptography” (python3 -m pip install cryptography). In this folder:"
        ),
        verify_command("who-looked-proofs-1.json"),
        _(
            "The key in this command comes from the same installation as the proofs. Compare it with a "
            "copy that you got another way; it is published at %(address)s."
        )
        % {"address": settings.SITE_URL + reverse("log_key")},
    ]
    return "\n\n".join(lines) + "\n"


def as_json(content: Any) -> bytes:
    """JSON for people and programs: UTF-8, indented."""
    return json.dumps(content, indent=1, ensure_ascii=False, default=str).encode()


def history(tags: Tags) -> Iterator[bytes]:
    """Every entry of the log about the person here, newest first, in words: a JSON list in pieces."""
    yield b"["
    for number, access in enumerate(whole_history(tags)):
        yield b",\n" * bool(number) + as_json(
            {
                "entry": access.entry_id,
                "at": access.at.isoformat(),
                "what": str(access.what),
                "who": str(access.who),
                "why": str(access.why),
                "study": access.purpose or None,
                "refused": access.refused,
                "looked": access.is_look,
            }
        )
    yield b"]\n"
