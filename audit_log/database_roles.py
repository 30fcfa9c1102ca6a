"""Two roles on PostgreSQL: one owns the tables and cannot log in, the other one is the application's.

Migrations run as the owner (``DATABASE_OWNER``). The application's role belongs to no other role, makes
nothing, and only adds to the tables that ``audit_log.append_only`` guards; ``docs/operating.md`` says how
to make the two. SQLite has no roles.
"""

from __future__ import annotations

from django.db import connections, transaction

from audit_log.errors import RolesWrong
from audit_log.guards import rights

USUAL = ("SELECT", "INSERT", "UPDATE", "DELETE")
TABLES = """
    SELECT relname, oid FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace ORDER BY relname
"""
ATTRIBUTES = "SELECT rolsuper, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = %s"
GROUPS = """
    SELECT g.rolname FROM pg_auth_members m
    JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
    WHERE r.rolname = %s ORDER BY g.rolname
"""
OWNED = """
    SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    WHERE c.relnamespace = current_schema()::regnamespace AND r.rolname = %s
"""
RIGHTS = """
    SELECT has_schema_privilege(%(role)s, current_schema(), 'CREATE'),
        has_database_privilege(%(role)s, current_database(), 'CREATE'),
        has_database_privilege(%(role)s, current_database(), 'TEMPORARY')
"""
TABLE_RIGHTS = """
    SELECT right_name FROM unnest(%(rights)s::text[]) AS right_name
    WHERE has_table_privilege(%(role)s, %(table)s, right_name)
        OR (right_name = 'UPDATE' AND has_any_column_privilege(%(role)s, %(table)s, 'UPDATE'))
"""


def give_rights(alias: str, application: str) -> int:
    """Give the application's role exactly what it needs, in one transaction; returns of how many tables.

    May be repeated; a running application notices nothing. Runs as the owner. Raises RolesWrong when the
    role has more than it was given here, DatabaseError when the connected role is not the owner.
    """
    connection = connections[alias]
    quote = connection.ops.quote_name
    role, database = quote(application), quote(str(connection.settings_dict["NAME"]))
    less = rights(alias)
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = quote(cursor.fetchone()[0])
        cursor.execute(TABLES)
        tables = [name for name, _oid in cursor.fetchall()]
        for statement in (
            f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}",
            # A temporary table or function could stand before the real one in a careless search path.
            f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}",
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {role}",
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM PUBLIC, {role}",
            f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC, {role}",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
            *(
                f"GRANT {', '.join(less.get(table, USUAL))} ON {quote(table)} TO {role}"
                for table in tables
            ),
        ):
            cursor.execute(statement)
        if found := faults(alias, application):
            raise RolesWrong(f"Database {alias!r}, role {application!r}: {'; '.join(found)}.")
    return len(tables)


def faults(alias: str, role: str = "") -> list[str]:
    """What a role has that the application's must not have; of the connected one unless it is named."""
    with connections[alias].cursor() as cursor:
        if not role:
            cursor.execute("SELECT current_user")
            (role,) = cursor.fetchone()
        cursor.execute(ATTRIBUTES, [role])
        is_super, makes_roles, replicates = cursor.fetchone() or (False, False, False)
        if is_super:
            return [f"{role!r} is a superuser"]
        found = [f"{role!r} may make roles"] if makes_roles else []
        found += [f"{role!r} may replicate"] if replicates else []
        cursor.execute(GROUPS, [role])
        found += [f"{role!r} is a member of {group!r}" for (group,) in cursor.fetchall()]
        cursor.execute(OWNED, [role])
        if owned := cursor.fetchone()[0]:
            return [*found, f"{role!r} owns {owned} tables and indexes"]
        cursor.execute(RIGHTS, {"role": role})
        in_schema, in_database, temporary = cursor.fetchone()
        found += [f"{role!r} may make tables"] if in_schema or in_database else []
        found += [f"{role!r} may make temporary tables"] if temporary else []
        cursor.execute(TABLES)
        there = dict(cursor.fetchall())
        for table, allowed in rights(alias).items():
            if table not in there:
                continue
            denied = sorted({*USUAL, "TRUNCATE", "TRIGGER", "REFERENCES"} - {*allowed})
            cursor.execute(TABLE_RIGHTS, {"role": role, "table": there[table], "rights": denied})
            if has := ", ".join(right for (right,) in cursor.fetchall()):
                found.append(f"{role!r} has {has} on {table}")
    return found


def may_make_tables(alias: str) -> bool:
    """Whether the connected role may migrate this database."""
    if connections[alias].vendor != "postgresql":
        return True
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT has_schema_privilege(current_schema(), 'CREATE')")
        return bool(cursor.fetchone()[0])
