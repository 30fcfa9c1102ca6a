"""Words that ask to look again: found in four languages, hidden or not, and nothing else is."""

from __future__ import annotations

import pytest

from consent.screening_words import WORDS, words_in

FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "employees")


@pytest.mark.parametrize(
    "text",
    [
        "For our employees", "Every CANDIDATE is filmed", "pupils in class", "detects a lie",
        "the ethnicity of faces", "Our POLICE unit", "a score for each person",
        "Mitarbeiterinnen im Lager", "alle Bewerber", "Schüler und Schueler", "eine Lüge",
        "die ethnische Herkunft", "Überwachung am Bahnhof",
        "nuestros empleados", "los alumnos", "una mentira", "origen étnico", "la policía",
        "公司员工", "学生的课堂", "用于测谎", "民族和种族", "警察使用", "候選人的面試",
        "em\u00adploy\u200bees", FULL_WIDTH,
    ],
)  # fmt: skip
def test_found(text: str) -> None:
    assert words_in("Name", text)


@pytest.mark.parametrize(
    "text",
    [
        "How faces move while listening to stories.",
        "Adult volunteers who answered our call",
        "Wie sich Gesichter beim Zuhören bewegen.",
        "Cómo se mueven las caras al escuchar.",
        "人们听故事时面部如何变化。",
        "We believe in earlier families",  # "lie" inside other words
        "The bracelet and the trace",  # "race" inside other words
        "Example Hospital, called by its policies",  # exam, calle and policía begin these
    ],
)
def test_not_found(text: str) -> None:
    assert words_in("Name", text) == []


def test_each_word_is_named_once_with_its_concern() -> None:
    found = words_in("Name", "Pupils, pupils and PUPILS")
    assert [(f.word, str(f.concern)) for f in found] == [("pupils", "education (Art. 5(1)(f))")]
    assert len(WORDS) == 6
