"""What each version says to rebuild, resize, migrate and rescue, and of migrations, over HTTP. No agent works here."""

from __future__ import annotations

from typing import Any

import pytest

from nova_lite.db import migration_records
from nova_lite.db.times import now
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, PRIVATE_IMAGE_ID, READER, Cloud

MANAGER = "u1:p1:manager,member,reader"
ACTIVE = {"vm_state": "active", "task_state": None, "power_state": 1}


@pytest.fixture(name="server")
def _server(cloud: Cloud) -> str:
    made = cloud.add_server("s")
    set_active(cloud, made)
    return made


def set_active(cloud: Cloud, server: str, **more: Any) -> None:
    with cloud.compute.database.write() as connection:
        connection.exec_driver_sql("UPDATE operations SET state = 'done'")
    cloud.set_server(server, launched_at=now(), **ACTIVE | more)


def act(cloud: Cloud, server: str, body: dict[str, Any], version: str = "2.1", token: str = MEMBER) -> Any:
    return cloud("POST", f"/servers/{server}/action", version, token, json=body)


def message(result: Any) -> str:
    return str(next(iter(result.json.values()))["message"])


@pytest.mark.parametrize(
    ("version", "keys", "lacking"),
    [
        ("2.1", {"adminPass", "accessIPv4"}, {"locked", "key_name", "OS-EXT-STS:vm_state"}),
        ("2.53", {"locked", "description", "tags"}, {"key_name", "user_data"}),
        ("2.54", {"key_name"}, {"user_data"}),
        ("2.57", {"key_name", "user_data"}, {"trusted_image_certificates", "server_groups"}),
        ("2.73", {"trusted_image_certificates", "server_groups", "locked_reason"}, {"OS-EXT-STS:vm_state"}),
        ("2.75", {"OS-EXT-STS:vm_state", "security_groups", "user_data"}, {"OS-EXT-SRV-ATTR:host"}),
        ("2.100", {"scheduler_hints", "pinned_availability_zone"}, set()),
    ],
)
def test_a_rebuild_shows_the_server_as_its_version_does(
    cloud: Cloud, server: str, version: str, keys: set[str], lacking: set[str]
) -> None:
    body = {"imageRef": IMAGE_ID, "adminPass": "x", "name": "anew", "accessIPv4": "1.2.3.4", "metadata": {"a": "b"}}
    answer = act(cloud, server, {"rebuild": body}, version)
    assert answer.status_code == 202, answer.text
    shown = answer.json["server"]
    assert keys <= shown.keys() and not lacking & shown.keys()
    assert (shown["name"], shown["adminPass"], shown["status"]) == ("anew", "x", "REBUILD")
    assert (shown["accessIPv4"], shown["metadata"]) == ("1.2.3.4", {"a": "b"})
    assert answer.headers["Location"].endswith(f"/servers/{server}")


@pytest.mark.parametrize(
    ("version", "field", "value"),
    [
        ("2.18", "description", "x"),
        ("2.53", "key_name", None),
        ("2.56", "user_data", "eA=="),
        ("2.57", "personality", []),
        ("2.62", "trusted_image_certificates", None),
        ("2.89", "hostname", "new-name"),
        ("2.93", "hostname", "a.b"),
    ],
)
def test_what_a_version_does_not_know_is_refused(
    cloud: Cloud, server: str, version: str, field: str, value: object
) -> None:
    assert act(cloud, server, {"rebuild": {"imageRef": IMAGE_ID, field: value}}, version).status_code == 400
    newer = f"2.{int(version[2:]) + (-1 if field == 'personality' else 1)}"
    assert act(cloud, server, {"rebuild": {"imageRef": IMAGE_ID, field: value}}, newer).status_code == 202


def test_rebuild_answers_of_3_0_and_errors(cloud: Cloud, server: str) -> None:
    assert message(act(cloud, server, {"rebuild": {"imageRef": PRIVATE_IMAGE_ID}})) == "Cannot find image for rebuild"
    assert act(cloud, server, {"rebuild": {"imageRef": IMAGE_ID}}, token=READER).status_code == 403
    answer = act(cloud, server, {"rebuild": {"image_ref": IMAGE_ID}}, "3.0")
    assert answer.status_code == 202 and answer.json.keys() == {"admin_password"}
    assert "/v3/operations/" in answer.headers["Location"]
    busy = act(cloud, server, {"rebuild": {"imageRef": IMAGE_ID}})
    assert busy.status_code == 409
    assert message(busy) == f"Cannot 'rebuild' instance {server} while it is in task_state rebuilding"


def test_resize_and_what_ends_it(cloud: Cloud, server: str) -> None:
    assert act(cloud, server, {"resize": {"flavorRef": 84}}).status_code == 202
    shown = cloud("GET", f"/servers/{server}", "2.47").json["server"]
    assert (shown["status"], shown["flavor"]["original_name"]) == ("RESIZE", "m1.nano")
    records = cloud("GET", "/os-migrations", "2.80", ADMIN).json["migrations"]
    assert [(one["migration_type"], one["status"], one["dest_compute"]) for one in records] == [
        ("resize", "pre-migrating", HOST)
    ]
    with cloud.compute.database.write() as connection:
        migration_records.advance(connection, server, "finished", ("pre-migrating",))
    for end in ("confirmResize", "revertResize"):
        assert act(cloud, server, {end: None}).status_code == 409
    set_active(cloud, server, vm_state="resized")
    assert cloud("GET", f"/servers/{server}").json["server"]["status"] == "VERIFY_RESIZE"
    assert act(cloud, server, {"confirmResize": None}).status_code == 204
    for end in ("confirmResize", "revertResize"):
        again = act(cloud, server, {end: None})
        assert (again.status_code, message(again)) == (400, "Instance has not been resized.")
    set_active(cloud, server)
    refused = act(cloud, server, {"resize": {"flavorRef": "42"}})
    assert (refused.status_code, message(refused)) == (400, "When resizing, instances must change flavor!")
    assert act(cloud, server, {"resize": {"flavor_ref": "84"}}, "3.0").status_code == 202


def test_migrate_and_live_migration_on_one_host(cloud: Cloud, server: str) -> None:
    assert act(cloud, server, {"migrate": None}).status_code == 403
    assert act(cloud, server, {"migrate": None}, token=MANAGER).status_code == 202
    assert act(cloud, server, {"migrate": {"host": HOST}}, "2.56", MANAGER).status_code == 403
    own = act(cloud, server, {"migrate": {"host": HOST}}, "2.56", ADMIN)
    assert (own.status_code, message(own)) == (400, "Cannot migrate to the host where the server exists.")
    live: dict[str, Any] = {"block_migration": False, "disk_over_commit": False, "host": None}
    no_host = act(cloud, server, {"os-migrateLive": live}, "2.1", ADMIN)
    assert no_host.status_code == 400 and message(no_host).startswith("No valid host was found.")
    live = {"block_migration": "auto", "host": HOST}
    for version, status, words in (
        ("2.25", 400, "Unable to migrate instance"),
        ("2.30", 400, "No valid host was found."),
        ("2.34", 202, ""),
        ("2.68", 202, ""),
    ):
        answer = act(cloud, server, {"os-migrateLive": live}, version, ADMIN)
        assert answer.status_code == status, (version, answer.text)
        assert not words or message(answer).startswith(words)
    anywhere = {"block_migration": "auto", "host": None, "force": True}
    forced = act(cloud, server, {"os-migrateLive": anywhere}, "2.30", ADMIN)
    assert message(forced) == "Can't force to a non-provided destination"
    unknown = act(cloud, server, {"os-migrateLive": live | {"host": "nowhere"}}, "2.34", ADMIN)
    assert (unknown.status_code, message(unknown)) == (400, "Compute host nowhere could not be found.")
    shown = cloud("GET", f"/servers/{server}").json["server"]
    assert shown["status"] == "ACTIVE"
    actions = cloud("GET", f"/servers/{server}/os-instance-actions").json["instanceActions"]
    assert {one["action"] for one in actions} == {"create", "migrate", "live-migration"}


def test_a_servers_live_migrations_are_none(cloud: Cloud, server: str) -> None:
    path = f"/servers/{server}/migrations"
    assert cloud("GET", path, "2.22", ADMIN).status_code == 404
    assert cloud("GET", path, "2.23", MANAGER).json == {"migrations": []}
    live = {"block_migration": "auto", "host": None}
    act(cloud, server, {"os-migrateLive": live}, "2.34", ADMIN)
    act(cloud, server, {"migrate": None}, token=ADMIN)
    moved, gone = sorted(one["id"] for one in cloud("GET", "/os-migrations", "2.1", ADMIN).json["migrations"])
    for number, words in (
        (moved, f"Live migration {moved} for server {server} is not in progress."),
        (gone, f"Migration {gone} for server {server} is not live-migration."),
        (99, f"In-progress live migration 99 is not found for server {server}."),
    ):
        answer = cloud("GET", f"{path}/{number}", "2.23", ADMIN)
        assert (answer.status_code, message(answer)) == (404, words)
    done = cloud("POST", f"{path}/{moved}/action", "2.22", ADMIN, json={"force_complete": None})
    assert (done.status_code, message(done)) == (
        409, f"Instance {server} is in an invalid state for 'force_complete'",
    )  # fmt: skip
    assert cloud("DELETE", f"{path}/{moved}", "2.24", ADMIN).status_code == 409
    assert cloud("DELETE", f"{path}/{moved}", "2.23", ADMIN).status_code in (404, 405)


def test_migrations_are_listed_in_pages_and_by_owner(cloud: Cloud, server: str) -> None:
    for _ in range(3):
        act(cloud, server, {"migrate": None}, token=MANAGER)
    old = cloud("GET", "/os-migrations", "2.1", ADMIN).json
    assert old.keys() == {"migrations"} and [one["id"] for one in old["migrations"]] == [1, 2, 3]
    assert "uuid" not in old["migrations"][0] and "migration_type" not in old["migrations"][0]
    first = cloud("GET", "/os-migrations?limit=2", "2.59", ADMIN).json
    assert [one["id"] for one in first["migrations"]] == [3, 2] and first["migrations_links"][0]["rel"] == "next"
    rest = cloud("GET", f"/os-migrations?limit=2&marker={first['migrations'][1]['uuid']}", "2.59", ADMIN).json
    assert [one["id"] for one in rest["migrations"]] == [1] and "migrations_links" not in rest
    bad = cloud("GET", "/os-migrations?marker=x", "2.59", ADMIN)
    assert (bad.status_code, message(bad)) == (400, "Marker x could not be found.")
    assert cloud("GET", "/os-migrations?colour=red", "2.59", ADMIN).status_code == 400
    assert cloud("GET", "/os-migrations?colour=red", "2.58", ADMIN).status_code == 200
    times = "changes-since=2030-01-01T00:00:00Z&changes-before=2029-01-01T00:00:00Z"
    assert cloud("GET", f"/os-migrations?{times}", "2.66", ADMIN).status_code == 400
    assert cloud("GET", "/os-migrations?changes-since=2090-01-01T00:00:00Z", "2.59", ADMIN).json == {"migrations": []}
    assert cloud("GET", "/os-migrations", "2.80", MEMBER).status_code == 403
    assert cloud("GET", "/os-migrations", "2.80", MANAGER).status_code == 403
    own = cloud("GET", "/os-migrations?project_id=p1", "2.80", MANAGER).json["migrations"]
    assert len(own) == 3 and {one["source_compute"] for one in own} == {None} and own[0]["user_id"] == "u1"
    by_host = cloud("GET", f"/os-migrations?host={HOST}&status=error&instance_uuid={server}", "2.1", ADMIN).json
    assert len(by_host["migrations"]) == 3 and by_host["migrations"][0]["source_node"] == HOST
    clean = cloud("GET", f"/migrations?server_id={server}&type=migration", "3.0", ADMIN).json
    assert len(clean["migrations"]) == 3 and clean["migrations"][0]["server_id"] == server


def test_rescue_and_unrescue(cloud: Cloud, server: str) -> None:
    answer = act(cloud, server, {"rescue": {"adminPass": "x", "rescue_image_ref": IMAGE_ID}})
    assert (answer.status_code, answer.json) == (200, {"adminPass": "x"})
    set_active(cloud, server, vm_state="rescued")
    assert cloud("GET", f"/servers/{server}").json["server"]["status"] == "RESCUE"
    assert act(cloud, server, {"unrescue": None}).status_code == 202
    set_active(cloud, server)
    none = act(cloud, server, {"unrescue": None})
    assert message(none) == f"Cannot 'unrescue' instance {server} while it is in vm_state active"
    refused = act(cloud, server, {"rescue": {"rescue_image_ref": PRIVATE_IMAGE_ID}})
    assert (refused.status_code, message(refused)) == (
        400, f"Requested rescue image '{PRIVATE_IMAGE_ID}' is not supported",
    )  # fmt: skip
    given = act(cloud, server, {"rescue": None})
    assert given.status_code == 200 and len(given.json["adminPass"]) == 12
    set_active(cloud, server)
    assert act(cloud, server, {"rescue": {"image_ref": IMAGE_ID}}, "3.0").status_code == 202
