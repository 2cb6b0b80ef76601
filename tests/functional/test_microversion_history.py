"""What each of Nova's versions brought or took away is there from its version on, and not one version earlier.

A row for each version from 2.2 on; the versions that show nothing to a client here are named with the reason.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from nova_lite.api.versions import ALL, Version
from nova_lite.db import operations, volumes
from tests.functional import belongings
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, Cloud

OWNER = "u1:p1:member"
SERVER = "/servers/{server_id}"
ACTION = f"POST {SERVER}/action"
VOLUMES = f"{SERVER}/os-volume_attachments"
ON_VOLUME = "/servers/{server_on_volume}"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDmDnWKPMpX1mKnfXV1OvKbGOVpk+FHxb5u8Cq2Ue4Y u1@laptop"


class Row(NamedTuple):
    """``before`` and ``after``: a status; the path of a key that is there ('!': that is not); or '~' and words that
    the answer says ('!~': does not say)."""

    request: str
    before: int | str
    after: int | str
    json: Any = None
    token: str = ADMIN
    server: dict[str, Any] = {}  # what the server is like


def shown(key: str, request: str = f"GET {SERVER}", token: str = ADMIN, **more: Any) -> Row:
    return Row(request, f"!{key}", key, token=token, **more)


def gone(request: str, after: int = 404, **more: Any) -> Row:
    return Row(request, 200, after, **more)


def create(before: int | str = 400, after: int | str = 202, token: str = OWNER, **more: Any) -> Row:
    server = {"name": "x", "flavorRef": "42", "imageRef": IMAGE_ID, "networks": "none"} | more
    return Row("POST /servers", before, after, {"server": server}, token)


def act(name: str, body: Any, before: int | str = 400, after: int | str = 202, **more: Any) -> Row:
    return Row(ACTION, before, after, {name: body}, **more)


def refused_before(key: str, row: Row) -> Row:
    """The key is unknown; then something else is wrong, for there is one host."""
    return row._replace(before=f"~'{key}' ", after=f"!~'{key}' ")


def attach(
    before: int, after: int, request: str = f"POST {VOLUMES}", server: dict[str, Any] | None = None, **more: Any
) -> Row:
    attachment = {"volumeId": "{other_volume_id}"} | more
    return Row(request, before, after, {"volumeAttachment": attachment}, server=server or {})


def event(name: str, tag: str = "x") -> Row:
    sent = {"server_uuid": "{server_id}", "name": name, "tag": tag}
    return Row("POST /os-server-external-events", 400, 200, {"events": [sent]})


def console(protocol: str, type_: str) -> Row:
    body = {"remote_console": {"protocol": protocol, "type": type_}}
    return Row(f"POST {SERVER}/remote-consoles", "!~Unavailable", "~Unavailable", body)


DISK = {"boot_index": 0, "uuid": IMAGE_ID, "source_type": "image", "destination_type": "local"}
SHELVED = {"vm_state": "shelved_offloaded", "host": ""}

ROWS: dict[str, Row] = {
    "2.2": Row("POST /os-keypairs", 400, 201, {"keypair": {"name": "k", "type": "ssh"}}),
    "2.3": shown("server/OS-EXT-SRV-ATTR:user_data"),
    "2.5": Row("GET /servers?ip6=fe80::77", "servers/0/id", "!servers/0/id", token=OWNER),
    "2.6": Row(
        f"POST {SERVER}/remote-consoles", 404, 200, {"remote_console": {"protocol": "serial", "type": "serial"}}
    ),
    "2.7": Row("POST /flavors/1/action", 200, 409, {"addTenantAccess": {"tenant": "p1"}}),
    "2.8": console("mks", "webmks"),
    "2.9": shown("server/locked"),
    "2.10": shown("keypairs/0", "GET /os-keypairs?user_id=u1"),
    "2.11": shown("services/0/forced_down", "GET /os-services"),
    "2.13": shown("server_groups/0/project_id", "GET /os-server-groups", OWNER),
    "2.14": act("evacuate", {"onSharedStorage": "False"}, "!~'onSharedStorage' ", "~'onSharedStorage' "),
    "2.15": Row("POST /os-server-groups", 400, 200, {"server_group": {"name": "x", "policies": ["soft-affinity"]}}),
    "2.16": shown("server/host_status"),
    "2.17": act("trigger_crash_dump", None, before=404),
    "2.19": shown("server/description"),
    "2.20": attach(409, 200, server={"vm_state": "shelved"}),
    "2.21": Row("GET /servers/{deleted_id}/os-instance-actions", 404, 200),
    "2.22": Row(f"POST {SERVER}/migrations/1/action", "~It exists in", "!~It exists in", {"force_complete": None}),
    "2.23": Row(f"GET {SERVER}/migrations", 404, 200),
    "2.24": Row(f"DELETE {SERVER}/migrations/1", "~It exists in", "!~It exists in"),
    "2.25": act("os-migrateLive", {"host": None, "block_migration": "auto"}, "~block_migration", "!~block_migration"),
    "2.26": Row(f"GET {SERVER}/tags", 404, 200),
    "2.28": shown("hypervisors/0/cpu_info/arch", "GET /os-hypervisors/detail"),
    "2.29": refused_before("force", act("evacuate", {"host": "host1", "force": False})),
    "2.30": refused_before(
        "force", act("os-migrateLive", {"host": "host1", "block_migration": "auto", "force": False})
    ),
    "2.31": Row("GET /os-console-auth-tokens/{console_token}", 400, 200),
    "2.32": create(block_device_mapping_v2=[DISK | {"tag": "a"}], networks=[]),
    "2.33": Row("GET /os-hypervisors?limit=-1", 200, 400),
    "2.34": act("os-migrateLive", {"host": None, "block_migration": "auto"}),
    "2.35": Row("GET /os-keypairs?limit=-1", 200, 400),
    "2.36": gone("GET /images"),
    "2.37": Row("POST /servers", 202, 400, {"server": {"name": "x", "flavorRef": "42", "imageRef": IMAGE_ID}}),
    "2.38": Row("GET /servers?status=bogus", 200, 400),
    "2.39": gone("GET /images/{image_id}/metadata"),
    "2.40": Row("GET /os-simple-tenant-usage?limit=-1", 200, 400),
    "2.41": shown("aggregates/0/uuid", "GET /os-aggregates"),
    "2.42": create(block_device_mapping_v2=[DISK | {"tag": "a"}]),
    "2.43": gone("GET /os-hosts"),
    "2.44": act("addFixedIp", {"networkId": "{network_id}"}, 202, 404, token=OWNER),
    "2.45": act("createImage", {"name": "x"}, "!image_id", "image_id"),
    "2.47": Row(f"GET {SERVER}", "server/flavor/links", "server/flavor/vcpus"),
    "2.49": refused_before(
        "tag", Row(f"POST {SERVER}/os-interface", 0, 0, {"interfaceAttachment": {"port_id": "none", "tag": "a"}})
    ),
    "2.50": shown("quota_class_set/server_groups", "GET /os-quota-class-sets/default"),
    "2.51": shown("instanceAction/events", f"GET {SERVER}/os-instance-actions/{{request_id}}", OWNER),
    "2.52": create(tags=["a"]),
    "2.53": Row("GET /os-services", '~"id":1,', '!~"id":1,'),
    "2.54": act("rebuild", {"imageRef": IMAGE_ID, "key_name": None}),
    "2.55": shown("flavor/description", "GET /flavors/1"),
    "2.56": act("migrate", {"host": 5}, 202, 400),
    "2.57": act("rebuild", {"imageRef": IMAGE_ID, "user_data": "YQ=="}),
    "2.58": Row(f"GET {SERVER}/os-instance-actions?limit=-1", 200, 400),
    "2.59": shown("migrations/0/uuid", "GET /os-migrations"),
    "2.61": shown("flavor/extra_specs", "GET /flavors/1"),
    "2.62": shown("instanceAction/events/0/hostId", f"GET {SERVER}/os-instance-actions/{{request_id}}"),
    "2.63": shown("server/trusted_image_certificates"),
    "2.64": shown("server_groups/0/policy", "GET /os-server-groups", OWNER),
    "2.66": Row("GET /servers?changes-before=bogus", 200, 400),
    "2.67": refused_before("volume_type", create(block_device_mapping_v2=[DISK | {"volume_type": "none"}])),
    "2.68": act("os-migrateLive", {"host": None, "block_migration": "auto", "force": False}, 202, 400),
    "2.70": shown("volumeAttachments/0/tag", f"GET {VOLUMES}"),
    "2.71": shown("server/server_groups"),
    "2.73": shown("server/locked_reason"),
    "2.74": create(host="host1", token=ADMIN),
    "2.75": Row("GET /servers?bogus=1", 200, 400),
    "2.76": event("power-update", tag="POWER_ON"),
    "2.77": act("unshelve", {"bogus": 1}, 202, 400, server=SHELVED),
    "2.78": Row(f"GET {SERVER}/topology", 404, 200),
    "2.79": attach(400, 200, delete_on_termination=True),
    "2.80": shown("migrations/0/user_id", "GET /os-migrations"),
    "2.81": Row("POST /os-aggregates/{aggregate_id}/images", 404, 202, {"cache": [{"id": IMAGE_ID}]}),
    "2.82": event("accelerator-request-bound"),
    "2.83": Row("GET /servers?vm_state=rescued", "servers/0/id", "!servers/0/id", token=OWNER),
    "2.84": shown("instanceAction/events/0/details", f"GET {SERVER}/os-instance-actions/{{request_id}}"),
    "2.85": attach(400, 202, f"PUT {VOLUMES}/{{volume_id}}", volumeId="{volume_id}", delete_on_termination=True),
    "2.86": Row("POST /flavors/1/os-extra_specs", 200, 400, {"extra_specs": {"hw:cpu_policy": "none such"}}),
    "2.87": Row(f"POST {ON_VOLUME}/action", "~volume-backed", "!~not supported", {"rescue": {}}),
    "2.88": gone("GET /os-hypervisors/statistics"),
    "2.89": shown("volumeAttachments/0/attachment_id", f"GET {VOLUMES}"),
    "2.90": Row(f"PUT {SERVER}", 400, 200, {"server": {"hostname": "web"}}),
    "2.91": act("unshelve", {"host": "host1"}, server=SHELVED),
    "2.92": Row("POST /os-keypairs", 201, 400, {"keypair": {"name": "k"}}),
    "2.93": Row(
        f"POST {ON_VOLUME}/action", "~different image", "!~different image", {"rebuild": {"imageRef": "{image_id}"}}
    ),
    "2.94": Row(f"PUT {SERVER}", 400, 200, {"server": {"hostname": "web1.example.com"}}),
    "2.96": shown("server/pinned_availability_zone"),
    "2.97": Row(f"GET {SERVER}/shares", 404, 200),
    "2.98": shown("server/image/properties"),
    "2.99": console("spice", "spice-direct"),
    "2.100": shown("server/scheduler_hints"),
    "2.101": attach(200, 202),
    "2.102": Row("GET /flavors/1", "flavor/rxtx_factor", "!flavor/rxtx_factor"),
    "2.103": gone("GET /os-volumes_boot"),
    "2.104": Row(f"PUT {SERVER}", 400, 200, {"server": {"pinned_availability_zone": None}}),
}  # fmt: skip
#: What a client cannot tell from the version before.
UNSEEN = {
    "2.4": "os-fixed-ips is removed (410 at every version)",
    "2.12": "os-virtual-interfaces is removed (410 at every version)",
    "2.18": "as in Nova, both forms of a path answer at every version",
    "2.27": "as in Nova, both headers are taken and given at every version",
    "2.46": "as in Nova, both names of the request id are given at every version",
    "2.48": "asks the agent: tests/functional/test_server_diagnostics.py",
    "2.60": "no volume may be attached twice",
    "2.65": "no live migration is ever under way",
    "2.69": "one host is no cell that can be away",
    "2.72": "no port asks for a bandwidth",
    "2.95": "happens on the host: tests/functional/test_server_moves.py",
}


def test_every_version_is_told_of() -> None:
    assert {str(version) for version in ALL if version.major == 2} == {"2.1", *ROWS, *UNSEEN}
    assert not ROWS.keys() & UNSEEN.keys()


@pytest.fixture(scope="module")
def cloud(module_cloud: Cloud) -> Cloud:
    return module_cloud


@pytest.fixture(scope="module")
def ids(cloud: Cloud) -> dict[str, str]:
    found = belongings.furnish(cloud)
    volume = cloud.compute.create_volume(belongings.OWNER, size_gb=1)
    cloud.compute.set_volume_status(belongings.OWNER, volume, "available")
    deleted = cloud.add_server("deleted")
    cloud.set_server(deleted, vm_state="deleted", deleted=True)
    bootable = cloud.compute.create_volume(belongings.OWNER, size_gb=1)
    with cloud.compute.database.write() as connection:
        volumes.update(connection, bootable.uuid, status="available", image_id=IMAGE_ID)
    root = {"boot_index": 0, "uuid": bootable.uuid, "source_type": "volume", "destination_type": "volume"}
    server = {"name": "x", "flavorRef": "42", "block_device_mapping_v2": [root]}
    on_volume = cloud("POST", "/servers", "2.1", OWNER, json={"server": server}).json["server"]["id"]
    cloud.set_server(on_volume, vm_state="active", task_state=None, power_state=1, launched_at=datetime.now(UTC))
    serial = {"remote_console": {"protocol": "serial", "type": "serial"}}
    console = cloud("POST", f"/servers/{found['server_id']}/remote-consoles", "2.6", OWNER, json=serial)
    create = cloud.compute.list_operations(belongings.ADMINISTRATOR, found["server_id"])[-1]
    with cloud.compute.database.write() as connection:
        operations.end_event(connection, operations.begin_event(connection, create.id, "plug", HOST), "Error", "why")
    cloud.keep()
    token = console.json["remote_console"]["url"].partition("token=")[2]
    return found | {
        "other_volume_id": volume.uuid,
        "deleted_id": deleted,
        "server_on_volume": on_volume,
        "console_token": token,
        "request_id": create.request_id,
    }


@pytest.mark.parametrize("version", ROWS)
def test_it_came_with_its_version(cloud: Cloud, ids: dict[str, str], version: str) -> None:
    row = ROWS[version]
    minor = Version.parse(version).minor
    assert says(ask(cloud, row, f"2.{minor - 1}", ids), row.before)
    assert says(ask(cloud, row, version, ids), row.after)


def ask(cloud: Cloud, row: Row, version: str, ids: dict[str, str]) -> Any:
    if row.server:
        cloud.set_server(ids["server_id"], **row.server)
    method, path = row.request.split()
    body = {} if row.json is None else {"json": _filled(row.json, ids)}
    answer = cloud(method, path.format_map(ids), version, row.token, **body)
    if method != "GET":
        cloud.reset()
    return answer


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, ids) for inner in value]
    return ids[value[1:-1]] if isinstance(value, str) and re.fullmatch(r"\{[a-z_]+\}", value) else value


def says(answer: Any, expected: int | str) -> bool:
    if isinstance(expected, int):
        return answer.status_code == expected
    told = expected.removeprefix("!")
    return (told[1:] in answer.text if told.startswith("~") else _has(answer.json, told)) != expected.startswith("!")


def _has(document: Any, path: str) -> bool:
    for step in path.split("/"):
        try:
            document = document[int(step) if isinstance(document, list) else step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
