"""Who acts in ``test_everybody_at_once``: each has things to do, whichever comes next."""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

from bs4 import BeautifulSoup
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from emotion.models import Analysis, Dispute, Recording
from tests.cast import CATEGORIES, PHOTO, Person, Study, api, given_up, upload
from tests.tus import Tus

PEOPLE = 4
REASON = {"Access-Reason": "quality-check"}
Act = Callable[[random.Random], Any]
"""Does something; the answer, or None where there was nothing to do."""


def one_of(rows: QuerySet[Any]) -> Any:
    """Any of them, or None."""
    return rows.order_by("?").first()


class Subject:
    """Somebody who changes their mind."""

    def __init__(self, study: Study, person: Person) -> None:
        self.browser, self.purpose, self.subject = person.browser, study.purpose.id, person.subject

    def acts(self) -> list[Act]:
        """What they do, the more often the more often it stands here."""
        return [
            self.says_yes, self.says_yes, self.withdraws, self.changes, self.sends, self.sends, self.looks,
            self.reads, self.downloads, self.disputes, self.settles,
        ]  # fmt: skip

    def says_yes(self, chance: random.Random) -> Any:
        address = reverse("consent_notice", args=[self.purpose])
        page = self.browser.get(address)
        found = re.search(r'name="notice" value="([0-9a-f-]{36})"', page.content.decode())
        if not found:
            return page
        chosen = [str(each) for each in CATEGORIES if each == "media" or chance.random() < 0.8]
        form = {"notice": found[1], "decision": "give", "categories": chosen}
        page = self.browser.post(address, form)
        parts = given_up(page)
        if not parts or chance.random() < 0.5:
            return page
        return self.browser.post(address, form | {"gives_up": parts})

    def withdraws(self, chance: random.Random) -> Any:
        if chance.random() < 0.5:
            return None
        return self.browser.post(reverse("consent_withdraw", args=[self.purpose]))

    def changes(self, chance: random.Random) -> Any:
        """Pauses, goes on, or stops a data category: whatever the page offers."""
        address = reverse("consent_change", args=[self.purpose])
        page = self.browser.get(address)
        forms = BeautifulSoup(page.content, "html.parser").select("main form")
        if not forms:
            return page
        chosen = chance.choice(forms)
        fields = chosen.select("input[name], button[name]")
        form = {str(each["name"]): str(each.get("value", "on")) for each in fields}
        return self.browser.post(str(chosen.get("action") or address), form)

    def sends(self, _chance: random.Random) -> Any:
        file = SimpleUploadedFile("a.jpg", PHOTO.read_bytes(), "image/jpeg")
        form = {"idempotency_key": secrets.token_hex(8), "file": file}
        return self.browser.post(reverse("upload", args=[self.purpose]), form)

    def looks(self, chance: random.Random) -> Any:
        name = chance.choice(["subject_home", "access_history", "entry_proofs", "erasures"])
        return self.browser.get(reverse(name))

    def reads(self, _chance: random.Random) -> Any:
        row = one_of(Analysis.objects.filter(recording__subject=self.subject))
        return row and self.browser.get(reverse("own_result", args=[row.id]))

    def downloads(self, _chance: random.Random) -> Any:
        return self.browser.post(reverse("own_bundle", args=[self.purpose]))

    def disputes(self, _chance: random.Random) -> Any:
        row = one_of(Recording.objects.filter(subject=self.subject, erased_at=None))
        return row and self.browser.post(reverse("own_dispute", args=[row.id]))

    def settles(self, chance: random.Random) -> Any:
        row = one_of(Dispute.objects.filter(recording__subject=self.subject))
        name = chance.choice(["own_dispute_erase", "own_dispute_retract"])
        return row and self.browser.post(reverse(name, args=[row.recording_id]))


class ApiUser:
    """A study's own software, about anybody."""

    def __init__(self, study: Study) -> None:
        self.key, self.purpose = study.key(), study.purpose.id
        self.browser, self.photo = api(self.key), PHOTO.read_bytes()

    def acts(self) -> list[Act]:
        """What it does."""
        return [
            self.client_sends, self.client_sends_in_parts, self.client_lists, self.client_reads,
            self.client_cancels, self.client_exports,
        ]  # fmt: skip

    def client_sends(self, chance: random.Random) -> Any:
        return upload(self.key, f"P-{chance.randrange(PEOPLE)}", self.purpose, self.photo)

    def client_sends_in_parts(self, chance: random.Random) -> Any:
        """Every other time only the first part comes."""
        tus, cut = Tus(self.key), chance.randrange(1, len(self.photo))
        made = tus.create(self.purpose, len(self.photo), f"P-{chance.randrange(PEOPLE)}")
        if made.status_code != 201:
            return made
        first = tus.patch(made.headers["Location"], 0, self.photo[:cut])
        if first.status_code != 204 or chance.random() < 0.5:
            return first
        return tus.patch(made.headers["Location"], cut, self.photo[cut:])

    def client_lists(self, chance: random.Random) -> Any:
        name = chance.choice(["api_recordings", "api_analyses", "api_subjects", "api_erasures"])
        return self.browser.get(reverse(name))

    def client_reads(self, _chance: random.Random) -> Any:
        row = one_of(Analysis.objects.all())
        return row and self.browser.get(reverse("api_result", args=[row.id]), headers=REASON)

    def client_cancels(self, _chance: random.Random) -> Any:
        row = one_of(Analysis.objects.all())
        return row and self.browser.post(reverse("api_analysis_cancel", args=[row.id]))

    def client_exports(self, _chance: random.Random) -> Any:
        address, kind = reverse("api_exports"), "application/json"
        made = self.browser.post(address, {"format": "csv"}, content_type=kind, headers=REASON)
        if made.status_code != 201:
            return made
        return self.browser.get(reverse("api_export_content", args=[made.json()["id"]]))


class Researcher:
    """Somebody who reads results, for a reason."""

    def __init__(self, study: Study) -> None:
        self.desk: Client = study.researcher.sign_in()

    def acts(self) -> list[Act]:
        """What they do."""
        return [self.researcher_reads, self.researcher_analyses_again, self.researcher_lists]

    def researcher_reads(self, _chance: random.Random) -> Any:
        row = one_of(Analysis.objects.all())
        form = {"reason": "quality-check"}
        return row and self.desk.post(reverse("operate_result", args=[row.id]), form)

    def researcher_analyses_again(self, _chance: random.Random) -> Any:
        row = one_of(Recording.objects.all())
        return row and self.desk.post(reverse("operate_again", args=[row.id]))

    def researcher_lists(self, chance: random.Random) -> Any:
        name = chance.choice(["operate_recordings", "operate_people", "operate_disputes"])
        return self.desk.get(reverse(name))


class Administrator:
    """Somebody at a terminal; a fault of a command is one of theirs."""

    def acts(self) -> list[Act]:
        """What they run."""
        return [self.rotates_epochs, self.rotates_the_logs_key, self.verifies, self.looks_ahead]

    def rotates_epochs(self, _chance: random.Random) -> None:
        self.run("keys", "rotate")

    def rotates_the_logs_key(self, _chance: random.Random) -> None:
        self.run("log_key", "rotate", "--days", "0")

    def verifies(self, _chance: random.Random) -> None:
        self.run("verify_log")

    def looks_ahead(self, _chance: random.Random) -> None:
        self.run("retention")

    def run(self, *arguments: str) -> None:
        call_command(*arguments, stdout=StringIO(), stderr=StringIO())
        time.sleep(0.5)
