"""The pack that reads expressions in one attempt at an analysis."""

from __future__ import annotations

from consent.models import DataCategory
from emotion.active_pack import active_folder
from emotion.claims import Claim, Superseded
from emotion.inference.expressions import ExpressionPack, expression_pack
from emotion.models import Analysis


def pack_of(held: Claim, chosen: frozenset[str]) -> ExpressionPack:
    """The pack in use, written down on the row where expressions are among what is to be measured.

    By what is consented to and not by what came out: a row is not sealed, and must not tell whether
    anything could be read. Raises ModelIntegrityError, and Superseded when the row is not this attempt's.
    """
    pack = expression_pack(active_folder())
    digest = pack.digest if DataCategory.EXPRESSION in chosen else ""
    if not Analysis.objects.filter(held.row()).update(pack_sha256=digest):
        raise Superseded
    return pack
