"""How sure an expression is, in words: the set, on which data it was calibrated, and "cannot tell"."""

from __future__ import annotations

from datetime import date
from math import floor
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

EXPRESSIONS = {
    "angry": gettext_lazy("angry"),
    "disgust": gettext_lazy("disgusted"),
    "fear": gettext_lazy("fearful"),
    "happy": gettext_lazy("happy"),
    "sad": gettext_lazy("sad"),
    "surprise": gettext_lazy("surprised"),
    "neutral": gettext_lazy("neutral"),
}
DATA = {"FER2013, validation part": gettext_lazy("the validation part of FER2013")}
COMMA = pgettext_lazy("between words of a list", ", ")


def whole(share: float) -> str:
    """A share from 0 to 1 as a whole number of hundredths."""
    return number_format(round(share * 100), decimal_pos=0)


def words_of(names: list[str]) -> str:
    """Expressions as a list in words."""
    return str(COMMA).join(str(EXPRESSIONS[name]) for name in names)


def data_of(part: dict[str, Any]) -> str:
    """The data on which the part was calibrated."""
    stated = str(part["calibrated_on"])
    return str(DATA.get(stated, stated))


def set_headline(part: dict[str, Any]) -> str:
    """One expression, two, or that none can be told."""
    held = part["set"]
    if part["abstained"]:
        return _("Cannot tell which expression")
    if len(held) == 1:
        return _("The expression looked %(expression)s") % {"expression": EXPRESSIONS[held[0]]}
    if len(held) == 2:
        first, second = (EXPRESSIONS[name] for name in held)
        return _("The expression looked %(first)s or %(second)s") % {
            "first": first,
            "second": second,
        }
    return _("The expression looked one of: %(expressions)s") % {"expressions": words_of(held)}


def set_findings(part: dict[str, Any]) -> list[str]:
    """What the program names, and how often that was right, for somebody who knows no statistics."""
    held = part["set"]
    if part["abstained"]:
        return [
            _(
                "The program cannot tell: %(number)s of the seven expressions fit, and to name one would "
                "be guessing."
            )
            % {"number": len(held)}
        ]
    if len(held) == 1:
        named = _("The program names one expression: %(set)s.") % {"set": words_of(held)}
    else:
        named = _("The program names %(number)s expressions, the likeliest first: %(set)s.") % {
            "number": len(held),
            "set": words_of(held),
        }
    return [f"{named} {right_in_words(part)}"]


def right_in_words(part: dict[str, Any]) -> str:
    """How often the first word was right when something was named: of ten, and never all of them."""
    tenths = floor(part["right_when_named"][0] * 10 + 0.5)
    if tenths >= 10:
        return _(
            "On test photographs the first that it named was right in more than 9 of 10; with other "
            "people and cameras it may be wrong more often."
        )
    return _(
        "On test photographs the first that it named was right in about %(tenths)s of 10; with other "
        "people and cameras it may be wrong more often."
    ) % {"tenths": tenths}


def set_exactly(part: dict[str, Any]) -> list[str]:
    """The same with its statistics: the set, when nothing is said, how often the first was right, and when
    that was measured."""
    held = part["set"]
    words = {
        "coverage": whole(part["coverage"]),
        "set": words_of(held),
        "number": len(held),
        "most": int(part["most_in_set"]),
    }
    found = [
        ngettext(
            "At %(coverage)s %% coverage one of the seven expressions fits: %(set)s.",
            "At %(coverage)s %% coverage %(number)s of the seven expressions fit: %(set)s.",
            len(held),
        )
        % words
    ]
    if part["abstained"]:
        found.append(
            _("When more than %(most)s fit, nothing is said: that would be guessing.") % words
        )
    value, low, high = part["right_when_named"]
    words |= {"right": whole(value), "low": whole(low), "high": whole(high)}
    words |= {"data": data_of(part), "named": whole(part["named"][0])}
    found.append(
        _(
            "When at most %(most)s fit, the first was right in %(right)s %% (%(low)s to %(high)s %%) of "
            "the test photographs of %(data)s; that was so for %(named)s %% of them."
        )
        % words
    )
    return [*found, calibrated(part)]


def calibrated(part: dict[str, Any]) -> str:
    """On which data the part was calibrated, and on which day."""
    return _("Calibrated on %(data)s, %(date)s.") % {
        "data": data_of(part),
        "date": day_in_words(str(part["calibrated_at"])),
    }


def day_in_words(stated: str) -> str:
    """The day of a pack in the reader's language; what is no date, as the pack states it."""
    try:
        return date_format(date.fromisoformat(stated), "DATE_FORMAT")
    except ValueError:
        return stated


def caveat(part: dict[str, Any]) -> str:
    """On which data the numbers were calibrated, and that it says nothing about others."""
    return _(
        "Calibrated on %(data)s: the numbers hold for photographs that come as those did. With another "
        "camera, in other light or for other people they may be wrong."
    ) % {"data": data_of(part)}
