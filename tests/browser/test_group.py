"""The page of a group in a real browser: asked, counted by a real worker, answered while one looks."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, expect

from audit_log.actions import ReasonCode
from emotion.cohort import BUDGET, LEAST, ask
from emotion.models import CohortAnswer, CohortBudget, CohortQuestion, CohortState
from tests.browser.looking import Looker, Shown, wear
from tests.cast import PHOTO, Study, analysed, consenting

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]
COUNTS = {
    "angry": 4, "disgust": -2, "fear": 0, "happy": 212, "sad": 31, "surprise": 9, "neutral": 118,
    "untold": 26,
}  # fmt: skip


def answered(study: Study, question: CohortQuestion, counts: dict[str, int]) -> None:
    """An answer as it is stored: with its noise."""
    row = ask(study.researcher.actor, study.purpose.id, question, ReasonCode.QUALITY_CHECK)
    CohortAnswer.objects.filter(pk=row.pk).update(
        state=CohortState.ANSWERED, counts=counts, answered_at=timezone.now()
    )


def test_the_pages_of_a_group_are_clean(site: str, context: BrowserContext, study: Study) -> None:
    looker = Looker(context, site)
    wear(context, site, study.researcher.sign_in())
    page = reverse("operate_cohort", args=[study.purpose.id])
    looker.look(Shown("group-nothing-asked", page))
    answered(study, CohortQuestion.EXPRESSION, COUNTS)
    answered(study, CohortQuestion.SMILE, {"duchenne-like": 3, "not": 2, "none": 1, "untold": -1})
    ask(study.researcher.actor, study.purpose.id, CohortQuestion.VALENCE, ReasonCode.QUALITY_CHECK)
    looker.look(Shown("group", page))
    looker.page.locator("form.form").evaluate("form => form.noValidate = true")
    looker.expected = 422
    looker.page.get_by_role("button", name="Count").click()
    looker.page.locator(".error-summary").wait_for()
    looker.look_around(Shown("group-refused", "", 422))
    CohortAnswer.objects.update(state=CohortState.FAILED, counts=None)
    CohortBudget.objects.update(spent=BUDGET)
    looker.look(Shown("group-all-spent", page))
    looker.look(Shown("purpose-researcher", reverse("operate_purpose", args=[study.purpose.id])))
    assert looker.troubles == []


def test_a_question_is_answered_while_one_looks(
    site: str, context: BrowserContext, study: Study, worker: object
) -> None:
    consenting(study)
    analysed(study, photo=PHOTO.read_bytes())
    wear(context, site, study.researcher.sign_in())
    page = context.new_page()
    page.goto(site + reverse("operate_purpose", args=[study.purpose.id]))
    page.get_by_role("link", name="Figures about the group").click()
    page.get_by_label("The foremost expression").press("Space")
    page.get_by_label("To work on the study").press("Space")
    page.get_by_role("button", name="Count").press("Enter")
    expect(page.get_by_text("9 more answers can be given")).to_be_visible()
    answer = page.get_by_role("article", name="The foremost expression")
    expect(answer.get_by_text("Answered", exact=True)).to_be_visible(timeout=60_000)
    # Real noise: about one time in eighty the answer for one person looks like twenty people.
    counts = CohortAnswer.objects.get().counts or {}
    shown = sum(counts.values()) >= LEAST
    expect(answer).to_contain_text("People, about" if shown else "Too few people to say anything")


def test_without_scripting_there_is_a_way_to_look_again(
    site: str, unscripted: BrowserContext, study: Study
) -> None:
    ask(study.researcher.actor, study.purpose.id, CohortQuestion.VALENCE, ReasonCode.QUALITY_CHECK)
    wear(unscripted, site, study.researcher.sign_in())
    page = unscripted.new_page()
    address = site + reverse("operate_cohort", args=[study.purpose.id])
    page.goto(address)
    page.get_by_role("link", name="See how far it is").click()
    expect(page).to_have_url(address)
