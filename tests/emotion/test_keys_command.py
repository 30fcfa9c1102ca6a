"""``manage.py keys``: what an operator reads, and what it does."""

from __future__ import annotations

import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.urls import reverse

from consent.erasure import record_final
from consent.models import ErasureRequest
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import Analysis
from tests.cast import PHOTO, api_get, consenting, open_study, upload
from tests.faults.harm import folder_gone
from vault.overview import epoch_numbers

pytestmark = pytest.mark.usefixtures("fresh_db")


def keys(*words: str) -> str:
    out = io.StringIO()
    call_command("keys", *words, stdout=out)
    return out.getvalue()


def test_list_rotate_and_the_two_moments_of_an_erasure() -> None:
    study = open_study()
    staying, leaving = consenting(study), consenting(study, "P-002")
    key = study.key()
    for person in (staying, leaving):
        sent = upload(key, person.reference, study.purpose.id, PHOTO.read_bytes())
        assert sent.status_code == 202
    for row in Analysis.objects.all():
        run_analysis(row.pk)
    leaving.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    drain()

    [old] = epoch_numbers()
    text = keys("list")
    assert f"{old.id}  current" in text
    assert old.living > 0 < old.dead
    assert f"{old.living:6}  {old.dead:4}" in text
    assert str(settings.KEYS_DIR / "epochs") in text
    row = ErasureRequest.objects.get(subject=leaving.subject, cause="withdrawal")
    line = next(each for each in keys("erasures", "--open").splitlines() if str(row.id) in each)
    assert f"{row.requested_at:%Y-%m-%d %H:%M:%S}" in line
    assert line.endswith("  -"), "T2 is not claimed"

    text = keys("rotate")
    new = epoch_numbers()[-1]
    assert f"current epoch: {new.id}" in text
    assert f"{old.living:,} of {old.living:,} keys" in text
    assert f"destroyed: {old.id}, with {old.dead} keys" in text
    assert (epoch_numbers()[0].living, new.living) == (0, old.living)
    assert f"{old.id}  destroyed" in keys("list")

    assert record_final() > 0
    row.refresh_from_db()
    assert row.final_at is not None
    assert f"{row.final_at:%Y-%m-%d %H:%M:%S}" in keys("erasures", "--number", "500")
    assert str(row.id) not in keys("erasures", "--open")
    assert keys("erasures", "--number", "1").count("withdrawal") <= 1
    mine = Analysis.objects.get(recording__subject=staying.subject)
    assert api_get(key, "api_result", mine.pk, Access_Reason="quality-check").status_code == 200
    said = "".join(keys(*words) for words in (["list"], ["erasures"]))
    assert "P-00" not in said
    assert str(leaving.subject.id) not in said


def test_without_the_key_folder_it_is_one_line_and_nothing_is_destroyed() -> None:
    before = epoch_numbers()
    with folder_gone(), pytest.raises(CommandError, match=r"missing: .*\(root-key-missing\)"):
        keys("rotate")
    assert epoch_numbers() == before
    keys("rotate")
    assert [row.state for row in epoch_numbers()][-1] == "current"
    assert before[0].id in {row.id for row in epoch_numbers() if row.destroyed_at}


@pytest.mark.parametrize("words", [[], ["destroy"], ["erasures", "--number", "many"]])
def test_anything_else_is_refused(words: list[str]) -> None:
    with pytest.raises(CommandError):
        keys(*words)
