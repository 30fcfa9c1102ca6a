"""The layout of tiles as C2SP tlog-tiles has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_log.tiles import InvalidBundle, Tile, bundle, number_path, read_bundle, tiles_between


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "000"), (5, "005"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_a_number_is_a_path(number: int, path: str) -> None:
    assert number_path(number) == path


def test_paths_of_the_specification() -> None:
    # A log of 70,000 entries, the example of https://c2sp.org/tlog-tiles.
    paths = {tile.path for tile in tiles_between(0, 70_000)}
    assert {
        "tile/0/272",
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    } <= paths
    assert {"tile/entries/000", "tile/entries/273.p/112"} <= paths
    assert len(paths) == 274 + 2 + 1 + 274


@given(st.integers(0, 300_000), st.integers(0, 70_000))
def test_what_is_new_and_what_was_there_make_the_whole(old: int, more: int) -> None:
    new = old + more
    had, added = set(tiles_between(0, old)), set(tiles_between(old, new))
    whole = set(tiles_between(0, new))
    assert added <= whole
    assert added.isdisjoint(had)
    assert whole <= had | added


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_a_bundle_gives_its_entries_again(entries: list[bytes]) -> None:
    data = bundle(entries)
    assert read_bundle(data) == entries
    if data:
        with pytest.raises(InvalidBundle):
            read_bundle(data + b"\x00")
        with pytest.raises(InvalidBundle):
            read_bundle(b"\xff\xff" + data[:10])


def test_the_longest_entry_fits() -> None:
    assert read_bundle(bundle([b"x" * 65_535])) == [b"x" * 65_535]
    assert Tile(0, 0, 256).path == "tile/0/000"
