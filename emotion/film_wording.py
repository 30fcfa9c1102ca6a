"""A film in sentences, from the figures of ``inference.summaries``. Always what showed, never what was
felt.

The same sentences are for the person and for whoever may read the result: they speak of the face.
"""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from emotion.inference.baseline import FOUND_INSTEAD, UNREAD
from emotion.inference.smile_marker import CANNOT_TELL, DUCHENNE_LIKE, NOT
from emotion.inference.summaries import NO_PICTURE, TOO_SELDOM
from emotion.set_words import EXPRESSIONS

Figures = dict[str, dict[str, Any]]

NOT_READ = {
    "no-face": gettext_lazy("no face was found"),
    "several-faces": gettext_lazy("more than one face was found"),
    "person-unclear": gettext_lazy("it was not clear which face is the right one"),
    "person-lost": gettext_lazy(
        "the face was out of sight or somebody came near, and it could not be told any more which face "
        "is the right one"
    ),
    "too-small": gettext_lazy("the face was too small"),
    "too-dark": gettext_lazy("too dark"),
    "too-bright": gettext_lazy("too bright"),
    "too-blurred": gettext_lazy("too blurred"),
    "unclear": gettext_lazy("the face was covered, cut off or upside down"),
    "turned-away": gettext_lazy("the face was turned too far away"),
    "covered": gettext_lazy("something seemed to cover the mouth or an eye"),
    "moving": gettext_lazy("the face moved too fast"),
    NO_PICTURE: gettext_lazy("the film has no picture there that can be shown"),
}
"""Why a stretch of a film was not read, by status; a stretch without moments has none."""
EVENTS = {
    "smile": gettext_lazy("Smile"),
    "blink": gettext_lazy("Blink"),
    "eyes-closed": gettext_lazy("Eyes closed"),
    "nod": gettext_lazy("Nod"),
    "shake": gettext_lazy("Shake of the head"),
    "look-away": gettext_lazy("Looking away"),
    "no-face": gettext_lazy("No face"),
    "person-lost": gettext_lazy("From here on nobody was analysed"),
}
"""What happened, by the kind of an event."""
VERDICTS = {
    DUCHENNE_LIKE: gettext_lazy("cheeks and eyes rose together with the corners of the mouth"),
    NOT: gettext_lazy("cheeks and eyes did not rise together with the corners of the mouth"),
    CANNOT_TELL: gettext_lazy("whether cheeks and eyes rose with it cannot be told"),
}
"""What the marker of a smile came to."""


def shown(value: float) -> str:
    """A number as people read it: whole from ten on, else with one digit behind the point."""
    places = 0 if abs(value) >= 10 else 1
    return number_format(round(value, places), decimal_pos=places)  # by itself it would cut off


def film_sentences(summary: dict[str, Figures]) -> list[str]:
    """What is to be said about a film, first how much of it could be read. Only what was measured is
    told."""
    found = reading_sentences(summary["summary"])
    makers = {
        "expression": expression_sentences,
        "smile-marker": smile_sentences,
        "blendshapes": blink_sentences,
        "head-pose": head_sentences,
        "gaze": away_sentences,
        "body-motion": body_sentences,
    }
    for category, make in makers.items():
        if category in summary:
            found += make(summary[category])
    return found


UNTOLD = {
    "expression": gettext_lazy(
        "Which expression showed could not be told, because nothing of it could be read."
    ),
    "smile-marker": gettext_lazy(
        "Whether a smile showed could not be told, because nothing of it could be read."
    ),
    "blendshapes": gettext_lazy(
        "How often the eyes blinked could not be told, because nothing of them could be read."
    ),
    "head-pose": gettext_lazy(
        "Whether the head nodded or was shaken could not be told, because nothing of it could be read."
    ),
    "body-motion": gettext_lazy(
        "How much the upper body moved could not be told, because nothing of it could be read."
    ),
}
"""What is said where nothing was read, by data category: not that nothing happened."""
LOOKED_AWAY = {
    ("head-pose", "gaze"): gettext_lazy(
        "Head and eyes pointed away from the camera in %(part)s of %(whole)s seconds."
    ),
    ("head-pose",): gettext_lazy(
        "The head pointed away from the camera in %(part)s of %(whole)s seconds."
    ),
    # The head's angle is known beside the eyes only where it was too far for the face to be read.
    ("gaze",): gettext_lazy(
        "The eyes were turned away within the head, or the head too far for them to be seen, in %(part)s "
        "of %(whole)s seconds."
    ),
}
"""What is said of looking away, by the categories that it was made of."""
UNTOLD_AWAY = {
    ("head-pose", "gaze"): gettext_lazy(
        "Whether head and eyes pointed away from the camera could not be told, because nothing of them "
        "could be read."
    ),
    ("head-pose",): gettext_lazy(
        "Whether the head pointed away from the camera could not be told, because nothing of it could be "
        "read."
    ),
    ("gaze",): gettext_lazy(
        "Whether the eyes were turned away could not be told, because nothing of them could be read."
    ),
}
"""What is said of it where nothing was read."""


def of_seconds(figures: Figures, name: str, total: str = "read") -> dict[str, str]:
    """Two lengths for "in %(part)s of %(whole)s seconds"."""
    return {"part": shown(figures[name]["value"]), "whole": shown(figures[total]["value"])}


def reading_sentences(figures: Figures) -> list[str]:
    """How much was read, and why the rest was not."""
    words = of_seconds(figures, "read", "watched")
    found = [_("The face could be read in %(part)s of %(whole)s seconds.") % words]
    for status, seconds in figures["abstained"]["why"].items():
        words = {"seconds": shown(seconds), "why": str(NOT_READ.get(status, status))}
        if status == "person-lost":
            words["second"] = shown(figures["person_lost_at"]["value"])
            told = _("From second %(second)s on not read, for %(seconds)s seconds: %(why)s.")
        else:
            told = _("Not read for %(seconds)s seconds: %(why)s.")
        found.append(told % words)
    return found + rest_sentences(figures.get("baseline", {}))


def rest_sentences(figure: dict[str, Any]) -> list[str]:
    """What was done where the stretch that was marked as the face at rest could not be read."""
    if figure.get("how") == UNREAD:
        return [
            _(
                "Nothing could be read in the stretch that was marked as the face at rest, and no other "
                "one was found."
            )
        ]
    if figure.get("how") == FOUND_INSTEAD:
        told = _(
            "Nothing could be read in the stretch that was marked as the face at rest; the one from second "
            "%(start)s to second %(end)s was found instead."
        )
        return [told % {name: shown(figure[name]) for name in ("start", "end")}]
    return []


def expression_sentences(figures: Figures) -> list[str]:
    """The expression that was told for longest, and how long none could be; first what took longer."""
    if figures["untold"]["value"] is None:
        return [str(UNTOLD["expression"])]
    lengths = {name: figures[f"{name}_foremost"]["value"] for name in EXPRESSIONS}
    name = max(lengths, key=lambda each: float(lengths[each]))
    found = []
    if lengths[name]:
        words = of_seconds(figures, f"{name}_foremost") | {"expression": str(EXPRESSIONS[name])}
        told = _(
            "Where it could be told, the expression looked %(expression)s for longest: in %(part)s of "
            "%(whole)s seconds."
        )
        found.append(told % words)
    if figures["untold"]["value"]:
        untold = _(
            "In %(part)s of %(whole)s seconds it could not be told which expression showed, because too "
            "many fitted."
        )
        found.append(untold % of_seconds(figures, "untold"))
    return found if lengths[name] >= figures["untold"]["value"] else found[::-1]


def smile_sentences(figures: Figures) -> list[str]:
    """How long a smile showed, and what the markers came to."""
    number = figures["smiles"]["value"]
    if number is None:
        return [str(UNTOLD["smile-marker"])]
    if not number:
        words = {"seconds": shown(figures["read"]["value"])}
        return [_("No smile showed in the %(seconds)s seconds that could be read.") % words]
    found = [_("A smile showed in %(part)s of %(whole)s seconds.") % of_seconds(figures, "smiled")]
    verdicts = figures["markers"]["by_verdict"]
    words = {"like": verdicts.get(DUCHENNE_LIKE, 0), "number": number}
    words["untold"] = verdicts.get(CANNOT_TELL, 0)
    found.append(
        ngettext(
            "In %(like)s of %(number)s smile the cheeks and eyes rose together with the corners of the "
            "mouth; for %(untold)s it cannot be told. That proves no feeling.",
            "In %(like)s of %(number)s smiles the cheeks and eyes rose together with the corners of the "
            "mouth; for %(untold)s it cannot be told. That proves no feeling.",
            number,
        )
        % words
    )
    return found


def blink_sentences(figures: Figures) -> list[str]:
    """Blinks, as a rate where the pictures came fast enough."""
    rate, number = figures["blink_rate"]["value"], figures["blinks"]["value"]
    if number is None:
        return [str(UNTOLD["blendshapes"])]
    if rate is not None:
        return [_("The eyes blinked %(rate)s times a minute.") % {"rate": shown(rate)}]
    if not number:
        return [_("The pictures came too slowly to see blinks.")]
    found = ngettext(
        "At least %(number)s blink; the pictures came too slowly to see all.",
        "At least %(number)s blinks; the pictures came too slowly to see all.",
        number,
    )
    return [found % {"number": number}]


def head_sentences(figures: Figures) -> list[str]:
    """Nods and shakes; looking away where the eyes were not measured."""
    away = away_sentences(figures) if "looked_away" in figures else []
    nods, shakes = figures["nods"]["value"], figures["shakes"]["value"]
    if nods is None:
        seldom = _(
            "Whether the head nodded or was shaken could not be told, because it was read too seldom."
        )
        return [
            seldom if figures["nods"]["reason"] == TOO_SELDOM else str(UNTOLD["head-pose"]),
            *away,
        ]
    return [
        ngettext("The head nodded %(number)s time.", "The head nodded %(number)s times.", nods)
        % {"number": nods},
        ngettext(
            "The head was shaken %(number)s time.", "The head was shaken %(number)s times.", shakes
        )
        % {"number": shakes},
        *away,
    ]


def away_sentences(figures: Figures) -> list[str]:
    """How long head, eyes or both pointed elsewhere: only what was measured is told."""
    away = figures["looked_away"]
    made_of = tuple(away["made_of"])
    if away["value"] is None:
        return [str(UNTOLD_AWAY[made_of])]
    words = {"part": shown(away["value"]), "whole": shown(away["of"])}
    return [LOOKED_AWAY[made_of] % words]


def body_sentences(figures: Figures) -> list[str]:
    """How much the upper body moved."""
    speed = figures["moving"]["value"]
    if speed is None:
        return [str(UNTOLD["body-motion"])]
    words = {"speed": number_format(round(speed, 2), decimal_pos=2)}
    return [_("The upper body moved %(speed)s shoulder widths a second on average.") % words]
