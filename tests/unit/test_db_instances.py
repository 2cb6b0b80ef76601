"""Listing servers: filters, sorting, pages; rows become the objects they came from."""

from __future__ import annotations

import uuid as uuidlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nova_lite import exceptions, objects
from nova_lite.db import instances
from nova_lite.db.engine import Database

BIRTH = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def server(name: str, minutes: int = 0, **values: Any) -> objects.Instance:
    at = BIRTH + timedelta(minutes=minutes)
    flavor = objects.Flavor("40", "m1.pico", 1, 16, extra_specs={"hw:x": "1"})
    given: dict[str, Any] = {"project_id": "p1", "user_id": "u1", "hostname": name, "flavor": flavor}
    given |= {"image_ref": "image", "host": "h1", "created_at": at, "updated_at": at}
    return objects.Instance(uuid=str(uuidlib.uuid4()), display_name=name, **(given | values))


def add(database: Database, *servers: objects.Instance) -> None:
    with database.write() as connection:
        for each in servers:
            each.id = instances.insert(connection, each)


def names(
    database: Database,
    sort: Any = (("id", "asc"),),
    limit: int | None = None,
    marker: str | None = None,
    **filters: Any,
) -> list[str]:
    with database.read() as connection:
        return [each.display_name for each in instances.list_(connection, filters, list(sort), limit, marker)]


def test_a_server_is_read_as_it_was_written(database: Database) -> None:
    written = server(
        "whole",
        metadata={"ключ": 'a "quoted" value', "": "empty"},
        tags=["a", "b"],
        launched_at=BIRTH,
        locked=True,
        locked_by="admin",
        locked_reason="because",
        scheduler_hints={"group": ["x"]},
        trusted_image_certificates=["c1"],
        image_properties={"os": "none"},
        user_data="aGk=",
        fault=objects.Fault(500, "no", BIRTH, "trace"),
    )
    add(database, written)
    with database.read() as connection:
        assert instances.get(connection, written.uuid) == written
        assert instances.get(connection, "nonsense") is None


@pytest.fixture
def some(database: Database) -> Database:
    add(
        database,
        server("web-1", 1, tags=["red", "big"], metadata={"role": "web", "n": "1"}, vm_state="active", power_state=1),
        server("web-2", 2, tags=["red"], metadata={"role": "web"}, vm_state="stopped", task_state="powering-on"),
        server("db.1", 3, tags=["blue"], vm_state="error", locked=True, key_name="mine", display_description="a base"),
        server("other", 4, project_id="p2", user_id="u2", host="h2", image_ref="image2", config_drive=True),
        server("gone", 5, vm_state="deleted", deleted=True),
    )
    return database


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["web-1", "web-2", "db.1", "other", "gone"]),
        ({"project_id": "p2"}, ["other"]),
        ({"user_id": "u2"}, ["other"]),
        ({"host": "h2"}, ["other"]),
        ({"node": "h2"}, ["other"]),
        ({"image": "image2"}, ["other"]),
        ({"flavor": "nope"}, []),
        ({"flavor": "40", "deleted": False}, ["web-1", "web-2", "db.1", "other"]),
        ({"deleted": True}, ["gone"]),
        ({"vm_state": ["active", "stopped"]}, ["web-1", "web-2"]),
        ({"vm_state": "error"}, ["db.1"]),
        ({"task_state": "powering-on"}, ["web-2"]),
        ({"task_state": ["powering-on", None], "vm_state": ["stopped", "error"]}, ["web-2", "db.1"]),
        ({"power_state": 1}, ["web-1"]),
        ({"locked": True}, ["db.1"]),
        ({"config_drive": True}, ["other"]),
        ({"key_name": "mi"}, ["db.1"]),
        ({"description": "base$"}, ["db.1"]),
        ({"name": "web"}, ["web-1", "web-2"]),
        ({"name": "^(web|db).1$"}, ["web-1", "db.1"]),
        ({"name": r"db\.1"}, ["db.1"]),
        ({"name": "100%"}, []),
        ({"hostname": "oth"}, ["other"]),
        ({"availability_zone": "nova", "deleted": True}, ["gone"]),
        ({"tags": ["red"]}, ["web-1", "web-2"]),
        ({"tags": ["red", "big"]}, ["web-1"]),
        ({"tags_any": ["big", "blue"]}, ["web-1", "db.1"]),
        ({"not_tags": ["red", "big"]}, ["web-2", "db.1", "other", "gone"]),
        ({"not_tags_any": ["red", "blue"]}, ["other", "gone"]),
        ({"tags": ["'; DROP TABLE instances"]}, []),
        ({"metadata": {"role": "web"}}, ["web-1", "web-2"]),
        ({"metadata": [{"role": "web"}, {"n": "1"}]}, ["web-1"]),
        ({"metadata": {"role": "db"}}, []),
        ({"ip": "10"}, []),
        ({"created_at": BIRTH + timedelta(minutes=2)}, ["web-2"]),
        ({"changes_since": BIRTH + timedelta(minutes=4)}, ["other", "gone"]),
        ({"changes_before": BIRTH + timedelta(minutes=2)}, ["web-1", "web-2"]),
    ],
    ids=str,
)
def test_filters(some: Database, filters: dict[str, Any], found: list[str]) -> None:
    assert names(some, **filters) == found


def test_uuid_filter_takes_several(some: Database) -> None:
    with some.read() as connection:
        uuids = [each.uuid for each in instances.list_(connection, {}, [("id", "asc")], 2, None)]
    assert names(some, uuid=uuids) == ["web-1", "web-2"]


@pytest.mark.parametrize("pattern", ["[", "(a", "*", "(?P<x>a)(?P=x)", "(a+)+$", "(aa|b)*c", "x" * 256])
def test_bad_patterns_are_the_callers_fault(some: Database, pattern: str) -> None:
    with pytest.raises(exceptions.Invalid, match="Invalid filter"):
        names(some, name=pattern)


def test_a_pattern_that_only_postgresql_refuses_is_the_callers_fault_too(some: Database) -> None:
    if some.is_sqlite:
        assert names(some, name="(?P<x>web)-1") == ["web-1"]
    else:
        with pytest.raises(exceptions.Invalid, match="cannot be used"):
            names(some, name="(?P<x>web)-1")


def test_unknown_filters_and_sort_keys_are_refused(some: Database) -> None:
    with pytest.raises(exceptions.Invalid, match="Invalid filter field: nonsense"):
        names(some, nonsense=1)
    for key in ("nonsense", "metadata"):
        with pytest.raises(exceptions.Invalid, match="Sort key supplied was not valid"):
            names(some, sort=[(key, "asc")])
    with pytest.raises(exceptions.Invalid, match="neither 'asc' nor 'desc'"):
        names(some, sort=[("id", "up")])


def test_newest_come_first_by_default(some: Database) -> None:
    assert names(some, sort=[]) == ["gone", "other", "db.1", "web-2", "web-1"]


def test_sorting_by_several_keys_with_ties(database: Database) -> None:
    add(database, server("b", 1), server("a", 1), server("c", 0), server("a", 1, host="h2"))
    assert names(database, sort=[("created_at", "desc"), ("display_name", "asc")]) == ["a", "a", "b", "c"]
    assert names(database, sort=[("name", "desc"), ("host", "asc")]) == ["c", "b", "a", "a"]


SORTS = [
    [],
    [("created_at", "asc")],
    [("display_name", "asc"), ("created_at", "desc")],
    [("task_state", "asc")],
    [("launched_at", "desc"), ("locked", "asc")],
    [("key_name", "desc"), ("terminated_at", "asc"), ("power_state", "asc")],
]


@pytest.mark.parametrize("sort", SORTS, ids=str)
def test_pages_cover_every_server_once_in_order(database: Database, sort: list[tuple[str, str]]) -> None:
    for number in range(11):
        columns = {
            "task_state": [None, "spawning", "deleting"][number % 3],
            "launched_at": None if number % 2 else BIRTH + timedelta(hours=number % 4),
            "key_name": [None, "k1", ""][number % 3],
            "locked": number % 2 == 0,
        }
        add(database, server(f"s{number % 4}", number // 3, **columns))
    with database.read() as connection:
        whole = [each.uuid for each in instances.list_(connection, {}, sort, None, None)]
        paged: list[str] = []
        while page := instances.list_(connection, {}, sort, 2, paged[-1] if paged else None):
            paged += [each.uuid for each in page]
    assert len(whole) == 11
    assert paged == whole


def test_the_marker_must_be_one_of_the_callers_servers(some: Database) -> None:
    with some.read() as connection:
        (other,) = instances.list_(connection, {"name": "other"}, [], None, None)
    for marker in ("nonsense", other.uuid):
        with pytest.raises(exceptions.Invalid, match=rf"marker \[{marker}\] not found"):
            names(some, marker=marker, project_id="p1")


def test_sums_count_live_servers_only(some: Database) -> None:
    with some.read() as connection:
        used = instances.project_usage(connection, "p1")
        nothing = instances.project_usage(connection, "nobody")
    assert (used["instances"], used["cores"], used["ram"], used["running"], used["busy"]) == (3, 3, 48, 1, 1)
    assert set(nothing.values()) == {0}
