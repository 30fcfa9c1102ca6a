"""What the gate costs with a thousand and with a million people: ``python -m benchmarks.gate [rounds]``.

Fills the table of consent states by one SQL statement, asks ``require_consent`` for people drawn from all
over it, and prints the median time, the number of queries, and how the database finds the row. On SQLite
always, and on PostgreSQL when ``BENCH_DATABASE_URL`` (``postgres://user@host:port``) names a server. The
databases are made for this and removed.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from uuid import UUID, uuid4

from benchmarks._installation import INNER, databases_on, run_on

SIZES = (1_000, 1_000_000)
PEOPLE = 50  # asked for in turns, so that no single row stays warm
QUERIES_AT_MOST = 3


def fill(purpose_id: UUID, event_id: UUID, number: int) -> None:
    """People with a given consent each, until there are ``number``: one statement per table."""
    from django.db import connection

    vendor = connection.vendor
    there = "(SELECT count(*) FROM consent_datasubject)"
    if vendor == "sqlite":
        numbers = (
            "WITH RECURSIVE n(i) AS "  # numbers and ids of our own
            f"(SELECT {there} + 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
        )
        new, source, now = "lower(hex(randomblob(16)))", "FROM n", "datetime('now')"
        purpose, event = f"'{purpose_id.hex}'", f"'{event_id.hex}'"
        later, json = "datetime('now', '+1 year')", "'[\"media\"]'"
    else:
        numbers = f"WITH n AS (SELECT generate_series({there} + 1, {number}) AS i)"
        new, source, now = "gen_random_uuid()", "FROM n", "now()"
        purpose, event = f"'{purpose_id}'", f"'{event_id}'"
        later, json = "now() + interval '1 year'", "'[\"media\"]'::jsonb"
    insert = "INSERT INTO consent_datasubject (id, created_at)"
    select = f"SELECT {new}, {now} {source}"
    whole = f"{insert} {numbers} {select}" if vendor == "sqlite" else f"{numbers} {insert} {select}"
    states = (
        "INSERT INTO consent_consentstate (id, subject_id, purpose_id, status, version, sequence, "
        "categories, event_id, valid_until, changed_at) "
        f"SELECT {new}, s.id, {purpose}, 'given', 1, 1, {json}, {event}, {later}, {now} "
        "FROM consent_datasubject s WHERE NOT EXISTS "
        "(SELECT 1 FROM consent_consentstate c WHERE c.subject_id = s.id)"
    )
    with connection.cursor() as cursor:
        cursor.execute(whole)
        cursor.execute(states)
        cursor.execute("ANALYZE")


def plan(subject_id: UUID, purpose_id: UUID) -> str:
    """How the database finds the state row; raises AssertionError when not by its unique index."""
    from consent.models import ConsentState

    rows = ConsentState.objects.filter(subject_id=subject_id, purpose_id=purpose_id)
    found = " ".join(rows.explain().split())
    # SQLite names the index of a constraint by itself; both columns are only in that one.
    by_both = "one_state_each" in found or "(subject_id=? AND purpose_id=?)" in found
    assert by_both, found  # noqa: S101  # that is the claim
    return found


def ask(subject_id: UUID, purpose_id: UUID) -> None:
    """One question to the gate about something that does not exist yet."""
    from audit_log.actions import Action
    from consent.enforcement import Asking, require_consent
    from consent.rules import Asker, Operation

    require_consent(
        subject_id=subject_id,
        purpose_id=purpose_id,
        operation=Operation.UPLOAD,
        asker=Asking(Asker.OTHER, uuid4()),
        action=Action.MEDIA_UPLOAD,
        object_kind="recording",
        object_id=uuid4(),
    )


def measure(people: list[UUID], purpose_id: UUID, rounds: int) -> tuple[float, set[int]]:
    """Median microseconds of one question, and the numbers of queries that were needed."""
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    needed = set()
    for subject_id in people:  # the first question makes the person's tag key
        ask(subject_id, purpose_id)
        with (
            CaptureQueriesContext(connections["default"]) as main,
            CaptureQueriesContext(connections["keystore"]) as keystore,
        ):
            ask(subject_id, purpose_id)
        needed.add(len(main))
        assert len(main) <= QUERIES_AT_MOST, len(main)  # noqa: S101
        assert len(keystore) <= QUERIES_AT_MOST, len(keystore)  # noqa: S101
    taken = []
    for turn in range(rounds):
        subject_id = people[turn % len(people)]
        started = time.perf_counter()
        ask(subject_id, purpose_id)
        taken.append((time.perf_counter() - started) * 1_000_000)
    return statistics.median(taken), needed


def measure_sizes(rounds: int) -> None:
    """Inside a fresh installation: fill, measure, report."""
    import django

    django.setup()
    from django.db import connection

    from consent.models import ConsentEvent, DataSubject
    from tests.cast import consenting, open_study

    study = open_study()
    consenting(study)
    event = ConsentEvent.objects.get(kind="given")
    medians = []
    for size in SIZES:
        fill(study.purpose.id, event.id, size)
        ids = list(DataSubject.objects.values_list("id", flat=True))
        people = random.Random(1).sample(ids, PEOPLE)  # noqa: S311  # no secret
        median, needed = measure(people, study.purpose.id, rounds)
        medians.append(median)
        print(
            f"  {len(ids):>9,} people: median {median:7.0f} µs, queries of the main database {needed}"
        )
        print(f"    {plan(people[0], study.purpose.id)}")
    print(f"  {connection.vendor}: ratio {medians[1] / medians[0]:.2f}, {rounds} questions each")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    if os.environ.get(INNER):
        measure_sizes(rounds)
        return
    words = ("benchmarks.gate", str(rounds))
    run_on("SQLite", *words)
    if server := os.environ.get("BENCH_DATABASE_URL"):
        with databases_on(server.rstrip("/")) as made:
            run_on("PostgreSQL", *words, **made)
    else:
        print("PostgreSQL: not asked for (BENCH_DATABASE_URL)")


if __name__ == "__main__":
    main()
