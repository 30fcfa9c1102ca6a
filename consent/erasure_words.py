"""What an erasure reaches, in the words of the person it is about."""

from __future__ import annotations

from django.utils.translation import gettext as _

from consent.models import DataCategory, ErasureRequest

CATEGORIES = dict(DataCategory.choices)


def what_is_erased(request: ErasureRequest) -> str:
    """Everything, one recording, its photograph, or what was measured under one data category."""
    if request.only_key is not None:
        return _("A photograph or film as it came, with everything beside your head")
    if request.purpose_id is None:
        return _("Your address, name, messages and the words of your requests")
    if request.category == DataCategory.MEDIA:
        return _("The photograph or film of one recording")
    if request.category:
        label = CATEGORIES.get(request.category, request.category)
        return _("What was measured: %(category)s") % {"category": label}
    if request.recording_id is None:
        return _("Everything recorded for this study")
    return _("One recording and everything measured from it")
