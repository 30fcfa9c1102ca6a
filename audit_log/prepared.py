"""Questions that are asked with every access: Django puts their statements together once, not each time.

A read of one result asks a dozen small questions. The database answers each in some 30 µs; Django takes
ten times that to build the query set and to compile it, to the same text every time. ``Prepared`` keeps
the text that the ORM made, for each kind of database, and how its columns become values. What is kept is
the question and never an answer: every call asks the database.

    class Name(NamedTuple):
        text: str

    NAME = Prepared(Columns(Name), lambda: Person.objects.filter(id=Given("id", UUIDField())))
    NAME.first(id=person_id)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row")
MadeRow = TypeVar("MadeRow", covariant=True)
AnyTuple = TypeVar("AnyTuple", bound=NamedTuple)
AnyModel = TypeVar("AnyModel", bound=Model)


class Given(Expression):
    """The place of a value that comes with each asking, under this name; ``field`` says of what type."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        """A placeholder; among the values this stands where the given one will."""
        return "%s", [self]

    def value(self, given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """The given value as this database takes it."""
        return self.output_field.get_db_prep_value(given[self.name], connection)


class Shape(Protocol[MadeRow]):
    """Which columns a question reads, and what one row of them becomes."""

    def names(self) -> list[str]:
        """Fields and annotations, as ``values_list`` takes them."""

    def row(self, alias: str, values: Sequence[Any]) -> MadeRow:
        """One row of these columns, read from this database."""


class Columns(Generic[AnyTuple]):
    """Rows as named tuples: the fields of the tuple are the columns that are read."""

    def __init__(self, kind: type[AnyTuple]) -> None:
        self.kind = kind

    def names(self) -> list[str]:
        """The fields of the tuple."""
        return list(self.kind._fields)

    def row(self, alias: str, values: Sequence[Any]) -> AnyTuple:
        """The tuple."""
        return self.kind._make(values)


class Whole(Generic[AnyModel]):
    """Rows as instances of a model with all their columns; ``joined``: foreign keys to read along."""

    def __init__(self, model: type[AnyModel], *joined: str) -> None:
        self.model = model
        self.joined = joined

    def names(self) -> list[str]:
        """The columns of the model, then those of what is joined to it."""
        own = columns_of(self.model)
        return own + [
            f"{key}__{name}" for key in self.joined for name in columns_of(self.other(key))
        ]

    def row(self, alias: str, values: Sequence[Any]) -> AnyModel:
        """The instance, with what is joined to it."""
        own = columns_of(self.model)
        end = len(own)
        instance = self.model.from_db(alias, own, values[:end])
        for key in self.joined:
            other = self.other(key)
            names = columns_of(other)
            begin, end = end, end + len(names)
            setattr(instance, key, other.from_db(alias, names, values[begin:end]))
        return instance

    def other(self, key: str) -> type[Model]:
        """The model that a foreign key leads to."""
        return cast("type[Model]", self.model._meta.get_field(key).related_model)


def columns_of(model: type[Model]) -> list[str]:
    """All columns of a model, in their order."""
    return [field.attname for field in model._meta.concrete_fields]


@dataclass(frozen=True)
class Statement:
    """What was put together for one kind of database.

    Fields:
        values: for each placeholder a constant or a ``Given``; names: of all that must be given.
        converters: by column, what turns a value of this database into one of Python's.
    """

    text: str
    values: tuple[Any, ...]
    names: frozenset[str]
    converters: Mapping[int, tuple[Sequence[Callable[..., Any]], Any]]


class Prepared(Generic[Row]):
    """A question to the database ``alias``.

    ``rows`` builds its query set, with a ``Given`` in the place of each value, when it is first asked.
    """

    def __init__(
        self, shape: Shape[Row], rows: Callable[[], QuerySet[Any]], alias: str = DEFAULT_DB_ALIAS
    ) -> None:
        self.shape = shape
        self.rows = rows
        self.alias = alias
        self.statements: dict[str, Statement] = {}

    def all(self, **given: Any) -> list[Row]:
        """All rows as they stand now. Raises TypeError unless exactly what the question names is given."""
        connection = connections[self.alias]
        statement = self.statements.get(connection.vendor) or self.prepare(connection)
        if given.keys() != statement.names:
            raise TypeError(f"expected {sorted(statement.names)}, got {sorted(given)}")
        values = [
            each.value(given, connection) if isinstance(each, Given) else each
            for each in statement.values
        ]
        with connection.cursor() as cursor:
            cursor.execute(statement.text, values)
            found = cursor.fetchall()
        return [self.row(list(row), statement, connection) for row in found]

    def first(self, **given: Any) -> Row | None:
        """The first row, or None. Of rows that are found by a unique key it is the only one."""
        return next(iter(self.all(**given)), None)

    def prepare(self, connection: BaseDatabaseWrapper) -> Statement:
        """Let the ORM put the statement together for this kind of database, and keep it."""
        query = self.rows().using(self.alias).values_list(*self.shape.names()).query
        compiler = query.get_compiler(self.alias)
        text, values = compiler.as_sql()
        statement = Statement(
            text=text,
            values=tuple(values),
            names=frozenset(each.name for each in values if isinstance(each, Given)),
            converters=compiler.get_converters(
                [column for column, _sql, _alias in compiler.select]
            ),
        )
        self.statements[connection.vendor] = statement
        return statement

    def row(self, values: list[Any], statement: Statement, connection: BaseDatabaseWrapper) -> Row:
        """One row, from what the database gave for each column."""
        for column, (steps, expression) in statement.converters.items():
            for step in steps:
                values[column] = step(values[column], expression, connection)
        return self.shape.row(self.alias, values)
