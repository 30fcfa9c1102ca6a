"""Every command with what it does not expect: a sentence that says what was expected, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError

from audit_log.actions import Action, Outcome
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.sequencer import integrate_once
from tests.faults.roles import written

NOWHERE, FILE, BYTES, LOOP, EMPTY, SHUT = "nowhere", "file", "bytes", "loop", "empty", "shut"
PLACES = (NOWHERE, FILE, BYTES, LOOP, EMPTY, SHUT)
URLS = ("junk", "ftp://example.org/log", "https://[::1", "http://", "http://localhost:1/log")
ODD: dict[str, list[list[str]]] = {
    "backup": [[], *([place] for place in PLACES)],
    "confirm_clock": [["x"]],
    "database_roles": [["x"]],
    "demo_code": [[], ["x"]],
    "demo_study": [[], ["x"]],
    "export_log": [
        [], [FILE], [BYTES], [LOOP], [SHUT], ["s3://"], ["s3:///"], ["s3://bucket"], ["s3://b/../c"],
    ],
    "keeper": [["x"], ["--days", "1"]],
    "keys": [[], ["x"], ["rotate", "x"], ["erasures", "x"]],
    "log_key": [[], ["x"], *(["rotate", "--days", days] for days in ("x", "-1", "1e3", "9" * 30))],
    "models": [
        [], ["x"], ["activate"], ["activate", "x"], ["activate", "../x"], ["activate", ""],
        ["evaluate", "x"], ["retire", "x"], *(["add", place] for place in PLACES),
        *(["evaluate", "x", place, "--called", "faces"] for place in PLACES),
    ],
    "new_log_origin": [[], ["https://x/y"], ["a b"], [""], ["a\x00"]],
    "replay_log": [[], *([place] for place in PLACES)],
    "restore": [
        [], [NOWHERE], *([place, "--identity", place, "--log", place] for place in PLACES),
        *(["--identity", place, "--keystore", place] for place in PLACES), ["--identity", FILE],
    ],
    "retention": [["x"], ["--days", "1"]],
    "run_witness": [
        [], *([place] for place in PLACES), [EMPTY, "--name", "a+b"], [EMPTY, "--bind", "x"],
        [EMPTY, "--name", "a.example", "--bind", "127.0.0.1:999999"],
        [EMPTY, "--name", "a.example", "--log", "junk"], [EMPTY, "--name", "a.example", "--log", "a+b+c"],
    ],
    "setup": [["x"], ["--administrator", "x"], ["--administrator", "a@b"], ["--administrator", ""],
        ["--reset-administrator", "nobody@example.org"],
    ],
    "verify_log": [
        ["x"], *(["--export", place] for place in PLACES), *(["--url", url] for url in URLS),
        *(["--url", URLS[-1], "--token-file", place] for place in PLACES),
        ["--url", URLS[-1], "--key", "junk"], ["--export", EMPTY, "--url", URLS[-1]],
        ["--key", "junk"], ["--export", EMPTY, "--key", "junk"], ["--token-file", FILE],
    ],
}  # fmt: skip


@pytest.fixture
def places(fresh_db: None, tmp_path: Path) -> dict[str, str]:
    """What may lie where something else is expected."""
    append_durable(Draft(action=Action.LOGIN_FAIL, actor="anonymous", outcome=Outcome.FAILED))
    integrate_once()  # an empty log would be exported to nowhere without a word
    (tmp_path / FILE).write_text("junk")
    (tmp_path / BYTES).write_bytes(b"\x00\xff")
    (tmp_path / LOOP).symlink_to(tmp_path / LOOP)
    (tmp_path / EMPTY).mkdir()
    return {name: str(tmp_path / name) for name in PLACES} | {SHUT: "/proc/1/shut"}


def test_every_command_is_tried() -> None:
    assert set(ODD) == set(written("Commands"))
    assert set(ODD) <= set(get_commands())


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(command, each) for command, tries in ODD.items() for each in tries],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else value,
)
def test_it_is_refused_in_words(places: dict[str, str], command: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(command, *(places.get(each, each) for each in arguments))
    told = str(refused.value)
    assert len(told) > 15
    assert "Errno" not in told
    assert "Traceback" not in told
