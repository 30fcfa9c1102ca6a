"""Which mutants the continuous tests try."""

from __future__ import annotations

import pytest

from tools import mutants
from tools.setup import ROOT

EVERY = sorted((ROOT / "tests" / "mutants").glob("*.patch"))


def test_all_have_their_turn_and_none_two_of_it() -> None:
    turns = [mutants.in_turn(EVERY, set(), turn) for turn in range(40, 40 + mutants.TURNS)]
    tried = [patch for turn in turns for patch in turn]
    assert sorted(tried) == EVERY
    assert max(map(len, turns)) - min(map(len, turns)) <= 1


@pytest.mark.parametrize("what", ["code", "test", "patch"])
def test_one_whose_file_changed_is_tried_whatever_the_turn(what: str) -> None:
    patch = ROOT / "tests" / "mutants" / "aad-empty.patch"
    changed = {
        "code": "vault/aead.py",
        "test": "tests/vault/test_store.py",
        "patch": "tests/mutants/aad-empty.patch",
    }[what]
    for turn in range(mutants.TURNS):
        assert patch in mutants.in_turn(EVERY, {changed}, turn)


def test_each_hangs_on_files_that_are_there() -> None:
    for patch in EVERY:
        files = mutants.touches(patch)
        assert len(files) >= 3, patch.name
        assert [name for name in files if not (ROOT / name).is_file()] == [], patch.name


def test_without_a_history_all_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "RECENT", 10**6)
    assert mutants.recent(EVERY) == EVERY
