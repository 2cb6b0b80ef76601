"""Filtering and sorting servers: which names a list may use, and the SQL of each.

As in Nova, identities and states match exactly and texts match as regular expressions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from nova_lite import exceptions
from nova_lite.db import patterns
from nova_lite.db.tables import fixed_ips, instances, ports
from nova_lite.db.tables.base import JsonType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Condition = sa.ColumnElement[bool]


class _ListHas(FunctionElement[bool]):
    """``_ListHas(json_column, text)``: whether the JSON array has that string."""

    type = sa.Boolean()
    inherit_cache = True


class _MapHas(FunctionElement[bool]):
    """``_MapHas(json_column, key, value)``: whether the JSON object has that string at that key."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(_ListHas, "sqlite")
def _list_has_sqlite(element: _ListHas, compiler: Any, **options: Any) -> str:
    column, text = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) AS item WHERE item.value = {text})"


@compiles(_ListHas, "postgresql")
def _list_has_postgresql(element: _ListHas, compiler: Any, **options: Any) -> str:
    column, text = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} @> jsonb_build_array(CAST({text} AS text)))"


@compiles(_MapHas, "sqlite")
def _map_has_sqlite(element: _MapHas, compiler: Any, **options: Any) -> str:
    column, key, value = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) AS item WHERE item.key = {key} AND item.value = {value})"


@compiles(_MapHas, "postgresql")
def _map_has_postgresql(element: _MapHas, compiler: Any, **options: Any) -> str:
    column, key, value = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} @> jsonb_build_object(CAST({key} AS text), CAST({value} AS text)))"


def _exact(column: sa.Column[Any]) -> Callable[[Any], Condition]:
    def condition(value: Any) -> Condition:
        if isinstance(value, list | tuple | set | frozenset):
            known = [item for item in value if item is not None]
            matches = column.in_(known)
            return sa.or_(matches, column.is_(None)) if len(known) < len(value) else matches
        return column.is_(None) if value is None else column == value

    return condition


def _time(column: sa.Column[Any]) -> Callable[[Any], Condition]:
    """A time as it is shown: whole seconds mean that second, since most answers leave the rest out."""

    def condition(value: datetime | None) -> Condition:
        if value is None:
            return column.is_(None)
        if value.microsecond:
            return column == value
        return sa.and_(column >= value, column < value + timedelta(seconds=1))

    return condition


def _text(column: sa.Column[Any]) -> Callable[[Any], Condition]:
    """A regular expression that matches anywhere, as Nova's text filters do."""

    def condition(value: Any) -> Condition:
        return column.regexp_match(patterns.checked(str(value)))

    return condition


def _has(tag: str) -> Condition:
    return _ListHas(instances.c.tags, sa.literal(tag, sa.String()))


def _metadata(value: dict[str, str] | Sequence[dict[str, str]]) -> Condition:
    wanted = [value] if isinstance(value, dict) else list(value)
    pairs = [(key, text) for each in wanted for key, text in each.items()]
    return sa.and_(
        sa.true(),
        *(
            _MapHas(instances.c.metadata, sa.literal(str(k), sa.String()), sa.literal(str(v), sa.String()))
            for k, v in pairs
        ),
    )


def _has_address(pattern: str) -> Condition:
    matching = fixed_ips.c.ip_address.regexp_match(patterns.checked(pattern))
    return sa.exists().where(ports.c.device_id == instances.c.uuid, fixed_ips.c.port_id == ports.c.id, matching)


FILTERS: dict[str, Callable[[Any], Condition]] = {
    "uuid": _exact(instances.c.uuid),
    "project_id": _exact(instances.c.project_id),
    "user_id": _exact(instances.c.user_id),
    "host": _exact(instances.c.host),
    "node": _exact(instances.c.host),
    "image": _exact(instances.c.image_ref),
    "flavor": _exact(instances.c.flavor_id),
    "vm_state": _exact(instances.c.vm_state),
    "task_state": _exact(instances.c.task_state),
    "power_state": _exact(instances.c.power_state),
    "locked": _exact(instances.c.locked),
    "locked_by": _exact(instances.c.locked_by),
    "config_drive": _exact(instances.c.config_drive),
    "disk_config": _exact(instances.c.disk_config),
    "progress": _exact(instances.c.progress),
    "launch_index": _exact(instances.c.launch_index),
    "launched_at": _time(instances.c.launched_at),
    "terminated_at": _time(instances.c.terminated_at),
    "created_at": _time(instances.c.created_at),
    "reservation_id": _exact(instances.c.reservation_id),
    "kernel_id": _exact(instances.c.kernel_id),
    "ramdisk_id": _exact(instances.c.ramdisk_id),
    "root_device_name": _exact(instances.c.root_device_name),
    "access_ip_v4": _exact(instances.c.access_ip_v4),
    "access_ip_v6": _exact(instances.c.access_ip_v6),
    "name": _text(instances.c.display_name),
    "description": _text(instances.c.display_description),
    "hostname": _text(instances.c.hostname),
    "key_name": _text(instances.c.key_name),
    "availability_zone": _text(instances.c.availability_zone),
    "changes_since": lambda value: instances.c.updated_at >= value,
    "changes_before": lambda value: instances.c.updated_at <= value,
    "tags": lambda value: sa.and_(sa.true(), *map(_has, value)),
    "tags_any": lambda value: sa.or_(sa.false(), *map(_has, value)),
    "not_tags": lambda value: sa.not_(sa.and_(sa.true(), *map(_has, value))),
    "not_tags_any": lambda value: sa.not_(sa.or_(sa.false(), *map(_has, value))),
    "metadata": _metadata,
    "ip": lambda value: _has_address(str(value)),
    "ip6": lambda value: sa.false(),  # networks are IPv4 here
}

_SORT_NAMES = {
    "name": "display_name",
    "description": "display_description",
    "image": "image_ref",
    "flavor": "flavor_id",
    "node": "host",
    "instance_type_id": "flavor_id",
    "auto_disk_config": "disk_config",
}


def _deleted(wanted: bool, soft: bool | None) -> Condition:
    """As in Nova: who lists deleted servers sees those that can be restored, too, and nobody else does.

    :param soft: the other way round, if it is said.
    """
    restorable = instances.c.vm_state == "soft-delete"
    matches = instances.c.deleted.is_(wanted)
    if wanted:
        return matches if soft is False else sa.or_(matches, restorable)
    return matches if soft else sa.and_(matches, sa.not_(restorable))


def apply(query: sa.Select[Any], filters: dict[str, Any]) -> sa.Select[Any]:
    """``query`` with a condition for each filter: ``FILTERS``, and "deleted" with "soft_deleted".

    :raises Invalid: a name that is none of them.
    """
    for name, value in filters.items():
        if name == "soft_deleted":
            continue
        if name == "deleted":
            # Who filters by state gets that state.
            soft = filters.get("soft_deleted", True if "vm_state" in filters and not value else None)
            query = query.where(_deleted(bool(value), soft))
            continue
        if name not in FILTERS:
            raise exceptions.Invalid(f"Invalid filter field: {name}.")
        query = query.where(FILTERS[name](value))
    return query


def _total(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column with a smallest value in place of NULL, so that a marker can be compared with every row."""
    if not column.nullable:
        return column
    python_type = datetime if hasattr(column.type, "process_bind_param") else column.type.python_type
    smallest: Any = {datetime: _EPOCH, bool: False, int: 0, float: 0.0}.get(python_type, "")
    return sa.func.coalesce(column, sa.literal(smallest, column.type), type_=column.type)


def sort_keys(sort: list[tuple[str, str]]) -> list[tuple[sa.ColumnElement[Any], str]]:
    """(expression, "asc" or "desc") for each wanted key, then the id so that no two rows tie."""
    keys: list[tuple[sa.ColumnElement[Any], str]] = []
    seen = set()
    for name, direction in sort or [("created_at", "desc")]:
        column = instances.c.get(_SORT_NAMES.get(name, name))
        if column is None or isinstance(column.type, JsonType):
            raise exceptions.Invalid("Sort key supplied was not valid.")
        if direction not in ("asc", "desc"):
            raise exceptions.Invalid(f"Sort direction '{direction}' is neither 'asc' nor 'desc'.")
        if column.name not in seen:
            seen.add(column.name)
            keys.append((_total(column), direction))
    if "id" not in seen:
        keys.append((instances.c.id, keys[-1][1]))
    return keys


def after(keys: list[tuple[sa.ColumnElement[Any], str]], values: list[Any]) -> Condition:
    """Rows that come after the row with these values."""
    marks = [sa.literal(value, expression.type) for (expression, _), value in zip(keys, values, strict=True)]
    alternatives = []
    for position, (expression, direction) in enumerate(keys):
        equal = [keys[i][0] == marks[i] for i in range(position)]
        beyond = expression < marks[position] if direction == "desc" else expression > marks[position]
        alternatives.append(sa.and_(*equal, beyond))
    return sa.or_(*alternatives)


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """PostgreSQL refuses a few patterns that Python takes; that is the caller's fault, not ours."""
    try:
        yield
    except (sa.exc.ProgrammingError, sa.exc.DataError) as error:
        if "regular expression" in str(error.orig):
            raise exceptions.Invalid("Invalid filter: the regular expression cannot be used.") from error
        raise
