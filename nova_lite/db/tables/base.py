"""What every table is made with: names of constraints, types, the order of numbers."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rowids in INTEGER columns only; PostgreSQL gets the wide type, and JSON that it can search.
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# Words for words the condition of an index: a query that is to use it must have just these, not parameters.
OUTSTANDING = sa.text("state IN ('pending', 'running')")


def serial_id() -> sa.Column[int]:
    return sa.Column("id", Serial, primary_key=True, autoincrement=True)
