"""Purposes that no consent and no administrator can allow.

Regulation (EU) 2024/1689 (AI Act), Article 5(1): (f) emotion inference in workplace and education,
(d) predicting offences, (g) biometric categorisation by protected traits, (h) remote identification in
publicly accessible spaces; GDPR Article 22 for automated decisions. Recruitment counts as workplace, and
Art. 5(1)(f)'s medical and safety reasons do not reach it here. This is a requirements list, not legal
advice.
"""

from __future__ import annotations

from collections.abc import Iterable

from consent.models import ExceptionReason, Sector, Use

REFUSED_SECTORS: dict[str, str] = {
    Sector.WORKPLACE: "AI Act Art. 5(1)(f): no inference of emotions in the workplace",
    Sector.RECRUITMENT: "AI Act Art. 5(1)(f): recruitment counts as workplace",
    Sector.EDUCATION: "AI Act Art. 5(1)(f): no inference of emotions in education",
    Sector.LAW_ENFORCEMENT: "AI Act Art. 5(1)(d) and (h): law enforcement is refused by design",
    Sector.BORDER: "AI Act Annex III(7): border control and migration are refused by design",
    Sector.PUBLIC_SPACE: "AI Act Art. 5(1)(h), PIPL Art. 26: public places are not watched",
}
REFUSED_USES: dict[str, str] = {
    Use.PROTECTED_TRAIT: "AI Act Art. 5(1)(g): no inference of a protected trait",
    Use.AUTOMATED_DECISION: "GDPR Art. 22: no automated decision about a person",
    Use.LIE_DETECTION: "AI Act Annex III(6): detection of lies or intent is refused by design",
    Use.IDENTIFICATION: "AI Act Art. 5(1)(h): recognising who a person is, is refused by design",
}
MAY_BE_EXCEPTED = frozenset({Sector.WORKPLACE, Sector.EDUCATION})
"""Where a documented medical or safety reason, agreed to by two people, can open a purpose."""


def refusals(sector: str, uses: Iterable[str], exception: str = "") -> list[str]:
    """Every reason why this purpose is refused, each naming its article; empty when none applies.

    A sector, use or exception outside the closed lists is refused as well.
    """
    found = []
    if sector not in Sector.values:
        found.append(f"unknown sector {sector!r}: only the listed ones can be screened")
    elif sector in REFUSED_SECTORS and not is_excepted(sector, exception):
        found.append(REFUSED_SECTORS[sector])
    if exception not in ExceptionReason.values:
        found.append(f"unknown exception {exception!r}: AI Act Art. 5(1)(f) knows two reasons only")
    elif exception and sector not in MAY_BE_EXCEPTED:
        found.append("AI Act Art. 5(1)(f): its exception is for workplace and education only")
    chosen = list(uses)
    if not chosen:
        found.append("no use is named: a purpose without a use cannot be screened")
    for use in chosen:
        if use not in Use.values:
            found.append(f"unknown use {use!r}: only the listed ones can be screened")
        elif use in REFUSED_USES:
            found.append(REFUSED_USES[use])
    return found


def is_excepted(sector: str, exception: str) -> bool:
    """Whether a medical or safety reason is claimed where the law knows one."""
    claimed = exception in {ExceptionReason.MEDICAL, ExceptionReason.SAFETY}
    return claimed and sector in MAY_BE_EXCEPTED
