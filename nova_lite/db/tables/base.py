"""What every table is made with: names of constraints, types, the order of numbers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rowids in INTEGER columns only; PostgreSQL gets the wide type.
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class JsonType(sa.types.TypeDecorator[Any]):
    """JSON; on PostgreSQL JSONB, which it can search. Said when it is asked for, not as a variant: PostgreSQL's dialect
    would take each process 3 MiB that has no use for it."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(sa.JSON(none_as_null=True))
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))


Json = JsonType(none_as_null=True)

# Words for words the condition of an index: a query that is to use it must have just these, not parameters.
OUTSTANDING = sa.text("state IN ('pending', 'running')")


def serial_id() -> sa.Column[int]:
    return sa.Column("id", Serial, primary_key=True, autoincrement=True)
