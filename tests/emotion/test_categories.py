"""Every data category of a photograph: asked, ticked, measured, sealed, shown; and no other."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse

from consent.dpv import PERSONAL_DATA
from consent.forms import CATEGORY_LABELS
from consent.models import ONLY_IN_FILMS, DataCategory
from emotion.inference.readings import IN_A_PHOTOGRAPH
from emotion.inference.series import MEASURED_IN
from tests.cast import analysed, consenting, open_study

pytestmark = pytest.mark.usefixtures("fresh_db")


def test_what_can_be_consented_to_is_what_is_measured() -> None:
    in_a_photograph = set(DataCategory.values) - {str(each) for each in ONLY_IN_FILMS}
    assert in_a_photograph == {"media", *IN_A_PHOTOGRAPH}
    assert set(DataCategory.values) == {"media", *MEASURED_IN}
    assert set(PERSONAL_DATA) == set(DataCategory)
    assert set(DataCategory.values) == set(CATEGORY_LABELS)


def test_only_the_ticked_boxes_are_measured_and_shown() -> None:
    study = open_study(categories=[DataCategory.MEDIA, *map(DataCategory, IN_A_PHOTOGRAPH)])
    person = consenting(study, categories=["media", "head-pose", "gaze", "smile-marker"])
    row = analysed(study)
    assert set(row.categories) == {"summary", "head-pose", "gaze", "smile-marker"}
    assert set(row.results.values_list("category", flat=True)) == set(row.categories)
    assert len(set(row.results.values_list("data_key_id", flat=True))) == 4, "a key for each"
    page = person.browser.get(reverse("own_result", args=[row.id])).content.decode()
    text = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
    assert "Head raised 15° down" in text
    assert "may be off by 10° and more" in text
    assert "cannot be told from one photograph" in text
    assert "Apparent expression" not in text
    assert "Facial movements" not in text
