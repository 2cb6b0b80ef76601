"""Creating servers without an agent: what is refused and how, quotas, hosts, and what is on disk afterwards."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute.create import sanitize_hostname
from tests.unit.computing import HOST, IMAGE, Computing


def test_an_accepted_server_and_its_operation_are_on_disk(computing: Computing) -> None:
    made = computing.create(
        "Web Server_1",
        metadata={"a": "b"},
        tags=["t2", "t1"],
        description="d",
        user_data="aGk=",
        config_drive=True,
        access_ip_v4="10.0.0.1",
        disk_config="AUTO",
        scheduler_hints={"x": "y"},
        availability_zone="nova",
    )
    read = computing.get(made)
    assert read == made
    assert (read.vm_state, read.task_state, read.power_state, read.host) == ("building", "scheduling", 0, HOST)
    assert (read.hostname, read.display_name, read.tags) == ("web-server-1", "Web Server_1", ["t1", "t2"])
    assert (read.image_ref, read.flavor.name, read.launch_index) == (IMAGE, "m1.pico", 0)
    assert (read.availability_zone, read.pinned_availability_zone) == ("nova", "nova")
    assert read.reservation_id.startswith("r-")
    (operation,) = computing.operations(made)
    assert (operation.action, operation.state, operation.host) == ("create", "pending", HOST)
    assert operation.request_id == computing.me.request_id
    assert (operation.user_id, operation.project_id) == ("u1", "p1")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"image_ref": "nope"}, "Can not find requested image"),
        ({"image_ref": ""}, "Boot sequence for the instance"),
        ({"image_ref": None}, "Boot sequence for the instance"),
        ({"flavor_ref": "nope"}, "Flavor nope could not be found."),
        ({"key_name": "nope"}, "Invalid key_name provided."),
        ({"availability_zone": "moon"}, "The requested availability zone is not available"),
        ({"availability_zone": "a:b:c:d"}, "Invalid input received: Unable to parse availability_zone"),
        ({"scheduler_hints": {"group": "nope"}}, "Instance group nope could not be found."),
        ({"host": "elsewhere"}, "Compute host elsewhere could not be found."),
        ({"hypervisor_hostname": "elsewhere"}, "Compute host elsewhere could not be found."),
        ({"host": HOST, "availability_zone": f"nova:{HOST}"}, "One mechanism with host"),
        ({"min_count": 2, "max_count": 1}, "min_count must be <= max_count"),
        ({"max_count": 2, "hostname": "h"}, "Unable to allocate a single hostname to multiple instances"),
        ({"user_data": "no base64!"}, "User data needs to be valid base 64."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_is_refused_in_novas_words(computing: Computing, wanted: dict[str, Any], message: str) -> None:
    computing.know_host()
    with pytest.raises(exceptions.Invalid) as refusal:
        computing.create(**wanted)
    assert message in str(refusal.value)
    assert computing.api.list(computing.admin, all_projects=True) == []


@pytest.mark.parametrize(
    ("image", "flavor", "message"),
    [
        ({"min_ram": 17}, {}, "Flavor's memory is too small for requested image."),
        ({"min_disk": 2}, {"root_gb": 1}, "Flavor's disk is smaller than the minimum size"),
        ({"min_disk": 2}, {"root_gb": 0}, None),
        ({"min_ram": 16, "min_disk": 1}, {"root_gb": 1}, None),
    ],
)
def test_a_flavor_must_suit_the_image(
    computing: Computing, image: dict[str, int], flavor: dict[str, int], message: str | None
) -> None:
    kernel = computing.paths.state / "good.bin"
    added = computing.store.add("demanding", kernel, "flat16", **image)  # type: ignore[arg-type]
    made = computing.api.create_flavor(computing.admin, name="odd", vcpus=1, memory_mb=16, **flavor)
    if message is None:
        computing.create(image_ref=added.id, flavor_ref=made.flavorid)
    else:
        with pytest.raises(exceptions.Invalid, match=message):
            computing.create(image_ref=added.id, flavor_ref=made.flavorid)


def test_private_flavors_and_images_are_for_their_projects(computing: Computing) -> None:
    api, kernel = computing.api, computing.paths.state / "good.bin"
    flavor = api.create_flavor(computing.admin, name="private", vcpus=1, memory_mb=16, is_public=False)
    image = computing.store.add("private", kernel, "flat16", visibility="private", project_id="p2")
    with pytest.raises(exceptions.Invalid, match="Flavor .* could not be found"):
        computing.create(flavor_ref=flavor.flavorid)
    with pytest.raises(exceptions.Invalid, match="Can not find requested image"):
        computing.create(image_ref=image.id)
    api.add_flavor_access(computing.admin, flavor, "p2")
    computing.create(context=computing.stranger, flavor_ref=flavor.flavorid, image_ref=image.id)


def test_several_servers_are_numbered_and_share_a_reservation(computing: Computing) -> None:
    made = computing.api.create(computing.me, name="web", flavor_ref="40", image_ref=IMAGE, min_count=3)
    assert [each.display_name for each in made] == ["web-1", "web-2", "web-3"]
    assert [each.hostname for each in made] == ["web-1", "web-2", "web-3"]
    assert [each.launch_index for each in made] == [0, 1, 2]
    assert len({each.reservation_id for each in made}) == 1
    assert len({each.uuid for each in made}) == 3


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web", "web"),
        ("Web Server.example", "web-server-example"),
        ("--a b--", "a-b"),
        ("日本", ""),
        ("x" * 70, "x" * 63),
        ("Ünï_cödé", "n-cd"),
    ],
)
def test_host_names_come_from_names(name: str, hostname: str) -> None:
    assert sanitize_hostname(name) == hostname


def test_a_name_without_usable_letters_gives_a_host_name_of_the_uuid(computing: Computing) -> None:
    made = computing.create("日本")
    assert made.hostname == f"Server-{made.uuid}"


def limit(computing: Computing, **quota: int) -> None:
    for name, value in quota.items():
        computing.conf.set_override(name, value, group="quota")


@pytest.mark.parametrize(
    ("quota", "message"),
    [
        ({"instances": 2}, "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances"),
        ({"cores": 2}, "Quota exceeded for cores: Requested 1, but already used 2 of 2 cores"),
        ({"ram": 40}, "Quota exceeded for ram: Requested 16, but already used 32 of 40 ram"),
        (
            {"cores": 2, "instances": 2},
            "Quota exceeded for cores, instances: Requested 1, 1, but already used 2, 2 of 2, 2 cores, instances",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_quotas_are_enforced_in_novas_words(computing: Computing, quota: dict[str, int], message: str) -> None:
    limit(computing, **quota)
    computing.create()
    computing.create()
    with pytest.raises(exceptions.OverQuota) as refusal:
        computing.create()
    assert str(refusal.value) == message
    computing.create(context=computing.stranger)  # each project has its own


def test_as_many_servers_are_made_as_the_quota_allows(computing: Computing) -> None:
    limit(computing, instances=3)
    made = computing.api.create(computing.me, name="n", flavor_ref="40", image_ref=IMAGE, min_count=2, max_count=9)
    assert len(made) == 3
    with pytest.raises(exceptions.OverQuota, match="Requested 1-2, but already used 3 of 3 instances"):
        computing.api.create(computing.me, name="n", flavor_ref="40", image_ref=IMAGE, min_count=1, max_count=2)


def test_deleted_servers_give_their_quota_back(computing: Computing) -> None:
    limit(computing, instances=1)
    computing.set_row(computing.create(), deleted=True, vm_state="deleted")
    computing.create()


def test_concurrent_requests_cannot_pass_a_quota_together(computing: Computing) -> None:
    limit(computing, instances=4)
    refused: list[Exception] = []

    def ask() -> None:
        try:
            computing.create()
        except exceptions.OverQuota as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(computing.api.list(computing.me)) == 4
    assert len(refused) == 6


def test_too_many_metadata_items_are_over_quota(computing: Computing) -> None:
    limit(computing, metadata_items=2)
    with pytest.raises(exceptions.OverQuota, match="Maximum number of metadata items exceeds 2"):
        computing.create(metadata={"a": "1", "b": "2", "c": "3"})


def assert_no_valid_host(computing: Computing, made: objects.Instance) -> None:
    read = computing.get(made)
    assert (read.vm_state, read.task_state, read.host) == ("error", None, "")
    assert read.fault is not None
    assert read.fault.code == 500
    assert read.fault.message == "No valid host was found. There are not enough hosts available."
    (operation,) = computing.operations(made)
    assert (operation.state, operation.message) == ("failed", read.fault.message)
    with_events = computing.api.get_operation(computing.me, made.uuid, operation.request_id)
    assert [(event.name, event.result) for event in with_events.events] == [
        ("conductor_schedule_and_build_instances", "Error")
    ]


def test_a_full_host_takes_no_more(computing: Computing) -> None:
    computing.conf.set_override("ram_allocation_ratio", 1.0, group="compute")
    computing.know_host(memory_mb=40)
    first, second, third = (computing.create() for _ in range(3))
    assert (first.host, second.host) == (HOST, HOST)
    assert_no_valid_host(computing, third)


def test_vcpus_count_too_and_one_request_cannot_fill_a_host_twice(computing: Computing) -> None:
    computing.conf.set_override("cpu_allocation_ratio", 2.0, group="compute")
    computing.know_host(vcpus=1)
    made = computing.api.create(computing.me, name="n", flavor_ref="40", image_ref=IMAGE, min_count=3)
    assert [each.host for each in made] == ["", "", ""]  # all of them, or none
    for each in made:
        assert_no_valid_host(computing, each)
    made = computing.api.create(computing.me, name="n", flavor_ref="40", image_ref=IMAGE, min_count=2)
    assert [each.host for each in made] == [HOST, HOST]
    assert_no_valid_host(computing, computing.create())


def test_a_disabled_host_takes_none_and_a_silent_one_does(computing: Computing) -> None:
    computing.know_host()
    computing.conf.set_override("service_down_time", 2, group="compute")
    (service,) = computing.api.list_services(computing.admin)
    computing.api.update_service(computing.admin, service, disabled=True, reason="repair")
    assert_no_valid_host(computing, computing.create())
    computing.api.update_service(computing.admin, service, disabled=False)
    assert computing.create().host == HOST
    computing.api.update_service(computing.admin, service, forced_down=True)
    assert_no_valid_host(computing, computing.create())


def test_a_server_without_a_host_is_deleted_at_once(computing: Computing) -> None:
    computing.know_host(memory_mb=0)
    made = computing.create()
    computing.api.delete(computing.me, made)
    assert computing.get(made).deleted
    assert [(op.action, op.state) for op in computing.operations(made)] == [("create", "failed"), ("delete", "done")]
