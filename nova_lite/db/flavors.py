"""Rows of ``flavors``, with their extra specs and the projects that may use them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db.tables import flavor_extra_specs, flavor_projects, flavors
from nova_lite.db.times import now

_FIELDS = (
    *("id", "flavorid", "name", "vcpus", "memory_mb", "root_gb", "ephemeral_gb", "swap", "rxtx_factor"),
    *("is_public", "disabled", "description"),
)
_SELECT = sa.select(*(flavors.c[name] for name in _FIELDS))
_BY_FLAVORID = _SELECT.where(flavors.c.flavorid == sa.bindparam("wanted"))

# Nova's sort keys of GET /flavors, and what they are here.
SORT_KEYS = {name: flavors.c[name] for name in _FIELDS} | {
    "created_at": flavors.c.created_at,
    "updated_at": flavors.c.updated_at,
    "vcpu_weight": flavors.c.id,  # Nova takes the key; no flavor here has a weight
}


def _complete(connection: Connection, rows: list[Any]) -> list[objects.Flavor]:
    """Flavors of the rows, with their specs and projects, in three statements however many there are."""
    found = [objects.Flavor(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
    by_id = {flavor.id: flavor for flavor in found}
    if by_id:
        specs = sa.select(*flavor_extra_specs.columns).where(flavor_extra_specs.c.flavor_id.in_(list(by_id)))
        for flavor_id, key, value in connection.execute(specs.order_by(flavor_extra_specs.c.key)):
            by_id[flavor_id].extra_specs[key] = value
        shares = sa.select(*flavor_projects.columns).where(flavor_projects.c.flavor_id.in_(list(by_id)))
        for flavor_id, project_id in connection.execute(shares.order_by(flavor_projects.c.project_id)):
            by_id[flavor_id].projects.append(project_id)
    return found


def get(connection: Connection, flavorid: str) -> objects.Flavor | None:
    found = _complete(connection, list(connection.execute(_BY_FLAVORID, {"wanted": flavorid})))
    return found[0] if found else None


def get_by_name(connection: Connection, name: str) -> objects.Flavor | None:
    found = _complete(connection, list(connection.execute(_SELECT.where(flavors.c.name == name))))
    return found[0] if found else None


def list_(
    connection: Connection,
    seen: list[sa.ColumnElement[bool]],
    conditions: list[sa.ColumnElement[bool]],
    sort_key: str,
    sort_dir: str,
    limit: int | None,
    marker: str | None,
) -> list[objects.Flavor]:
    """Invalid for an unknown sort key or marker (a flavorid).

    :param seen: what the caller may see at all; no other flavor is a marker either.
    """
    column = SORT_KEYS.get(sort_key)
    if column is None:
        raise exceptions.Invalid("Sort key supplied was not valid.")
    key = sa.func.coalesce(column, "") if column.nullable else column
    query = _SELECT.where(*seen, *conditions)
    descending = sort_dir == "desc"
    if marker is not None:
        last = sa.select(key, flavors.c.id).where(flavors.c.flavorid == marker, *seen)
        row = connection.execute(last).one_or_none()
        if row is None:
            raise exceptions.Invalid(f"marker [{marker}] not found")
        value, row_id = row
        beyond = key < value if descending else key > value
        query = query.where(sa.or_(beyond, sa.and_(key == value, flavors.c.id > row_id)))
    query = query.order_by(sa.desc(key) if descending else sa.asc(key), flavors.c.id).limit(limit)
    return _complete(connection, list(connection.execute(query)))


def visible_to(project_id: str | None) -> sa.ColumnElement[bool]:
    """Public, or given to that project."""
    shared = sa.select(flavor_projects.c.flavor_id).where(flavor_projects.c.project_id == project_id)
    return sa.or_(flavors.c.is_public, flavors.c.id.in_(shared))


def insert(connection: Connection, flavor: objects.Flavor) -> None:
    at = now()
    values = {name: getattr(flavor, name) for name in _FIELDS if name != "id"}
    result = connection.execute(sa.insert(flavors), values | {"created_at": at, "updated_at": at})
    flavor.id = int(result.inserted_primary_key[0])  # type: ignore[index]


def set_description(connection: Connection, flavor: objects.Flavor, description: str | None) -> None:
    values = {"description": description, "updated_at": now()}
    connection.execute(sa.update(flavors).where(flavors.c.id == flavor.id).values(values))


def delete(connection: Connection, flavor: objects.Flavor) -> bool:
    """False when it was gone already."""
    return connection.execute(sa.delete(flavors).where(flavors.c.id == flavor.id)).rowcount == 1


def set_extra_specs(connection: Connection, flavor: objects.Flavor, specs: dict[str, str]) -> None:
    for key, value in specs.items():
        delete_extra_spec(connection, flavor, key)
        row = {"flavor_id": flavor.id, "key": key, "value": value}
        connection.execute(sa.insert(flavor_extra_specs), row)


def delete_extra_spec(connection: Connection, flavor: objects.Flavor, key: str) -> bool:
    """False when there was none."""
    table = flavor_extra_specs
    query = sa.delete(table).where(table.c.flavor_id == flavor.id, table.c.key == key)
    return connection.execute(query).rowcount == 1


def add_project(connection: Connection, flavor: objects.Flavor, project_id: str) -> None:
    connection.execute(sa.insert(flavor_projects), {"flavor_id": flavor.id, "project_id": project_id})


def remove_project(connection: Connection, flavor: objects.Flavor, project_id: str) -> bool:
    """False when it was not given to that project."""
    table = flavor_projects
    query = sa.delete(table).where(table.c.flavor_id == flavor.id, table.c.project_id == project_id)
    return connection.execute(query).rowcount == 1
