"""The pages of the access log over ten million entries: ``python -m benchmarks.log_explorer [entries]``.

Needs ``BENCH_DATABASE_URL`` (``postgres://user@host:port``) and about 20 GB there for ten million; makes
databases of its own and drops them. Entries are made by SQL, with canonical bytes, leaf hashes, the whole
stored tree and a signed checkpoint. Each list is asked for as its page asks, by EXPLAIN ANALYZE and through
the view; so is the proof of one entry.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import md5
from itertools import combinations
from uuid import UUID

from benchmarks._installation import INNER, databases_on, run_on

ROWS = 10_000_000
BATCH = 1_000_000
MOST_MS = 50.0
PROOF_MS = 5.0
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 1000
PURPOSES, OPERATORS, SUBJECTS = 40, 200, 100_000


def uuid_sql(prefix: str, number: str) -> str:
    """SQL: a UUID of version 4 that depends on a number."""
    digest = f"md5('{prefix}' || {number})"
    return (
        f"(substr({digest}, 1, 8) || '-' || substr({digest}, 9, 4) || '-4' || substr({digest}, 14, 3)"
        f" || '-8' || substr({digest}, 18, 3) || '-' || substr({digest}, 21, 12))"
    )


def chosen(values: list[str]) -> str:
    """SQL: one of the values, the first ones far more often than the last."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"(ARRAY[{listed}])[1 + floor({len(values)} * power(random(), 3))::int]"


def insert_sql() -> str:
    """SQL that inserts the entries from one index up to another."""
    from audit_log.actions import Action, ReasonCode

    hexed = "encode({}, 'hex')".format
    stamp = """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return f"""
WITH drawn AS MATERIALIZED (
  SELECT i, %(begins)s + (i * {DAYS * 86400.0} / %(rows)s + random() * 20) * interval '1 second' AS at,
    {chosen([action.value for action in Action])} AS action,
    floor(random() * 100)::int AS sort, floor({OPERATORS} * power(random(), 2))::int AS who,
    floor({SUBJECTS} * random())::int AS person, floor({PURPOSES} * power(random(), 2))::int AS purpose,
    {chosen([reason.value for reason in ReasonCode])} AS reason, floor(random() * 100)::int AS luck
  FROM generate_series(%(low)s, %(high)s - 1) AS i
), named AS MATERIALIZED (
  SELECT i, date_trunc('microseconds', at) AS at, action,
    sha256(('s' || person)::bytea) AS subject, sha256(('o' || i)::bytea) AS object,
    sha256(('c' || person)::bytea) AS consent,
    CASE WHEN sort < 45 THEN 'subject:' || {hexed("sha256(('s' || person)::bytea)")}
      WHEN sort < 70 THEN 'system:worker' WHEN sort < 80 THEN 'system:keeper'
      WHEN sort < 95 THEN 'operator:' || {uuid_sql("operator", "who")}
      ELSE 'client:' || {uuid_sql("client", "mod(who, 20)")} END AS actor,
    CASE WHEN purpose > 35 THEN NULL ELSE {uuid_sql("purpose", "purpose")} END AS purpose,
    CASE WHEN luck < 95 THEN 'ok' WHEN luck < 99 THEN 'refused' ELSE 'failed' END AS outcome,
    CASE WHEN luck < 60 THEN '' ELSE reason END AS reason
  FROM drawn
), made AS MATERIALIZED (
  SELECT *, regexp_replace(
    lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || substr(md5(i::text), 13),
    '^(.{{8}})(.{{4}}).(.{{3}}).(.{{3}})(.{{12}})$', '\\1-\\2-7\\3-8\\4-\\5') AS id
  FROM named
), whole AS MATERIALIZED (
  SELECT *, convert_to('{{"action":"' || action || '","actor":"' || actor || '","consent":"'
    || {hexed("consent")} || '","detail":"","id":"' || id || '","object":"' || {hexed("object")}
    || '","outcome":"' || outcome || '","permit":null,"policy":"study/1","purpose":'
    || coalesce('"' || purpose || '"', 'null') || ',"reason":'
    || coalesce('"' || nullif(reason, '') || '"', 'null') || ',"subject":"' || {hexed("subject")}
    || '","time":"' || {stamp} || '","v":1}}', 'UTF8') AS body
  FROM made
)
INSERT INTO audit_log_logentry ("index", entry_id, leaf_hash, body, time, actor, action, outcome,
  reason, purpose_id, subject_tag, object_tag, consent_tag)
SELECT i, id::uuid, sha256('\\x00'::bytea || body), body, at, actor, action, outcome, reason,
  purpose::uuid, subject, object, consent FROM whole"""


def said(words: str, since: float) -> None:
    """A line of progress."""
    print(f"  {words}: {time.perf_counter() - since:.0f} s", flush=True)


@contextmanager
def without_rules() -> Iterator[None]:
    """Unlogged tables without triggers and search indexes, which are made again at the end."""
    from django.db import connection

    from audit_log.models import LogEntry

    with connection.cursor() as cursor:
        for table in ("audit_log_logentry", "audit_log_treenode"):
            cursor.execute(f"ALTER TABLE {table} SET UNLOGGED")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    with connection.schema_editor() as editor:
        for index in LogEntry._meta.indexes:
            editor.remove_index(LogEntry, index)
    yield
    for index in LogEntry._meta.indexes:
        with connection.schema_editor() as editor:
            editor.add_index(LogEntry, index)
    with connection.cursor() as cursor:
        for table in ("audit_log_logentry", "audit_log_treenode"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute(f"VACUUM (ANALYZE) {table}")


def fill(rows: int) -> None:
    """As many entries, their tree, and a checkpoint over all of them."""
    from django.db import connection

    from audit_log.sequencer import publish

    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_log_logentry")
        (there,) = cursor.fetchone()
    with without_rules():
        for low in range(there, rows, BATCH):
            with connection.cursor() as cursor:
                high = min(low + BATCH, rows)
                given = {"begins": BEGINS, "rows": rows, "low": low, "high": high}
                cursor.execute(insert_sql(), given)
            said(f"{high:,} entries", started)
        store_tree()
        said("tree", started)
    said("indexes", started)
    publish()


def store_tree() -> None:
    """Every node of the tree, made from the leaf hashes by the log's own code."""
    import psycopg
    from django.db import connection

    from audit_log.merkle import Frontier

    parameters = connection.get_connection_params()
    plain = {k: v for k, v in parameters.items() if k in {"host", "port", "user", "password"}}
    frontier, place = Frontier(), 0
    with (
        psycopg.connect(dbname=parameters["dbname"], **plain) as reading,
        psycopg.connect(dbname=parameters["dbname"], **plain) as writing,
        reading.cursor(name="leaves") as leaves,
        writing.cursor() as nodes,
    ):
        nodes.execute("DELETE FROM audit_log_treenode")
        leaves.itersize = 20_000
        leaves.execute('SELECT leaf_hash FROM audit_log_logentry ORDER BY "index"')
        with nodes.copy(
            "COPY audit_log_treenode (position, hash) FROM STDIN (FORMAT BINARY)"
        ) as to:
            to.set_types(["int8", "bytea"])
            for (leaf,) in leaves:
                for value in frontier.add(bytes(leaf)):
                    to.write_row((place, value))
                    place += 1


def name_of(prefix: str, number: int) -> str:
    """What ``uuid_sql`` makes of this number."""
    digits = md5(f"{prefix}{number}".encode(), usedforsecurity=False).hexdigest()
    return str(UUID(digits[:12] + "4" + digits[13:16] + "8" + digits[17:]))


def lists() -> dict[str, dict[str, str]]:
    """What is looked for: each filter alone, where much and where little fits, and some together."""
    from audit_log.actions import Action, ReasonCode

    often, seldom = {"actor": f"operator:{name_of('operator', 0)}"}, {}
    seldom["actor"] = f"operator:{name_of('operator', OPERATORS - 1)}"
    for name, values in (("action", [*Action]), ("reason", [*ReasonCode])):
        often[name], seldom[name] = values[0].value, values[-1].value
    often["purpose"], seldom["purpose"] = name_of("purpose", 0), name_of("purpose", 35)
    often["outcome"], seldom["outcome"] = "ok", "failed"
    day = str((BEGINS + timedelta(days=DAYS // 2)).date())
    early = str((BEGINS + timedelta(days=2)).date())
    found = {"nothing": {}}
    found |= {f"{key}, much": {key: value} for key, value in often.items()}
    found |= {f"{key}, little": {key: value} for key, value in seldom.items()}
    found |= {
        "one day in the middle": {"since": day, "until": day},
        "until the third day": {"until": early},
        "until before all": {"until": "2020-01-01"},
        "since after all": {"since": "2040-01-01"},
    }
    for first, second in combinations(often, 2):
        found[f"{first}, {second}, much"] = {name: often[name] for name in (first, second)}
        found[f"{first} little, {second}"] = {first: seldom[first], second: often[second]}
        found[f"{first}, {second} little"] = {first: often[first], second: seldom[second]}
        found[f"{first}, {second}, little"] = {name: seldom[name] for name in (first, second)}
    found |= {f"{key}, early": {key: value, "until": early} for key, value in often.items()}
    found |= {
        f"{key}, a day": {key: value, "since": day, "until": day} for key, value in often.items()
    }
    found["all of them"] = often | {"since": "2026-01-01", "until": day}
    return found


def milliseconds(do: Callable[[], object], runs: int) -> list[float]:
    """How long each run took."""
    taken = []
    for _run in range(runs):
        started = time.perf_counter()
        do()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def plan(chosen: dict[str, str]) -> tuple[float, str]:
    """Milliseconds that the database needs for a page, median of five, and the indexes it takes."""
    from audit_log.log_filter import LogFilter
    from audit_log.paging import PAGE_SIZE

    needed, scans = [], ""
    for _run in range(5):
        keys = LogFilter(chosen).entries().values_list("pk")[: PAGE_SIZE + 1]
        words = keys.explain(analyze=True, timing=False)
        needed.append(float(re.search(r"Execution Time: ([0-9.]+)", words)[1]))
        scans = ", ".join(re.findall(r"(?:using|on) (log_\w+|audit_log_logentry_pkey)", words))
    return statistics.median(needed), scans or "reads the whole table"


def measure(rows: int) -> int:
    """Every list by its plan and through its page, and one proof; returns how many were too slow."""
    from audit_log.models import LogEntry
    from audit_log.proofs import inclusion_proof
    from tests.cast import Role, operator

    browser = operator(Role.DPO).sign_in()
    slow = 0
    print(f"  {'looked for':<28}{'database':>10}{'page':>10}   index", flush=True)
    for name, chosen in lists().items():
        page = milliseconds(lambda chosen=chosen: browser.get("/operate/log/", chosen), 5)
        needed, index = plan(chosen)
        mark = " TOO SLOW" if needed > MOST_MS else ""
        slow += bool(mark)
        print(f"  {name:<28}{needed:>7.1f} ms{statistics.median(page):>7.0f} ms   {index}{mark}")
    middle = {"before": str(rows // 2)}
    page = milliseconds(lambda: browser.get("/operate/log/", middle), 5)
    print(f"  {'a page far back':<28}{'':>10}{statistics.median(page):>7.0f} ms")
    places = random.Random(1).sample(range(rows), 200)  # noqa: S311  the same places at each run; no secret
    ids = dict(LogEntry.objects.filter(index__in=places).values_list("index", "entry_id"))
    waiting = iter(ids.values())
    proofs = milliseconds(lambda: inclusion_proof(next(waiting)), len(ids))
    median, worst = statistics.median(proofs), max(proofs)
    print(f"  proof of one entry: median {median:.2f} ms, of {len(ids)} the slowest {worst:.2f} ms")
    return slow + (median > PROOF_MS)


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    if os.environ.get(INNER):
        import django

        django.setup()
        fill(rows)
        return measure(rows)
    server = os.environ.get("BENCH_DATABASE_URL")
    if not server:
        print("not asked for (BENCH_DATABASE_URL)")
        return 0
    with databases_on(server.rstrip("/")) as made:
        run_on("PostgreSQL", "benchmarks.log_explorer", str(rows), **made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
