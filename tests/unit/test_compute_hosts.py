"""Services, hypervisors and zones: heartbeats, forced down, what a host has and gives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nova_lite import exceptions
from nova_lite.db import hosts
from nova_lite.db.tables import services
from tests.unit.computing import HOST, IMAGE, NODE, Computing


def know_second_host(computing: Computing) -> None:
    with computing.database.write() as connection:
        hosts.record_node(connection, "host2", NODE | {"memory_mb": 100})
        hosts.heartbeat(connection, "host2", hosts.COMPUTE, "up")


def fall_silent(computing: Computing) -> None:
    with computing.database.write() as connection:
        connection.execute(services.update().values(last_seen_up=hosts.now() - timedelta(seconds=61)))


def test_a_service_is_up_while_it_is_heard_of(computing: Computing) -> None:
    computing.know_host()
    (service,) = computing.api.list_services(computing.admin)
    assert (service.binary, service.host, service.zone, service.state) == ("nova-compute", HOST, "nova", "up")
    assert not service.disabled
    fall_silent(computing)
    assert computing.api.get_service(computing.admin, service.uuid).state == "down"
    assert computing.create().host == HOST  # work for a silent host waits for it
    computing.know_host()
    assert computing.api.get_service(computing.admin, str(service.id)).state == "up"


def test_services_are_disabled_with_a_reason_and_declared_down(computing: Computing) -> None:
    computing.know_host()
    api, admin = computing.api, computing.admin
    (service,) = api.list_services(admin)
    disabled = api.update_service(admin, service, disabled=True, reason="repair")
    assert (disabled.disabled, disabled.disabled_reason, disabled.state) == (True, "repair", "up")
    down = api.update_service(admin, service, forced_down=True)
    assert (down.disabled, down.forced_down, down.state) == (True, True, "down")
    enabled = api.update_service(admin, service, disabled=False, forced_down=False)
    assert (enabled.disabled, enabled.disabled_reason, enabled.state) == (False, None, "up")
    assert api.list_services(admin, binary="nova-scheduler") == []
    assert api.list_services(admin, host="elsewhere") == []
    with pytest.raises(exceptions.NotFound, match="Service 77 could not be found"):
        api.get_service(admin, 77)


def test_a_service_is_forgotten_only_without_servers(computing: Computing) -> None:
    computing.know_host()
    api, admin = computing.api, computing.admin
    (service,) = api.list_services(admin)
    made = computing.create()
    with pytest.raises(exceptions.Conflict, match="Unable to delete compute service that is hosting instances"):
        api.delete_service(admin, service)
    computing.set_row(made, deleted=True)
    api.delete_service(admin, service)
    assert api.list_services(admin) == []
    assert api.list_hypervisors(admin) == []


def test_a_hypervisor_counts_what_its_servers_have(computing: Computing) -> None:
    computing.know_host()
    made = computing.api.create(computing.me, name="n", flavor_ref="1", image_ref=IMAGE, min_count=2)
    (found,) = computing.api.list_hypervisors(computing.admin, with_servers=True)
    assert (found.vcpus, found.vcpus_used) == (4, 2)
    assert (found.memory_mb, found.memory_mb_used) == (8192, 2 * 512 + 512)
    assert (found.local_gb, found.local_gb_used, found.disk_available_least) == (100, 2, 77)
    assert (found.running_vms, found.current_workload) == (2, 2)
    assert found.servers == [(each.uuid, each.display_name) for each in made]
    assert computing.api.get_hypervisor(computing.admin, found.uuid, with_servers=True) == found
    assert computing.api.get_hypervisor(computing.admin, found.id).servers == []


def test_hypervisors_are_found_by_name_and_paged(computing: Computing) -> None:
    computing.know_host()
    know_second_host(computing)
    api, admin = computing.api, computing.admin
    first, second = api.list_hypervisors(admin)
    assert [first.hypervisor_hostname, second.hypervisor_hostname] == [HOST, "host2"]
    assert first.uuid != second.uuid
    assert api.list_hypervisors(admin, limit=1) == [first]
    assert api.list_hypervisors(admin, marker=first.uuid) == [second]
    assert api.list_hypervisors(admin, marker=first.id) == [second]
    assert api.list_hypervisors(admin, pattern="ost2") == [second]
    with pytest.raises(exceptions.NotFound, match="No hypervisor matching 'x' could be found"):
        api.list_hypervisors(admin, pattern="x")
    with pytest.raises(exceptions.Invalid, match=r"marker \[x\] not found"):
        api.list_hypervisors(admin, marker="x")
    with pytest.raises(exceptions.NotFound, match="Hypervisor with ID 'x' could not be found"):
        api.get_hypervisor(admin, "x")


def test_a_host_keeps_its_uuid(computing: Computing) -> None:
    computing.know_host()
    (before,) = computing.api.list_hypervisors(computing.admin)
    computing.know_host(memory_mb=1)
    (after,) = computing.api.list_hypervisors(computing.admin)
    assert (after.uuid, after.memory_mb) == (before.uuid, 1)


def test_new_servers_go_to_the_host_with_most_room(computing: Computing) -> None:
    computing.know_host()
    know_second_host(computing)
    assert computing.create().host == HOST
    assert computing.create(host="host2").host == "host2"
    assert computing.create(availability_zone="nova:host2:host2").host == "host2"


def test_the_zone_lists_enabled_services(computing: Computing) -> None:
    assert computing.api.availability_zones(computing.me) == [{"name": "nova", "available": False, "hosts": {}}]
    computing.know_host()
    (zone,) = computing.api.availability_zones(computing.me)
    (service,) = computing.api.list_services(computing.admin)
    running = {"available": True, "active": True, "updated_at": service.updated_at}
    assert zone == {"name": "nova", "available": True, "hosts": {HOST: {"nova-compute": running}}}
    computing.api.update_service(computing.admin, service, disabled=True)
    assert computing.api.availability_zones(computing.me) == [{"name": "nova", "available": False, "hosts": {}}]


def test_limits_and_usage(computing: Computing) -> None:
    computing.create(flavor_ref="3")
    computing.create(context=computing.stranger)
    limits = computing.api.quota_limits(computing.me)
    assert (limits["instances"], limits["cores"], limits["ram"], limits["key_pairs"]) == (10, 20, 51200, 100)
    assert computing.api.usage(computing.me) == {"instances": 1, "cores": 2, "ram": 4096, "server_groups": 0}
    assert computing.api.usage(computing.me, "p2")["ram"] == 16
