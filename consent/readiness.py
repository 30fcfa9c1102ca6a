"""What is still missing before a purpose can be submitted, and before it can be opened: in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.models import User
from consent.models import ImpactAssessment, Notice, Purpose
from consent.notice_pages import says_what_the_purpose_says
from consent.screening import is_excepted


def newest_assessment(purpose: Purpose) -> ImpactAssessment | None:
    """The version of the impact assessment that counts: the last one."""
    return purpose.assessments.order_by("-version").first()


def newest_notices(purpose: Purpose) -> list[Notice]:
    """The notice in force, in each of its languages."""
    last = purpose.notices.order_by("-version").first()
    return list(purpose.notices.filter(version=last.version)) if last else []


def outlasting_periods(purpose: Purpose) -> list[str]:
    """Periods that no consent lets run to their end: nothing is wrong, but somebody may rely on them."""
    lasts = purpose.consent_validity_days
    periods = [(_("Results"), purpose.result_retention_days)]
    if purpose.keep_media:
        periods.append((_("Photographs and films"), purpose.media_retention_days))
    return [
        _(
            "%(what)s are to be kept for %(days)s days, but a consent lasts %(lasts)s days, and at its end "
            "everything is erased."
        )
        % {"what": what, "days": days, "lasts": lasts}
        for what, days in periods
        if days and days > lasts
    ]


def missing_for_review(purpose: Purpose) -> list[str]:
    """What a draft still needs before the data protection officer reads it."""
    found = []
    notices = newest_notices(purpose)
    if not notices:
        found.append(_("Publish a privacy notice before the purpose is reviewed."))
    elif not all(says_what_the_purpose_says(notice, purpose) for notice in notices):
        found.append(
            _("The purpose has changed since its notice was published: publish the next version.")
        )
    if not purpose.media_retention_days or not purpose.result_retention_days:
        found.append(_("Set both retention periods: without a date nothing may be kept."))
    if newest_assessment(purpose) is None:
        found.append(_("Write the impact assessment (GDPR Art. 35)."))
    if purpose.exception and purpose.exception_document_id is None:
        found.append(
            _("Upload the document that shows the medical or safety reason (Art. 5(1)(f)).")
        )
    return found


def missing_for_opening(purpose: Purpose, reviewer: User | None = None) -> list[str]:
    """What a purpose in review still needs before this reviewer, or anybody, can open it."""
    found = missing_for_review(purpose)
    assessment = newest_assessment(purpose)
    if assessment is not None and not assessment.is_approved:
        found.append(
            _("A data protection officer has to approve the impact assessment (GDPR Art. 35).")
        )
    if is_excepted(purpose.sector, purpose.exception):
        others = purpose.exception_approvals.all()
        if reviewer is not None:
            others = others.exclude(by=reviewer)
        if not others.exists():
            found.append(
                _("A second person has to agree to the medical or safety reason (Art. 5(1)(f)).")
            )
    return found
