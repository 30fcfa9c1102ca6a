"""A language that nobody speaks: every translatable text with an accent on each of its letters.

What a page shows without accents was not handed to the translators. Texts are a third longer than in
English, as many are in other languages. Its code is Esperanto's, whose dates and numbers Django knows.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import CharField, JSONField, TextField
from django.utils.translation import trans_real
from playwright.sync_api import Page

from accounts.models import User

CODE = "eo"
PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCENTED = "áƀçđéƒğħíĵķłɱñóþɋŕšťúṽŵẋýžÁƁÇĐÉƑĞĦÍĴĶŁṀÑÓÞɊŔŠŤÚṼŴẊÝŽ"
TABLE = str.maketrans(PLAIN, ACCENTED)
KEPT = re.compile(r"(<[^>]*>|&#?\w+;|%\(\w+\)[\d.]*[a-z]|%[\d.]*[a-z%]|\{\w*\}|https?://\S+)")
WORD = re.compile(r"[A-Za-z]{3,}")
DIGIT = re.compile(r"\d")
SAME_EVERYWHERE = {"consentry", "utc", "gmt", "http", "localhost"}

SHOWN = """() => {
  // Times are written by the browser, in the languages that it knows.
  const foreign = "html [lang], code, kbd, pre, time, noscript, script, style, [translate=no]";
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const box = node.parentElement;
    if (node.data.trim() && !box.closest(foreign)) texts.push(node.data);
  }
  for (const name of ["alt", "title", "placeholder", "aria-label", "data-label"]) {
    for (const box of document.querySelectorAll(`[${name}]`)) {
      if (!box.closest(foreign)) texts.push(box.getAttribute(name));
    }
  }
  texts.push(document.title);
  return texts;
}"""
"""The texts that a page shows or says, but for those that are in another language for good."""


class Pseudo(gettext.NullTranslations):
    """In the place of a catalogue: translates whatever it is asked for."""

    def gettext(self, message: str) -> str:
        return accented(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return accented(msgid1 if n == 1 else msgid2)

    def to_language(self) -> str:
        return CODE

    language = to_language


def accented(message: str) -> str:
    """Accents on the letters, and a tail that makes it longer; names of values and tags as they are."""
    text = message.rpartition(trans_real.CONTEXT_SEPARATOR)[2]
    parts = KEPT.split(text)
    parts[::2] = [part.translate(TABLE) for part in parts[::2]]
    whole = "".join(parts)
    return whole + "·" * (len(WORD.findall(text)) if " " in text else 0)


def learn(changed: Any, monkeypatch: Any) -> None:
    """Let the installation of a test speak it, as one language more."""
    changed.LANGUAGES = [*changed.LANGUAGES, (CODE, "Esperanto")]
    monkeypatch.setitem(trans_real._translations, CODE, Pseudo())


@contextmanager
def spoken(page: Page, site: str, code: str = CODE) -> Iterator[None]:
    """The browser asks for it, or for another language, on a phone."""
    cookie = settings.LANGUAGE_COOKIE_NAME
    page.set_viewport_size({"width": 360, "height": 800})
    page.context.add_cookies([{"name": cookie, "value": code, "url": site}])
    yield
    page.context.clear_cookies(name=cookie)


def others() -> list[str]:
    """The languages in which ``make browser-all`` looks at every page, besides English and this one."""
    if os.environ.get("CONSENTRY_LANGUAGES") != "all":
        return []
    return [code for code, _name in settings.LANGUAGES if code not in {"en", CODE}]


def barriers(page: Page, name: str, sealed: str = "") -> list[str]:
    """What is wrong with the page that is open: words without accents, or too wide for a phone.

    ``sealed``: what somebody has typed and is not to be read in any table.
    """
    if is_english(page):
        return [f"{name}: translated on a page in English: {text}" for text in accents(page)]
    if page.evaluate("document.documentElement.lang") != CODE:
        return [f"{name} is not in the pseudo-language"]
    troubles = [f"{name}: not translated: {word}" for word in sorted(untranslated(page, sealed))]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return troubles + [f"{name} is {wide} px too wide with longer words"] * (wide > 0)


def is_english(page: Page) -> bool:
    """Whether the page is one for operators: it says that it is English, and offers nothing else."""
    offered = page.locator("form.languages").count()
    return not offered and page.evaluate("document.documentElement.lang") == "en"


def accents(page: Page) -> list[str]:
    """The texts that a page shows in the pseudo-language."""
    return [text.strip() for text in page.evaluate(SHOWN) if set(text) & set(ACCENTED)]


def untranslated(page: Page, sealed: str) -> set[str]:
    """The words that a page shows as they are in English, and that nobody has typed."""
    shown = " ".join(page.evaluate(SHOWN))
    typed = " ".join([*rows(), sealed]).lower()
    return words(shown) - words(typed) - SAME_EVERYWHERE


def words(text: str) -> set[str]:
    """Its words in small letters. What holds a digit is a number of something and no word."""
    return {
        word
        for token in text.lower().split()
        if not DIGIT.search(token)
        for word in WORD.findall(token)
    }


def rows() -> Iterator[str]:
    """Every text in the database: what operators and persons wrote, and the ends that ids are shown by."""
    for key in map(str, User.objects.values_list("pk", flat=True)):
        yield key[-4:]  # once in fifty times it has letters alone
    for model in apps.get_models():
        names = [
            field.attname
            for field in model._meta.concrete_fields
            if isinstance(field, CharField | TextField | JSONField) and not field.choices
        ]
        if names and model._meta.managed:
            for row in model._default_manager.values_list(*names):
                yield from map(str, row)
