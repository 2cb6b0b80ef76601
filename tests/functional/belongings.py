"""Somebody's belongings: one thing of every kind that project p1 can have, so that tests can look who gets at them."""

from __future__ import annotations

from nova_lite.compute import networks
from nova_lite.context import RequestContext
from nova_lite.db import migration_records
from tests.functional.cloud import HOST, Cloud

OWNER = RequestContext(user_id="u1", project_id="p1", roles=["member", "reader"])
ADMINISTRATOR = RequestContext(user_id="admin", project_id="admin", roles=["admin"], is_admin=True)
#: In every name and description, so that an answer can be searched for it.
MARK = "walked"


def of_p1(cloud: Cloud) -> dict[str, str]:
    """By the path field that names it: ids of what user u1 of p1 has, and of what the host has for administrators."""
    compute, network = cloud.compute, cloud.compute.network
    server = cloud.add_server(MARK)
    compute.create_keypair(OWNER, "u1", MARK)
    volume = compute.create_volume(OWNER, size_gb=1, name=MARK)
    compute.set_volume_status(OWNER, volume, "available")
    snapshot = compute.create_volume_snapshot(OWNER, volume.uuid, name=MARK)
    external = networks.create_network(compute.database, HOST, "public", "172.24.4.0/24", external=True)
    own = network.create_network(OWNER, name=MARK)
    subnet = network.create_subnet(OWNER, network_id=own.id, cidr="10.71.0.0/24", name=MARK)
    port = network.create_port(OWNER, network_id=own.id)
    router = network.create_router(OWNER, name=MARK)
    group = network.create_group(OWNER, name=MARK)
    image = cloud.images.add(MARK, cloud.kernel, "flat16", visibility="private", project_id="p1")
    compute.create_flavor(ADMINISTRATOR, name=MARK, vcpus=1, memory_mb=64, flavorid="its-own", is_public=False)
    compute.add_flavor_access(ADMINISTRATOR, compute.get_flavor(ADMINISTRATOR, "its-own"), "p1")
    with compute.database.write() as connection:
        migration = migration_records.insert(
            connection, id=700001, instance_uuid=server, migration_type="migration", status="running",
            source_compute=HOST, project_id="p1", user_id="u1",
        )  # fmt: skip
    operation = compute.list_operations(ADMINISTRATOR, server)[0]
    return {
        "server_id": server, "keypair_name": MARK, "volume_id": volume.uuid, "snapshot_id": snapshot.uuid,
        "network_id": own.id, "subnet_id": subnet.network.subnet_id, "port_id": port.id,
        "router_id": router.id, "group_id": group.id, "rule_id": group.rules[0].id, "image_id": image.id,
        "floating_ip_id": network.create_floating_ip(OWNER, network_id=external.id).id,
        "flavor_id": "its-own", "migration_id": str(migration), "request_id": operation.request_id,
        "operation_id": operation.uuid, "tenant_id": "p1", "project_id": "p1", "quota_project_id": "p1",
        "server_group_id": compute.create_server_group(OWNER, name=MARK, policy="affinity").uuid,
        "service_id": compute.list_services(ADMINISTRATOR)[0].uuid, "host_name": HOST,
        "hypervisor_id": compute.list_hypervisors(ADMINISTRATOR)[0].uuid,
    }  # fmt: skip
