"""Whatever opens or changes something about a person writes it down: every address, chore and task."""

from __future__ import annotations

from collections import defaultdict

from tests.faults.roles import ROLES, build, written
from tests.watching import watched


def test_every_address_that_touches_people_writes_an_entry(fresh_db: None) -> None:
    house = build()
    found: dict[str, set[str]] = defaultdict(set)
    for name, (_asked, *cells) in written("Addresses").items():
        for role in ROLES:
            for act in (house.get, house.post):
                with watched() as seen:
                    act(role, name)
                for each in seen.unwritten:
                    found[f"{act.__name__} {name}"].add(each)
    print(dict(found))
    assert not found
