"""Somebody's belongings: one thing of every kind that project p1 can have, so that tests can look who gets at them."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from nova_lite.compute import networks
from nova_lite.context import RequestContext
from nova_lite.db import migration_records
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, Cloud

OWNER = RequestContext(user_id="u1", project_id="p1", roles=["member", "reader"])
STRANGER = RequestContext(user_id="u9", project_id="p9", roles=["member", "reader"])
ADMINISTRATOR = RequestContext(user_id="admin", project_id="admin", roles=["admin"], is_admin=True)
#: In every name and description, so that an answer can be searched for it.
MARK = "walked"


def of_p1(cloud: Cloud) -> dict[str, str]:
    """By the path field that names it: ids of what user u1 of p1 has, and of what the host has for administrators."""
    external = networks.create_network(cloud.compute.database, HOST, "public", "172.24.4.0/24", external=True)
    return _of(cloud, OWNER, MARK, external.id)


def of_p9(cloud: Cloud, external_id: str) -> dict[str, str]:
    """The same of user u9 of p9, beside what p1 has."""
    return _of(cloud, STRANGER, "strange", external_id)


def _of(cloud: Cloud, owner: RequestContext, mark: str, external_id: str) -> dict[str, str]:
    compute, network = cloud.compute, cloud.compute.network
    user, project = str(owner.user_id), str(owner.project_id)
    number, flavor = int(user[1:]), f"its-own-{user}"
    server = cloud.add_server(mark, project, user_id=user)
    compute.create_keypair(owner, user, mark)
    volume = compute.create_volume(owner, size_gb=1, name=mark)
    compute.set_volume_status(owner, volume, "available")
    snapshot = compute.create_volume_snapshot(owner, volume.uuid, name=mark)
    own = network.create_network(owner, name=mark)
    subnet = network.create_subnet(owner, network_id=own.id, cidr=f"10.7{number}.0.0/24", name=mark)
    port = network.create_port(owner, network_id=own.id)
    router = network.create_router(owner, name=mark)
    group = network.create_group(owner, name=mark)
    image = cloud.images.add(mark, cloud.kernel, "flat16", visibility="private", project_id=project)
    compute.create_flavor(ADMINISTRATOR, name=mark, vcpus=1, memory_mb=64, flavorid=flavor, is_public=False)
    compute.add_flavor_access(ADMINISTRATOR, compute.get_flavor(ADMINISTRATOR, flavor), project)
    with compute.database.write() as connection:
        migration = migration_records.insert(
            connection, id=700000 + number, instance_uuid=server, migration_type="migration", status="running",
            source_compute=HOST, project_id=project, user_id=user,
        )  # fmt: skip
    operation = compute.list_operations(ADMINISTRATOR, server)[0]
    return {
        "server_id": server, "keypair_name": mark, "volume_id": volume.uuid, "snapshot_id": snapshot.uuid,
        "network_id": own.id, "subnet_id": subnet.network.subnet_id, "port_id": port.id,
        "router_id": router.id, "group_id": group.id, "rule_id": group.rules[0].id, "image_id": image.id,
        "floating_ip_id": network.create_floating_ip(owner, network_id=external_id).id,
        "flavor_id": flavor, "migration_id": str(migration), "request_id": operation.request_id,
        "operation_id": operation.uuid, "tenant_id": project, "project_id": project, "quota_project_id": project,
        "server_group_id": compute.create_server_group(owner, name=mark, policy="affinity").uuid,
        "service_id": compute.list_services(ADMINISTRATOR)[0].uuid, "host_name": HOST,
        "external_id": external_id, "hypervisor_id": compute.list_hypervisors(ADMINISTRATOR)[0].uuid,
    }  # fmt: skip


def furnish(cloud: Cloud) -> dict[str, str]:
    """The same, and an ACTIVE server of p1 that has what servers can have: card, volume, metadata, tags, keypair."""
    token = "u1:p1:member"
    ids = of_p1(cloud)
    server = {
        "name": "web1", "imageRef": IMAGE_ID, "flavorRef": "42", "networks": [{"port": ids["port_id"]}],
        "metadata": {"key": "value"}, "tags": ["tag"], "key_name": ids["keypair_name"],
    }  # fmt: skip
    made = cloud("POST", "/servers", "2.104", token, json={"server": server}).json["server"]["id"]
    cloud.set_server(made, vm_state="active", task_state=None, power_state=1, launched_at=datetime.now(UTC))
    volume = {"volumeAttachment": {"volumeId": ids["volume_id"]}}
    assert cloud("POST", f"/servers/{made}/os-volume_attachments", "2.1", token, json=volume).status_code == 200
    specs = {"extra_specs": {"key": "value"}}
    assert cloud("POST", f"/flavors/{ids['flavor_id']}/os-extra_specs", "2.1", ADMIN, json=specs).status_code == 200
    properties = {"metadata": {"key": "value"}}
    assert cloud("POST", f"/images/{ids['image_id']}/metadata", "2.1", token, json=properties).status_code == 200
    zone = {"aggregate": {"name": "rack1", "availability_zone": "zone1"}}
    aggregate = cloud("POST", "/os-aggregates", "2.41", ADMIN, json=zone).json["aggregate"]
    return ids | {
        "server_id": made, "key": "key", "tag": "tag", "network_label": MARK,
        "aggregate_id": str(aggregate["id"]), "aggregate_uuid": aggregate["uuid"], "quota_class": "default",
        "before_timestamp": "2026-11-21 10:00:00", "alias": "NMN",
        "request_id": cloud.compute.list_operations(ADMINISTRATOR, made)[0].request_id,
    }  # fmt: skip


def missing(ids: dict[str, str]) -> dict[str, str]:
    """Names of the same form that nothing has."""
    made = {}
    for field, value in ids.items():
        is_uuid = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
        prefix = "req-" if value.startswith("req-") else ""
        made[field] = prefix + str(uuid.uuid5(uuid.NAMESPACE_OID, field)) if is_uuid or prefix else f"no{field}"
    return made | {"migration_id": "700002", "tenant_id": "p8", "project_id": "p8", "quota_project_id": "p8"}


def told(answer: Any, ids: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    """What an answer says, with what was asked for replaced by the field's name."""
    headers = {name.lower(): value for name, value in answer.headers.items() if "request-id" not in name.lower()}
    text = answer.text
    text = re.sub(r"req-[0-9a-f-]{36}", "req", text)
    for field, value in sorted(ids.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, field) if len(value) > 3 else re.sub(rf"\b{value}\b", field, text)
    headers.pop("content-length", None)
    return answer.status_code, text, headers
