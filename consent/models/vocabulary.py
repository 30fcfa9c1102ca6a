"""The closed lists that purposes choose from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class DataCategory(models.TextChoices):
    """What may be collected or measured; each is consented to on its own."""

    MEDIA = "media", _("Pictures of my face")
    EXPRESSION = "expression", _("Apparent expression")
    BLENDSHAPES = "blendshapes", _("Facial movements (blendshapes)")
    HEAD_POSE = "head-pose", _("Posture of my head")
    GAZE = "gaze", _("Where my eyes point")
    SMILE_MARKER = "smile-marker", _("Cheeks and eyes when I smile")
    BODY_MOTION = "body-motion", _("Movements of my body")


ONLY_IN_FILMS = frozenset({DataCategory.BODY_MOTION})
"""One photograph shows none of it: consent to it would be consent to nothing where no film is taken."""


class MediaKind(models.TextChoices):
    """What a purpose takes in under the category "media"; people are asked for just that."""

    PHOTOGRAPHS = "photographs", _("Photographs")
    FILMS = "films", _("Films (their sound is not listened to)")
    BOTH = "photographs-and-films", _("Photographs and films (the sound is not listened to)")

    @property
    def takes_photographs(self) -> bool:
        """Whether a photograph may come."""
        return self != MediaKind.FILMS

    @property
    def takes_films(self) -> bool:
        """Whether a film may come."""
        return self != MediaKind.PHOTOGRAPHS

    @property
    def add_words(self) -> str:
        """What leads people to where they send it."""
        return str(ADD_WORDS[self])


ADD_WORDS = {
    MediaKind.PHOTOGRAPHS: _("Add a photograph"),
    MediaKind.FILMS: _("Add a film"),
    MediaKind.BOTH: _("Add a photograph or a film"),
}
MEDIA_LABELS = {
    MediaKind.PHOTOGRAPHS: _("Photographs of my face"),
    MediaKind.FILMS: _("Films of my face (their sound is not listened to)"),
    MediaKind.BOTH: _("Photographs and films of my face (the sound is not listened to)"),
}


def category_label(category: str, takes: str) -> str:
    """A data category in the person's own words, for a purpose that takes this kind of media."""
    if category == DataCategory.MEDIA:
        return str(MEDIA_LABELS[MediaKind(takes)])
    return str(DataCategory(category).label)


class LawfulBasis(models.TextChoices):
    """On what the processing rests. One member on purpose: the gate opens nothing without a consent."""

    EXPLICIT_CONSENT = (
        "explicit-consent",
        _("Explicit consent (GDPR Art. 6(1)(a) and 9(2)(a))"),
    )


class Sector(models.TextChoices):
    """Where a purpose belongs; a closed list, so that the screening can be complete."""

    RESEARCH = "research", _("Scientific research")
    USABILITY = "usability", _("Usability and product tests with volunteers")
    HEALTH = "health", _("Health care and therapy support")
    ARTS = "arts", _("Arts and exhibitions with volunteers")
    WORKPLACE = "workplace", _("Workplace")
    RECRUITMENT = "recruitment", _("Recruitment")
    EDUCATION = "education", _("Education")
    LAW_ENFORCEMENT = "law-enforcement", _("Law enforcement")
    BORDER = "border", _("Border control and migration")
    PUBLIC_SPACE = "public-space", _("Watching publicly accessible places")


class Use(models.TextChoices):
    """What the results are for; a closed list too."""

    STATISTICS = "statistics", _("Statistics about a group")
    INDIVIDUAL_FEEDBACK = "individual-feedback", _("Feedback to the person")
    METHOD_VALIDATION = "method-validation", _("Validation of a method")
    PROTECTED_TRAIT = "protected-trait", _("Inference of a protected trait")
    AUTOMATED_DECISION = "automated-decision", _("Automated decisions about a person")
    LIE_DETECTION = "lie-detection", _("Detection of lies or intent")
    IDENTIFICATION = "identification", _("Recognition of who a person is")


class ExceptionReason(models.TextChoices):
    """What AI Act Art. 5(1)(f) leaves open at work and in education; it has to be documented."""

    NONE = "", _("None")
    MEDICAL = "medical", _("A medical reason")
    SAFETY = "safety", _("A safety reason")


class PurposeState(models.TextChoices):
    """The life of a purpose."""

    DRAFT = "draft", _("Draft")
    SENT_BACK = "sent-back", _("Sent back")
    IN_REVIEW = "in-review", _("In review")
    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")


LEAST_AGE = 14
"""Under this age nobody consents alone; a guardian does (PIPL Art. 31)."""
LEAST_CHILD_AGE = 7
"""Under this age nobody takes part, also with a guardian: a child who cannot say yes or no to such a thing
by itself cannot assent to it."""


class ControllerKind(models.TextChoices):
    """In which part an organisation takes part (ISO/IEC TS 27560: type of the party)."""

    CONTROLLER = "controller", _("Controller")
    JOINT = "joint-controller", _("Joint controller")
    PROCESSOR = "processor", _("Processor")


class ResidualRisk(models.TextChoices):
    """What is left after the measures; a high one needs the authority's answer first (Art. 36)."""

    LOW = "low", _("Low")
    MODERATE = "moderate", _("Moderate")
    HIGH = "high", _("High")
