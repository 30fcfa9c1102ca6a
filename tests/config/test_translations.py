"""The languages of the pages that data subjects and the public see.

Nothing here needs the gettext tools: templates and modules are read for what they translate, and the
two catalogue files are read as they are.
"""

from __future__ import annotations

import ast
import gettext
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bs4 import BeautifulSoup
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action
from audit_log.errors import AuditLogError
from config.errors import status_of
from consent.invitations import send_invitation
from consent.messages import open_message
from consent.models import DataSubject, OutboxMessage, RequestKind
from consent.sign_in import send_code
from tests import cast
from vault.errors import VaultError

LANGUAGES = ("zh-hans", "es", "de")
EMOTIONS = {"zh-hans": "情绪", "es": "emoci", "de": "emotion"}
each_language = pytest.mark.parametrize("language", LANGUAGES)
TEMPLATES = [
    "base.html",
    "front.html",
    "retention.html",
    "error*.html",
    "[45]??.html",
    "consent/**/*.html",
    "emotion/**/*.html",
    "components/**/*.html",
    "account/snippets/*.html",
    "account/logout.html",
    "account/*reauthenticate.html",
    "mfa/index.html",
    "mfa/reauthenticate.html",
    "mfa/webauthn/**/*.html",
]
MODULES = [
    "accounts/adapters.py",
    "accounts/attempts.py",
    "accounts/forms.py",
    "accounts/passkeys.py",
    "accounts/views.py",
    "config/fault_words.py",
    "consent/breach_telling.py",
    "consent/choice_views.py",
    "consent/consent_record.py",
    "consent/ending_soon.py",
    "consent/erasure_words.py",
    "consent/errors.py",
    "consent/giving.py",
    "consent/guardian_views.py",
    "consent/guardians.py",
    "consent/history.py",
    "consent/history_words.py",
    "consent/holds.py",
    "consent/invitations.py",
    "consent/kantara.py",
    "consent/methods.py",
    "consent/models/assessments.py",
    "consent/models/endings.py",
    "consent/models/purposes.py",
    "consent/models/records.py",
    "consent/models/requests.py",
    "consent/models/vocabulary.py",
    "consent/narrowing.py",
    "consent/narrowing_views.py",
    "consent/notice_pages.py",
    "consent/open_accounts.py",
    "consent/paper_invitations.py",
    "consent/receipt_views.py",
    "consent/receipts.py",
    "consent/records.py",
    "consent/renewals.py",
    "consent/request_forms.py",
    "consent/request_letters.py",
    "consent/request_views.py",
    "consent/request_words.py",
    "consent/requests.py",
    "consent/scans.py",
    "consent/sign_in.py",
    "consent/sign_in_views.py",
    "consent/subject_forms.py",
    "consent/widening.py",
    "consent/withdrawals.py",
    "emotion/angle_words.py",
    "emotion/arriving.py",
    "emotion/bundle_views.py",
    "emotion/bundle_words.py",
    "emotion/bundles.py",
    "emotion/comparison.py",
    "emotion/comparison_views.py",
    "emotion/continuing.py",
    "emotion/disputes.py",
    "emotion/film_charts.py",
    "emotion/film_wording.py",
    "emotion/home.py",
    "emotion/kept_films.py",
    "emotion/media_words.py",
    "emotion/models/cohorts.py",
    "emotion/models/recordings.py",
    "emotion/models/uploads.py",
    "emotion/models_page.py",
    "emotion/movement_words.py",
    "emotion/own_uploads.py",
    "emotion/photograph_views.py",
    "emotion/photographs.py",
    "emotion/reservations.py",
    "emotion/result_pages.py",
    "emotion/results.py",
    "emotion/resumable.py",
    "emotion/set_words.py",
    "emotion/storing.py",
    "emotion/trend_views.py",
    "emotion/upload_words.py",
    "emotion/uploads.py",
    "emotion/views.py",
    "emotion/wording.py",
]
OF_OPERATORS = [
    "accounts/auditor_views.py",
    "accounts/auditors.py",
    "accounts/authentication.py",
    "accounts/client_keys.py",
    "accounts/clients.py",
    "accounts/lists.py",
    "accounts/live_clients.py",
    "accounts/models.py",
    "accounts/networks.py",
    "accounts/operator_views.py",
    "accounts/operators.py",
    "accounts/pages.py",
    "accounts/parsers.py",
    "accounts/training.py",
    "accounts/training_views.py",
    "audit_log/errors.py",
    "audit_log/log_filter.py",
    "audit_log/models.py",
    "audit_log/row_entries.py",
    "config/errors.py",
    "config/field_errors.py",
    "config/settings.py",
    "consent/address_views.py",
    "consent/asking.py",
    "consent/assessment_views.py",
    "consent/breach_forms.py",
    "consent/breach_views.py",
    "consent/breaches.py",
    "consent/client_key_views.py",
    "consent/client_views.py",
    "consent/clock_words.py",
    "consent/contacts.py",
    "consent/enforcement.py",
    "consent/find_views.py",
    "consent/forms.py",
    "consent/hold_forms.py",
    "consent/hold_views.py",
    "consent/link_back_views.py",
    "consent/links_back.py",
    "consent/many_invitations.py",
    "consent/many_invitations_views.py",
    "consent/models/breaches.py",
    "consent/models/recipients.py",
    "consent/notice_forms.py",
    "consent/notice_views.py",
    "consent/operator_notes.py",
    "consent/operator_views.py",
    "consent/paper.py",
    "consent/paper_forms.py",
    "consent/paper_views.py",
    "consent/people_views.py",
    "consent/purpose_forms.py",
    "consent/purpose_rules.py",
    "consent/purpose_words.py",
    "consent/readiness.py",
    "consent/request_answers.py",
    "consent/request_desk_forms.py",
    "consent/request_desk_views.py",
    "consent/request_keys.py",
    "consent/screening_words.py",
    "consent/step_views.py",
    "consent/templatetags/operate.py",
    "consent/webhook_addresses.py",
    "consent/webhook_views.py",
    "consent/webhooks.py",
    "emotion/bulk.py",
    "emotion/bulk_views.py",
    "emotion/bulk_words.py",
    "emotion/cancelling.py",
    "emotion/cohort.py",
    "emotion/cohort_questions.py",
    "emotion/cohort_views.py",
    "emotion/discarding.py",
    "emotion/dispute_notes.py",
    "emotion/dispute_views.py",
    "emotion/health.py",
    "emotion/keys_views.py",
    "emotion/limits.py",
    "emotion/operator_views.py",
    "emotion/pack_views.py",
    "emotion/periods.py",
    "emotion/reanalysis.py",
    "emotion/retention_views.py",
]
"""What else has words: of pages and answers for those who work here, which are English."""
# Name of the function → which of its arguments are (context, singular, plural).
CALLS: dict[str, tuple[int | None, int, int | None]] = {
    "_": (None, 0, None),
    "gettext": (None, 0, None),
    "gettext_lazy": (None, 0, None),
    "ngettext": (None, 0, 1),
    "ngettext_lazy": (None, 0, 1),
    "pgettext": (0, 1, None),
    "pgettext_lazy": (0, 1, None),
    "npgettext": (0, 1, 2),
}
STRING = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
CALL_IN_TEMPLATE = re.compile(rf"\b(?:_|n?p?gettext)\(\s*{STRING}(?:\s*,\s*{STRING})*")
TAG = re.compile(r"</?[a-z][^>]*>")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]|%%")


class Message(NamedTuple):
    """What the catalogue is asked for."""

    context: str
    singular: str
    plural: str


class Entry(NamedTuple):
    """One block of a .po file; ``forms``: what stands for it, once for each form of the plural."""

    message: Message
    forms: tuple[str, ...]
    fuzzy: bool


def messages_of(tree: ast.AST) -> set[Message]:
    """The messages of all translating calls whose texts are literals."""
    found = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id not in CALLS:
            continue
        texts = [getattr(argument, "value", None) for argument in node.args]
        if texts and isinstance(texts[0], str):
            parts = [
                "" if at is None else str(texts[at] if at < len(texts) else "")
                for at in CALLS[node.func.id]
            ]
            found.add(Message(*parts))
    return found


def wanted() -> set[Message]:
    """Every message of the pages in question."""
    found: set[Message] = set()
    for pattern in TEMPLATES:
        files = list((Path(settings.BASE_DIR) / "templates").glob(pattern))
        assert files, pattern
        for file in files:
            source = templatize(file.read_text(encoding="utf-8"), origin=str(file))
            for call in CALL_IN_TEMPLATE.findall(source):
                found |= messages_of(ast.parse(call + ")"))
    for module in MODULES:
        found |= messages_of(ast.parse((Path(settings.BASE_DIR) / module).read_text("utf-8")))
    return found


def test_every_module_with_words_is_listed_by_who_reads_them() -> None:
    root = Path(settings.BASE_DIR)
    rooms = {config.path for config in apps.get_app_configs() if Path(config.path).parent == root}
    found = {
        str(file.relative_to(root))
        for room in rooms
        for file in Path(room).rglob("*.py")
        if messages_of(ast.parse(file.read_text("utf-8")))
    }
    assert {*MODULES, *OF_OPERATORS} == found
    assert not {*MODULES} & {*OF_OPERATORS}


def field(block: str, name: str) -> str:
    """A field of a .po block, its lines joined; empty when it is missing."""
    match = re.search(rf'^{re.escape(name)} ((?:"[^\n]*"\n?)+)', block, re.MULTILINE)
    return "".join(map(ast.literal_eval, match[1].splitlines())) if match else ""


def folder(language: str) -> Path:
    """Where the texts of a language lie."""
    return Path(settings.BASE_DIR) / "locale" / to_locale(language) / "LC_MESSAGES"


@cache
def entries(language: str) -> list[Entry]:
    """The .po file without its header."""
    blocks = (folder(language) / "django.po").read_text("utf-8").strip().split("\n\n")
    names = ("msgstr", *(f"msgstr[{form}]" for form in range(2)))
    return [
        Entry(
            Message(field(block, "msgctxt"), field(block, "msgid"), field(block, "msgid_plural")),
            tuple(filter(None, (field(block, name) for name in names))),
            bool(re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE)),
        )
        for block in blocks[1:]
    ]


def test_these_are_the_languages_that_are_offered() -> None:
    assert {code for code, _name in settings.LANGUAGES} == {"en", *LANGUAGES}


@each_language
def test_every_message_a_data_subject_can_meet_is_translated(language: str) -> None:
    ready = {e.message[:2] for e in entries(language) if e.forms and not e.fuzzy}
    messages = wanted()
    assert len(messages) > 300, "the reading of templates and modules finds their messages"
    assert sorted(m for m in messages if m[:2] not in ready) == []


@each_language
def test_placeholders_are_the_same_on_both_sides(language: str) -> None:
    for entry in entries(language):
        several = entry.message.plural or entry.message.singular
        # The first of two forms stands for one thing; a language with a single form has to say how many.
        sources = [several] if len(entry.forms) < 2 else [entry.message.singular, several]
        for source, form in zip(sources, entry.forms, strict=False):
            assert sorted(PLACEHOLDER.findall(source)) == sorted(PLACEHOLDER.findall(form)), entry


@each_language
def test_tags_are_the_same_on_both_sides(language: str) -> None:
    for entry in entries(language):
        for form in entry.forms:
            assert sorted(TAG.findall(entry.message.singular)) == sorted(TAG.findall(form)), entry


@each_language
def test_the_compiled_catalogue_is_that_of_the_source(language: str) -> None:
    with (folder(language) / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    catalogue = dict(compiled._catalog)  # type: ignore[attr-defined]  # the only way to list it
    catalogue.pop("", None)
    expected = {}
    for entry in entries(language):
        if entry.forms and not entry.fuzzy:
            context, singular, plural = entry.message
            key = f"{context}\x04{singular}" if context else singular
            for number, form in enumerate(entry.forms):
                expected[(key, number) if plural else key] = form
    assert catalogue == expected


@each_language
def test_expressions_are_never_called_emotions(language: str) -> None:
    word = EMOTIONS[language]
    named = [
        entry.message.singular
        for entry in entries(language)
        if any(word in form.lower() for form in entry.forms)
    ]
    assert [each for each in named if "emotion" not in each.lower()] == []


@cache
def english_sentences(language: str) -> set[str]:
    """Messages long enough not to be a name by chance, without placeholders, that are said otherwise."""
    other = {e.message[:2]: e.forms for e in entries(language)}
    return {
        m.singular.strip()
        for m in wanted()
        if "%" not in m.singular and "<" not in m.singular and len(m.singular) > 8
        if other.get(m[:2]) != (m.singular,)
    } - {"Consentry"}


def visible_texts(page: str) -> set[str]:
    """The pieces of text of a page, and what is read aloud in place of text."""
    soup = BeautifulSoup(page, "html.parser")
    for hidden in soup(["script", "style"]):
        hidden.decompose()
    texts = {" ".join(text.split()) for text in soup.stripped_strings}
    return texts | {tag["aria-label"] for tag in soup.find_all(attrs={"aria-label": True})}


def assert_in(language: str, browser: Client, address: str, status: int = 200) -> None:
    page = browser.get(address, headers={"Accept-Language": language})
    assert page.status_code == status, address
    html = page.content.decode()
    assert f'<html lang="{language}"' in html
    assert visible_texts(html) & english_sentences(language) == set(), address


@each_language
@pytest.mark.usefixtures("fresh_db")
def test_the_pages_of_a_consenting_person_are_in_their_language(language: str) -> None:
    study = cast.open_study()
    person = cast.consenting(study)
    purpose = study.purpose.id
    # The person came in with an English browser; the switch changes that.
    person.browser.post(reverse("set_language"), {"language": language, "next": "/"})
    for address in [
        reverse("front"),
        reverse("subject_home"),
        reverse("consent_notice", args=[purpose]),
        reverse("consent_done", args=[purpose]),
        reverse("upload", args=[purpose]),
        reverse("camera", args=[purpose]),
        reverse("own_trend"),
        reverse("access_history"),
        reverse("consent_withdraw", args=[purpose]),
        reverse("own_requests"),
        *(reverse("own_request_new", args=[kind]) for kind in RequestKind.values),
        reverse("mfa_index"),
    ]:
        assert_in(language, person.browser, address)
    assert_in(
        language, person.browser, reverse("consent_notice", args=[study.officer.user.id]), 404
    )
    page = person.browser.post(reverse("camera", args=[purpose]))
    assert_in(language, person.browser, page["Location"])
    page = person.browser.post(reverse("own_request_new", args=["access"]), {"text": "?"})
    assert_in(language, person.browser, page["Location"])
    page = person.browser.post(reverse("consent_withdraw", args=[purpose]))
    assert_in(language, person.browser, page["Location"])


def kinds_below(kind: type[Exception]) -> set[type[Exception]]:
    """The class and whatever descends from it."""
    return {kind}.union(*map(kinds_below, kind.__subclasses__()))


OURS = sorted(kinds_below(VaultError) | kinds_below(AuditLogError), key=lambda kind: kind.__name__)


@each_language
@pytest.mark.usefixtures("fresh_db")
def test_a_fault_of_ours_is_told_without_its_own_words(
    language: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own_words = "/srv/keys/epochs has mode 0755; expected 0700 (chmod 700 /srv/keys/epochs)"
    for kind in OURS:
        if (status_of(kind()) or 0) < 500:
            continue

        def broken(*_args: Any, kind: type[Exception] = kind) -> None:
            raise kind(own_words)

        monkeypatch.setattr("config.views.actor_of", broken)
        said = []
        for each in ("en", language):
            page = Client().get(reverse("home"), headers={"Accept-Language": each})
            assert page.status_code == status_of(kind())
            told = BeautifulSoup(page.content, "html.parser").select_one("[data-told]")
            assert told is not None
            said.append(told.get_text(" ", strip=True))
        assert said[0] != said[1], kind
        assert [text for text in said if "/" in text or "chmod" in text or "0755" in text] == []
        assert own_words in caplog.text, "the operator is told"
        caplog.clear()


@each_language
@pytest.mark.usefixtures("fresh_db")
def test_public_pages_follow_the_browser_and_the_switch(language: str) -> None:
    browser = Client()
    for name in ["front", "subject_sign_in", "retention_policy", "models"]:
        assert_in(language, browser, reverse(name))
    browser.post(reverse("set_language"), {"language": "en", "next": "/"})
    page = browser.get(reverse("front"), headers={"Accept-Language": language})
    assert '<html lang="en"' in page.content.decode()


@pytest.mark.usefixtures("fresh_db")
def test_a_refused_passkey_is_told_on_the_sign_in_page_it_came_from_in_its_language() -> None:
    for address, said in (
        (reverse("subject_sign_in"), "Mit diesem Passkey kann sich hier niemand (mehr) anmelden."),
        (reverse("account_login"), "Nobody can sign in with this passkey (any more)."),
    ):
        browser = Client(headers={"Accept-Language": "de"})
        form = BeautifulSoup(browser.get(address).content, "html.parser").select_one("#mfa_login")
        assert form
        filled = {tag["name"]: tag.get("value", "") for tag in form.select("input")}
        sent = filled | {"credential": "{}"}
        page = browser.post(form["action"], sent, follow=True, headers={"Referer": address})
        assert page.redirect_chain[-1][0] == address
        assert said in page.content.decode()


@pytest.mark.usefixtures("fresh_db")
def test_the_switch_is_remembered_for_messages_and_other_devices() -> None:
    study = cast.open_study()
    person = cast.consenting(study)
    person.browser.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    person.subject.refresh_from_db()
    user = person.subject.user
    assert user is not None
    user.refresh_from_db()
    assert user.language == "zh-hans"
    person.browser.post(reverse("set_language"), {"language": "xx", "next": "/"})
    user.refresh_from_db()
    assert user.language == "zh-hans", "a language that nobody offers is not filed"


@pytest.mark.usefixtures("fresh_db")
def test_messages_are_written_in_the_language_of_the_person() -> None:
    study = cast.open_study()
    administrator = study.administrator.actor
    person = cast.come_in(study, email="alice@example.org")
    person.browser.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    subject = DataSubject.objects.get(pk=person.subject.pk)
    send_code("alice@example.org")
    send_invitation(administrator, subject, study.purpose)
    stranger, _token = cast.invite(study, "P-002", "bob@example.org")
    send_invitation(administrator, stranger, study.purpose)
    headings = [
        open_message(SYSTEM_WORKER, message, Action.MESSAGE_SEND)[1]
        for message in OutboxMessage.objects.order_by("created_at")
    ]
    assert headings == [
        "您的登录验证码",
        "邀请：Story study",  # noqa: RUF001  # the colon of Chinese text
        "Invitation: Story study",
    ]
