"""Creating servers: what each version takes, what this host can do, what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.context import RequestContext
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, PRIVATE_IMAGE_ID, READER, Cloud

ADMINISTRATOR = RequestContext(user_id="admin", project_id="admin", roles=["admin"], is_admin=True)
NETWORK = "b3b3b3b3-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """For requests that leave no trace or whose trace does not matter."""
    cloud = Cloud(
        Path(tmp_path_factory.mktemp("cloud")),
        quota={"instances": -1, "cores": -1, "ram": -1},
        compute={"cpu_allocation_ratio": 1000.0, "ram_allocation_ratio": 1000.0},
    )
    yield cloud
    cloud.close()


def body(version: str = "2.1", **server: Any) -> dict[str, Any]:
    """The least that a version takes, with ``server`` on top; None takes a key away."""
    wanted: dict[str, Any] = {"name": "s", "imageRef": IMAGE_ID, "flavorRef": "42"}
    if tuple(map(int, version.split("."))) >= (2, 37):
        wanted["networks"] = "none"
    wanted |= server
    return {"server": {name: value for name, value in wanted.items() if value is not None}}


def refusal(answer: Any, code: int = 400) -> str:
    assert answer.status_code == code, answer.text
    (fault,) = answer.json.values()
    return fault["message"]


# -- formats: (key, a value, since, until) ----------------------------------------------------------------------------

DEVICE = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": IMAGE_ID}
SNAPSHOT = {"source_type": "snapshot", "destination_type": "volume"}
KEYS: list[tuple[str, Any, int, int]] = [
    ("adminPass", "secret", 1, 104),
    ("metadata", {"k": "v"}, 1, 104),
    ("OS-DCF:diskConfig", "AUTO", 1, 104),
    ("accessIPv4", "192.0.2.1", 1, 104),
    ("accessIPv6", "2001:db8::1", 1, 104),
    ("availability_zone", "nova", 1, 104),
    ("block_device_mapping_v2", [DEVICE], 1, 104),
    ("block_device_mapping", [], 1, 104),
    ("config_drive", "True", 1, 104),
    ("min_count", "1", 1, 104),
    ("max_count", 1, 1, 104),
    ("return_reservation_id", "yes", 1, 104),
    ("security_groups", [{"name": "default"}], 1, 104),
    ("user_data", "I2Nsb3Vk", 1, 104),
    ("personality", [], 1, 56),
    ("description", "a server", 19, 104),
    ("networks", [], 1, 104),
    ("networks", "auto", 37, 104),
    ("networks", "none", 37, 104),
    ("tags", ["a"], 52, 104),
    ("hostname", "web", 90, 104),
    ("hostname", "web.example.org", 94, 104),
]


@pytest.mark.parametrize(("key", "value", "since", "until"), KEYS, ids=lambda value: str(value)[:24])
def test_a_key_is_taken_from_its_version_to_its_last(
    shared: Cloud, key: str, value: Any, since: int, until: int
) -> None:
    for minor in (1, since, until):
        answer = shared("POST", "/servers", f"2.{minor}", json=body(f"2.{minor}", **{key: value}))
        if minor >= since:
            assert answer.status_code == 202, (minor, answer.text)
    if since > 1:
        message = refusal(shared("POST", "/servers", f"2.{since - 1}", json=body(f"2.{since - 1}", **{key: value})))
        assert key in message
    if until < 104:
        message = refusal(shared("POST", "/servers", f"2.{until + 1}", json=body(f"2.{until + 1}", **{key: value})))
        assert key in message


def test_certificates_of_images_cannot_be_trusted_here(shared: Cloud) -> None:
    answer = shared("POST", "/servers", "2.63", json=body("2.63", trusted_image_certificates=["cert"]))
    assert refusal(answer).startswith("Image signature certificate validation failed for certificate: cert.")
    wanted = body("2.63")
    wanted["server"]["trusted_image_certificates"] = None
    assert shared("POST", "/servers", "2.63", json=wanted).status_code == 202


@pytest.mark.parametrize(
    ("says", "asked", "becomes"),
    [
        (None, None, "MANUAL"),
        ("True", None, "AUTO"),
        ("True", "MANUAL", "MANUAL"),
        ("disabled", None, "MANUAL"),
        ("disabled", "MANUAL", "MANUAL"),
        ("disabled", "AUTO", None),
    ],
)
def test_an_image_says_how_its_disk_grows(
    cloud: Cloud, says: str | None, asked: str | None, becomes: str | None
) -> None:
    kernel = Path(cloud.compute.conf.state_path) / "kernel.bin"
    image = cloud.images.add("growing", kernel, "flat16", properties={"auto_disk_config": says} if says else {})
    try:
        answer = cloud("POST", "/servers", json=body(imageRef=image.id, **{"OS-DCF:diskConfig": asked}))
        if becomes is None:
            assert refusal(answer) == f"Requested image {image.id} has automatic disk resize disabled."
            return
        assert answer.json["server"]["OS-DCF:diskConfig"] == becomes
        change = {"server": {"OS-DCF:diskConfig": "AUTO"}}
        changed = cloud("PUT", f"/servers/{answer.json['server']['id']}", json=change)
        assert changed.status_code == (400 if says == "disabled" else 200)
    finally:
        cloud.images.remove(image.id)


def test_flavors_without_a_disk_can_be_kept_for_volumes(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"os_compute_api:servers:create:zero_disk_flavor": "rule:context_is_admin"\n')
    cloud = Cloud(tmp_path)
    try:
        flavor = cloud.compute.create_flavor(ADMINISTRATOR, name="diskless", vcpus=1, memory_mb=16, root_gb=0)
        wanted = body(flavorRef=flavor.flavorid)
        refused = refusal(cloud("POST", "/servers", json=wanted), 403)
        assert refused == "Only volume-backed servers are allowed for flavors with zero disk."
        assert cloud("POST", "/servers", token=ADMIN, json=wanted).status_code == 202
    finally:
        cloud.close()


@pytest.mark.parametrize("key", ["description", "tags", "hostname"])
def test_a_refusal_names_the_version_that_takes_the_key(shared: Cloud, key: str) -> None:
    value, since = next((value, since) for name, value, since, _ in KEYS if name == key)
    message = refusal(shared("POST", "/servers", "2.1", json=body(**{key: value})))
    assert f"2.{since}" in message


def test_host_and_hypervisor_hostname_need_2_74_and_an_administrator(shared: Cloud) -> None:
    for key in ("host", "hypervisor_hostname"):
        assert key in refusal(shared("POST", "/servers", "2.73", ADMIN, json=body("2.73", **{key: HOST})))
        assert shared("POST", "/servers", "2.74", ADMIN, json=body("2.74", **{key: HOST})).status_code == 202
        denied = refusal(shared("POST", "/servers", "2.74", json=body("2.74", **{key: HOST})), 403)
        assert "compute:servers:create:requested_destination" in denied
        missing = refusal(shared("POST", "/servers", "2.74", ADMIN, json=body("2.74", **{key: "elsewhere"})))
        assert missing == "Compute host elsewhere could not be found."


def test_a_tag_named_twice_is_one(shared: Cloud) -> None:
    made = shared("POST", "/servers", "2.52", json=body("2.52", tags=["b", "a", "b"])).json["server"]["id"]
    assert shared("GET", f"/servers/{made}/tags", "2.52").json["tags"] == ["a", "b"]


def test_device_tags_come_and_go_as_in_nova(shared: Cloud) -> None:
    """2.32 brought tags; those of devices were lost at 2.33, those of networks at 2.37; 2.42 restored both."""
    tagged_device = [DEVICE | {"tag": "root"}]
    tagged_network = [{"uuid": NETWORK, "tag": "nic"}]
    for minor in (31, 32, 33, 36, 37, 41, 42, 67):
        version = f"2.{minor}"
        device = shared("POST", "/servers", version, json=body(version, block_device_mapping_v2=tagged_device))
        assert (device.status_code == 202) == (minor == 32 or minor >= 42), version
        network = refusal(shared("POST", "/servers", version, json=body(version, networks=tagged_network)))
        assert ("could not be found" in network) == (32 <= minor < 37 or minor >= 42), version


def test_volume_type_needs_2_67(shared: Cloud) -> None:
    device = [DEVICE | {"volume_type": "fast"}]
    assert "2.67" in refusal(shared("POST", "/servers", "2.66", json=body("2.66", block_device_mapping_v2=device)))
    known = refusal(shared("POST", "/servers", "2.67", json=body("2.67", block_device_mapping_v2=device)))
    assert "Specifying a volume_type with destination_type=local is not supported." in known


def test_networks_must_be_given_from_2_37_on(shared: Cloud) -> None:
    assert shared("POST", "/servers", "2.36", json=body("2.36")).status_code == 202
    message = refusal(shared("POST", "/servers", "2.37", json=body("2.37", networks=None)))
    assert "networks" in message


@pytest.mark.parametrize("hints", ["os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"])
def test_hints_stand_beside_the_server_in_2_x_and_inside_in_3_x(shared: Cloud, hints: str) -> None:
    created = shared("POST", "/servers", "2.1", json=body() | {hints: {"query": "[]", "mine": 1}})
    server_id = created.json["server"]["id"]
    shown = shared("GET", f"/servers/{server_id}", "2.100").json["server"]
    assert shown["scheduler_hints"] == {"query": ["[]"], "mine": [1]}
    wrong = refusal(shared("POST", "/servers", "2.1", json=body() | {hints: {"group": "not-a-uuid"}}))
    assert "group" in wrong


def test_3_0_takes_plain_names_and_answers_with_an_operation(shared: Cloud) -> None:
    server = {
        "name": "plain",
        "image_ref": IMAGE_ID,
        "flavor_ref": "42",
        "networks": "none",
        "admin_password": "secret",
        "access_ip_v4": "192.0.2.1",
        "disk_config": "AUTO",
        "config_drive": True,
        "scheduler_hints": {"mine": ["1"]},
        "block_devices": [DEVICE],
        "tags": ["a"],
    }
    created = shared("POST", "/servers", "3.0", json={"server": server})
    assert created.status_code == 202
    assert set(created.json["server"]) == {"id", "links", "admin_password", "disk_config", "security_groups"}
    assert created.json["server"]["admin_password"] == "secret"
    path = created.headers["location"].partition("/v3")[2]
    operation = shared("GET", path, "3.0").json["operation"]
    assert operation["server_id"] == created.json["server"]["id"]
    assert (operation["action"], operation["state"]) == ("create", "pending")
    for alien in ("imageRef", "OS-DCF:diskConfig", "adminPass", "personality"):
        refused = shared("POST", "/servers", "3.0", json={"server": server | {alien: "x"}})
        assert refused.status_code == 400
        assert alien in refused.json["errors"][0]["detail"]


# -- the answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.1", "2.37", "2.104"])
def test_the_answer_shows_the_server_and_where_it_is(shared: Cloud, version: str) -> None:
    created = shared("POST", "/servers", version, json=body(version, adminPass="secret"))
    server = created.json["server"]
    assert set(server) == {"id", "links", "adminPass", "OS-DCF:diskConfig", "security_groups"}
    assert server["adminPass"] == "secret"
    assert server["OS-DCF:diskConfig"] == "AUTO"  # as the image says
    assert server["security_groups"] == [{"name": "default"}]
    assert created.headers["location"] == server["links"][0]["href"]
    assert shared("GET", created.headers["location"].partition("/v2.1")[2], version).status_code == 200


def test_a_password_is_made_unless_the_operator_hides_passwords(shared: Cloud, tmp_path: Path) -> None:
    first, second = (shared("POST", "/servers", json=body()).json["server"]["adminPass"] for _ in range(2))
    assert len(first) >= 12
    assert first != second
    silent = Cloud(tmp_path, api={"enable_instance_password": False})
    assert "adminPass" not in silent("POST", "/servers", json=body()).json["server"]
    silent.close()


def test_several_servers_share_a_reservation(cloud: Cloud) -> None:
    answer = cloud("POST", "/servers", json=body(name="web", min_count=2, max_count=3, return_reservation_id=True))
    assert answer.status_code == 202
    assert set(answer.json) == {"reservation_id"}
    listed = cloud("GET", f"/servers?reservation_id={answer.json['reservation_id']}&sort_key=display_name&sort_dir=asc")
    assert [server["name"] for server in listed.json["servers"]] == ["web-1", "web-2", "web-3"]
    assert refusal(cloud("POST", "/servers", json=body(min_count=3, max_count=2))) == "min_count must be <= max_count"


def test_quotas_bound_what_is_made(cloud: Cloud, tmp_path: Path) -> None:
    assert cloud("POST", "/servers", json=body(min_count=1, max_count=40)).status_code == 202
    assert len(cloud("GET", "/servers").json["servers"]) == 10
    assert "Quota exceeded" in refusal(cloud("POST", "/servers", json=body()), 403)
    assert cloud("POST", "/servers", token="u1:p2", json=body()).status_code == 202


def test_before_2_19_the_name_is_the_description(shared: Cloud) -> None:
    for version, description in (("2.18", "s"), ("2.19", None)):
        server_id = shared("POST", "/servers", version, json=body(version)).json["server"]["id"]
        assert shared("GET", f"/servers/{server_id}", "2.19").json["server"]["description"] == description


def test_a_flavor_may_be_a_number_or_a_link(shared: Cloud) -> None:
    for reference in (42, "http://example.org/v2.1/flavors/42"):
        assert shared("POST", "/servers", json=body(flavorRef=reference)).status_code == 202


def test_a_reader_may_not_create(shared: Cloud) -> None:
    assert "os_compute_api:servers:create" in refusal(shared("POST", "/servers", token=READER, json=body()), 403)


# -- what this host does not have -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ({"imageRef": None}, "Missing imageRef attribute"),
        ({"imageRef": ""}, "Missing imageRef attribute"),
        ({"imageRef": NETWORK}, "Can not find requested image"),
        ({"imageRef": PRIVATE_IMAGE_ID}, "Can not find requested image"),
        ({"imageRef": "halting"}, "imageRef"),
        ({"flavorRef": "none-such"}, "Flavor none-such could not be found."),
        ({"key_name": "none-such"}, "Invalid key_name provided."),
        ({"networks": [{"uuid": NETWORK}]}, f"Network {NETWORK} could not be found."),
        ({"networks": [{"port": NETWORK}]}, f"Port id {NETWORK} could not be found."),
        ({"networks": [{"port": NETWORK}, {"port": NETWORK}]}, "was specified twice"),
        ({"networks": [{"port": NETWORK, "fixed_ip": "192.0.2.1"}]}, "cannot be specified together"),
        ({"networks": [{}]}, "missing 'uuid'"),
        ({"networks": [{"uuid": NETWORK, "colour": "red"}]}, "colour"),
        ({"personality": [{"contents": "aGk="}]}, "Bad personality format: missing 'path' in personality[0]"),
        ({"personality": [{"path": "/etc/motd", "contents": "%%%"}]}, "content for /etc/motd cannot be decoded"),
        ({"block_device_mapping": [{"volume_id": NETWORK}]}, f"failed to get volume {NETWORK}."),
        ({"block_device_mapping": [{"snapshot_id": NETWORK}]}, f"failed to get snapshot {NETWORK}."),
        ({"block_device_mapping": [{"device_name": "vdb"}]}, "Unrecognized legacy format."),
        ({"block_device_mapping": [{"virtual_name": "ephemeral0", "volume_size": 1}]}, "Ephemeral disks requested"),
        ({"block_device_mapping": [{}], "block_device_mapping_v2": [{}]}, "different block_device_mapping syntaxes"),
        *(
            ({"block_device_mapping_v2": devices}, says)
            for devices, says in (
                ([DEVICE | {"uuid": None}], "uuid"),
                ([{"boot_index": 0, "uuid": IMAGE_ID}], "Some required fields are missing"),
                ([{"source_type": "image", "boot_index": 0}], "Missing device UUID."),
                ([{"source_type": "blank", "uuid": IMAGE_ID}], "Invalid device UUID."),
                ([DEVICE | {"source_type": "volume"}], "Mapping volume to local is not supported."),
                ([DEVICE, {"source_type": "volume", "uuid": NETWORK}], f"failed to get volume {NETWORK}."),
                ([DEVICE, {"source_type": "blank", "destination_type": "volume"}], "need to have non-zero size"),
                ([DEVICE | {"source_type": "snapshot"}], "Mapping snapshot to local is not supported."),
                ([DEVICE | SNAPSHOT], f"failed to get snapshot {IMAGE_ID}."),
                ([DEVICE | {"destination_type": "volume"}], "need to have a non-zero size"),
                ([DEVICE, DEVICE], "Boot sequence for the instance and image/block device mapping combination"),
                ([DEVICE | {"boot_index": -1}], "Mapping image to local is not supported."),
                ([DEVICE | {"boot_index": None}], "Mapping image to local is not supported."),
                ([{"source_type": "blank"}], "Boot sequence for the instance"),
                ([DEVICE, {"source_type": "blank", "boot_index": 2}], "Boot sequence for the instance"),
                ([{"source_type": "blank", "boot_index": 0}], "Boot sequence for the instance"),
                ([DEVICE | {"uuid": NETWORK}], "differ"),
                ([DEVICE | {"disk_bus": "floppy"}], "The provided disk bus floppy is not valid."),
                ([DEVICE | {"disk_bus": "scsi"}], "The provided disk bus scsi is not valid here"),
                ([DEVICE | {"device_type": "cdrom"}], "device_type cdrom is not valid here"),
                ([DEVICE, {"source_type": "blank", "guest_format": "ext4"}], "guest_format ext4 is not valid here"),
                ([DEVICE, {"source_type": "blank", "volume_size": 1}], "Ephemeral disks requested are larger"),
                ([DEVICE, {"source_type": "blank", "guest_format": "swap", "volume_size": 1}], "Swap drive requested"),
                ([DEVICE, *[{"source_type": "blank", "guest_format": "swap"}] * 2], "More than one swap drive"),
                ([DEVICE, *[{"source_type": "blank"}] * 3], "You specified more local devices than the limit allows"),
            )
        ),
        ({"availability_zone": "mars"}, "The requested availability zone is not available"),
        ({"user_data": "%%%"}, "User data needs to be valid base 64."),
        ({"min_count": 0}, "min_count"),
        ({"min_count": "two"}, "min_count"),
        ({"name": " padded "}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"metadata": {"k": 1}}, "metadata"),
        ({"metadata": {"": "v"}}, "metadata"),
        ({"OS-DCF:diskConfig": "Maybe"}, "OS-DCF:diskConfig"),
        ({"accessIPv4": "1.2.3"}, "accessIPv4"),
        ({"config_drive": "perhaps"}, "config_drive"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: str(value)[:32],
)
def test_what_cannot_be_done_is_refused_with_its_name(shared: Cloud, server: dict[str, Any], says: str) -> None:
    assert says in refusal(shared("POST", "/servers", json=body(**server)))


def test_a_local_disk_of_an_image_goes_with_imageref_alone(shared: Cloud) -> None:
    refused = refusal(shared("POST", "/servers", json=body(imageRef="", block_device_mapping_v2=[DEVICE])))
    assert "Mapping image to local is not supported." in refused


def test_naming_a_host_in_the_zone_is_for_administrators(shared: Cloud) -> None:
    for zone in (f"nova:{HOST}", f"nova:{HOST}:{HOST}", f"nova::{HOST}"):
        assert shared("POST", "/servers", token=ADMIN, json=body(availability_zone=zone)).status_code == 202
        denied = refusal(shared("POST", "/servers", json=body(availability_zone=zone)), 403)
        assert "os_compute_api:servers:create:forced_host" in denied
    too_many = refusal(shared("POST", "/servers", token=ADMIN, json=body(availability_zone="a:b:c:d")))
    assert "availability_zone" in too_many
    both = body("2.74", availability_zone=f"nova:{HOST}", host=HOST)
    assert "mutually exclusive" in refusal(shared("POST", "/servers", "2.74", ADMIN, json=both))


def test_networks_are_the_business_of_their_rule_but_none_is_not(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"os_compute_api:servers:create:attach_network": "rule:context_is_admin"\n')
    cloud = Cloud(tmp_path)
    assert cloud("POST", "/servers", "2.37", json=body("2.37", networks="none")).status_code == 202
    denied = refusal(cloud("POST", "/servers", "2.37", json=body("2.37", networks="auto")), 403)
    assert "create:attach_network" in denied
    cloud.close()


def test_one_hostname_is_not_for_many(shared: Cloud) -> None:
    message = refusal(shared("POST", "/servers", "2.90", json=body("2.90", hostname="web", min_count=2)))
    assert "hostname" in message


@pytest.mark.parametrize("document", [{}, {"server": None}, {"server": []}, {"server": {}}, {"servers": {}}, [], 1])
def test_a_body_of_another_shape_is_a_400(shared: Cloud, document: Any) -> None:
    for version in ("2.1", "2.104", "3.0"):
        answer = shared("POST", "/servers", version, json=document)
        assert answer.status_code == 400, answer.text
