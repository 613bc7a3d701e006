"""The names, character set and column types of all tables, for both databases."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    DateTime,
    Enum,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine

from taskq_server.domain.task import Priority

MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}

LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
RowId = BigInteger().with_variant(Integer(), "sqlite")


_ASCII = {"charset": "ascii", "collation": "ascii_bin"}


class Base(DeclarativeBase):
    """Base of all tables; the naming convention lets Alembic find every constraint again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class TaskId(TypeDecorator[UUID]):
    """A task's or a worker's id, as 32 hexadecimal digits that are compared byte by byte."""

    impl = CHAR(32).with_variant(mysql.CHAR(32, **_ASCII), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> str | None:
        """Store the digits."""
        return None if value is None else value.hex

    def process_result_value(self, value: str | None, dialect: Dialect) -> UUID | None:
        """Return the id."""
        return None if value is None else UUID(hex=value)


class _SentAsText(mysql.DATETIME):
    """A DATETIME with microseconds, given to MySQL's driver as the text that it sends.

    The driver would write the same, and look up how for each value.
    """

    def __init__(self) -> None:
        super().__init__(fsp=6)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """Return what writes a naive time."""
        return lambda value: None if value is None else value.isoformat(" ")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, naive UTC with microseconds in the database."""

    impl = DateTime().with_variant(_SentAsText(), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time, store an aware one as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class PriorityNumber(TypeDecorator[Priority]):
    """A priority as its small integer."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Priority | None, dialect: Dialect) -> int | None:
        """Store the number."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Priority | None:
        """Return the priority."""
        return None if value is None else Priority(value)


def ascii_text(length: int) -> TypeEngine[str]:
    """Return a column type for text that is ASCII by its nature, compared byte by byte.

    An index on utf8mb4 decodes what it compares.
    """
    return String(length).with_variant(mysql.VARCHAR(length, **_ASCII), "mysql", "mariadb")


def closed_set(values: type[StrEnum], name: str, *, is_checked: bool = True) -> Enum:
    """Return a column type for a closed set: a short string.

    Args:
        values: the set.
        name: of the constraint.
        is_checked: whether a CHECK constraint holds it. A column that is added to a table later has
            none, because MySQL would copy the table for it.
    """
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=is_checked,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def options(*constraints: Any, **more: Any) -> tuple[Any, ...]:
    """Return `__table_args__` with the constraints and the options of every table, and more."""
    return (*constraints, MYSQL | more)
