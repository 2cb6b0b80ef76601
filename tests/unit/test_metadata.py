"""What servers are told about themselves: the OpenStack and EC2 trees, and that service and config drive agree."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute import networks
from nova_lite.metadata import documents, ec2, facts, openstack
from tests.unit.computing import HOST, IMAGE, Computing

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqE3KVi0VlXgKqEiBbkZ8Zw6DDdNvYoZ+2Ow0nVt4mE me@home"
USER_DATA = b"#cloud-config\npackages: [nginx]\n\xff"
FILES = [{"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}]


def facts_of(computing: Computing, server: objects.Instance) -> facts.Facts:
    with computing.database.read() as connection:
        return facts.load(connection, computing.conf, server)


def text(known: facts.Facts, path: str) -> str:
    found = documents.lookup(known, path)
    assert found is not None, path
    return found.body.decode()


def document(known: facts.Facts, path: str) -> Any:
    found = documents.lookup(known, path)
    assert found is not None and found.media_type == "application/json", path
    return json.loads(found.body)


@pytest.fixture
def full(computing: Computing) -> facts.Facts:
    """The facts of a server with everything."""
    networks.create_network(computing.database, HOST, "blue", "10.5.0.0/24", is_default=True)
    red = networks.create_network(computing.database, HOST, "red", "10.6.0.0/24", dns_servers=["192.0.2.53"])
    computing.api.create_keypair(computing.me, "u1", "mine", public_key=KEY)
    (blue,) = [n for n in networks_of(computing) if n.name == "blue"]
    made = computing.create(
        "Web Server",
        key_name="mine",
        user_data=base64.b64encode(USER_DATA).decode(),
        injected_files=FILES,
        metadata={"role": "web"},
        networks=[{"uuid": blue.id}, {"uuid": red.id, "tag": "back"}],
    )
    return facts_of(computing, computing.get(made))


def networks_of(computing: Computing) -> list[objects.Network]:
    with computing.database.read() as connection:
        return networks.db_networks.list_(connection)


def test_meta_data_says_what_the_api_shows(full: facts.Facts) -> None:
    found = document(full, "/openstack/latest/meta_data.json")
    assert len(base64.b64decode(found.pop("random_seed"))) == 512
    assert found == {
        "uuid": full.instance.uuid,
        "hostname": "web-server.novalocal",
        "name": "Web Server",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "p1",
        "meta": {"role": "web"},
        "files": [{"path": "/etc/motd", "content_path": "/content/0000"}],
        "public_keys": {"mine": KEY},
        "keys": [{"name": "mine", "type": "ssh", "data": KEY}],
        "devices": [
            {
                "type": "nic",
                "mac": full.ports[1].mac_address,
                "bus": "pci",
                "address": "none",
                "tags": ["back"],
                "vf_trusted": False,
            }
        ],
        "dedicated_cpus": [],
    }


@pytest.mark.parametrize(
    ("version", "gained", "listed"),
    [
        ("2012-08-10", {"uuid", "hostname", "name", "launch_index", "availability_zone"}, {"meta_data.json"}),
        ("2013-04-04", {"random_seed"}, {"password"}),
        ("2013-10-17", set(), {"vendor_data.json"}),
        ("2015-10-15", {"project_id"}, {"network_data.json"}),
        ("2016-06-30", {"devices"}, set()),
        ("2016-10-06", set(), {"vendor_data2.json"}),
        ("2020-10-14", {"dedicated_cpus"}, set()),
    ],
)
def test_versions_bring_what_novas_bring(computing: Computing, version: str, gained: set, listed: set) -> None:
    plain = facts_of(computing, computing.create())
    versions = [*openstack.VERSIONS]
    assert text(plain, "/openstack").split() == [*versions, "latest"]
    before = versions[versions.index(version) - 1] if version != versions[0] else None
    old_keys: set[str] = set(document(plain, f"/openstack/{before}/meta_data.json")) if before else set()
    old_names = set(text(plain, f"/openstack/{before}").split()) if before else set()
    assert set(document(plain, f"/openstack/{version}/meta_data.json")) - old_keys == gained
    assert set(text(plain, f"/openstack/{version}/").split()) - old_names == listed


def test_user_data_comes_back_byte_for_byte(full: facts.Facts) -> None:
    for path in ("/openstack/latest/user_data", "/latest/user-data", "/ec2/2009-04-04/user-data", "/1.0/user-data/"):
        found = documents.lookup(full, path)
        assert found is not None and found.body == USER_DATA
    assert "user_data" in text(full, "/openstack/2012-08-10").split()
    assert text(full, "/openstack/content/0000") == "hello"


def test_cards_are_told_with_their_dns(full: facts.Facts) -> None:
    found = document(full, "/openstack/latest/network_data.json")
    first, second = full.ports
    assert found["links"][0] == {
        "id": "nlt-" + first.id.replace("-", "")[:11],
        "vif_id": first.id,
        "type": "bridge",
        "mtu": None,
        "ethernet_mac_address": first.mac_address,
    }
    assert [network["type"] for network in found["networks"]] == ["ipv4_dhcp"] * 2
    assert [network["network_id"] for network in found["networks"]] == [first.network_id, second.network_id]
    assert [network["link"] for network in found["networks"]] == [link["id"] for link in found["links"]]
    assert [service["address"] for service in found["services"]] == ["10.5.0.1", "192.0.2.53"]


def test_ec2s_tree_is_walked_as_novas(full: facts.Facts) -> None:
    assert text(full, "/").split() == [*ec2.VERSIONS, "latest"] == text(full, "/ec2/").split()
    assert text(full, "/latest").split() == ["meta-data/", "user-data"]
    assert text(full, "/2009-04-04/meta-data/").split() == [
        *("ami-id", "ami-launch-index", "ami-manifest-path", "block-device-mapping/", "hostname", "instance-action"),
        *("instance-id", "instance-type", "local-hostname", "local-ipv4", "placement/", "public-hostname"),
        *("public-ipv4", "public-keys/", "reservation-id", "security-groups"),
    ]
    values = {
        "ami-id": f"ami-{IMAGE[:8]}",
        "ami-launch-index": "0",
        "block-device-mapping": "ami\nephemeral0\nroot\nswap",
        "block-device-mapping/root": "/dev/sda1",
        "hostname": "web-server.novalocal",
        "instance-id": f"i-{full.instance.id:08x}",
        "instance-type": "m1.pico",
        "local-ipv4": full.addresses[0],
        "placement/availability-zone": "nova",
        "public-keys": "0=mine",
        "public-keys/0": "openssh-key",
        "public-keys/0/openssh-key": KEY,
        "public-ipv4": "",
        "reservation-id": full.instance.reservation_id,
        "security-groups": "default",
    }
    assert {name: text(full, f"/latest/meta-data/{name}") for name in values} == values


@pytest.mark.parametrize(
    ("version", "gained"),
    [
        ("2007-01-19", {"local-hostname", "public-hostname", "public-ipv4"}),
        ("2007-08-29", {"instance-type"}),
        ("2007-12-15", {"block-device-mapping/"}),
        ("2008-02-01", {"placement/"}),
        ("2008-09-01", {"instance-action"}),
        ("2009-04-04", set()),
    ],
)
def test_ec2s_versions_bring_what_novas_bring(computing: Computing, version: str, gained: set) -> None:
    plain = facts_of(computing, computing.create())
    before = ec2.VERSIONS[ec2.VERSIONS.index(version) - 1]
    old = set(text(plain, f"/{before}/meta-data").split())
    assert set(text(plain, f"/{version}/meta-data").split()) - old == gained


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/openstack/2011-01-01", "/openstack/latest/nothing.json", "/openstack/content", "/2010-01-01"),
        *("/openstack/2012-08-10/network_data.json", "/openstack/latest/meta_data.json/uuid", "/openstack/content/1"),
        *("/latest/meta-data/hostname/x", "/latest/user-data", "/openstack/latest/user_data", "/latest/meta-data/nope"),
        *("/latest/meta-data/public-keys", "/latest/meta-data/security-groups/default", "/latest/api/token"),
    ],
)
def test_what_is_not_there_is_not_found(computing: Computing, path: str) -> None:
    assert documents.lookup(facts_of(computing, computing.create()), path) is None


def test_drive_and_service_say_the_same(full: facts.Facts) -> None:
    files = dict(documents.drive_files(full))
    served = {name: f"/{name}" for name in files if name.startswith("openstack/")}
    assert {"openstack/latest/user_data", "openstack/content/0000", "openstack/2015-10-15/network_data.json"} <= set(
        served
    )
    assert "openstack/latest/password" not in files
    for name, path in served.items():
        found = documents.lookup(full, path)
        assert found is not None
        if name.endswith("meta_data.json"):
            ours, theirs = json.loads(files[name]), json.loads(found.body)
            assert (ours.pop("random_seed", ""), theirs.pop("random_seed", "")) != (None, None)
            assert ours == theirs
        else:
            assert files[name] == found.body
    for version in ("2009-04-04", "latest"):
        assert files[f"ec2/{version}/user-data"] == USER_DATA
        tree = json.loads(files[f"ec2/{version}/meta-data.json"])
        assert tree["public-keys"] == {"0": {"openssh-key": KEY}}
        for name in set(tree) - {"public-keys", "block-device-mapping", "placement", "security-groups"}:
            assert text(full, f"/{version}/meta-data/{name}") == str(tree[name])
    assert not any(name.startswith("ec2/1.0") for name in files)


def test_disks_are_told_by_their_devices(computing: Computing) -> None:
    plain = facts_of(computing, computing.create())
    uuid = plain.instance.uuid
    rows = [
        objects.BlockDevice(uuid, "image", "local", 1 << 30, 0, "/dev/vda", image_id=IMAGE, tag="system"),
        objects.BlockDevice(uuid, "blank", "local", 1 << 30, device_name="/dev/vdb"),
        objects.BlockDevice(uuid, "blank", "local", 1 << 30, device_name="/dev/vdc", guest_format="swap"),
        objects.BlockDevice(uuid, "volume", "volume", 1 << 30, device_name="/dev/vdd"),
    ]
    known = replace(plain, instance=replace(plain.instance, root_device_name="/dev/vda"), disks=rows)
    names = text(known, "/latest/meta-data/block-device-mapping").split()
    told = {name: text(known, f"/latest/meta-data/block-device-mapping/{name}") for name in names}
    assert told == {"ami": "vda", "root": "/dev/vda", "ephemeral0": "/dev/vdb", "swap": "/dev/vdc", "ebs0": "/dev/vdd"}
    (tagged,) = document(known, "/openstack/latest/meta_data.json")["devices"]
    assert (tagged["type"], tagged["path"], tagged["tags"]) == ("disk", "/dev/vda", ["system"])
    assert tagged["serial"] == uuid.replace("-", "")[:20]


def test_a_server_without_cards_keys_or_data_is_told_so(computing: Computing) -> None:
    plain = facts_of(computing, computing.create(networks="none"))
    assert document(plain, "/openstack/latest/network_data.json") == {}
    assert document(plain, "/openstack/latest/vendor_data.json") == {}
    assert document(plain, "/openstack/latest/vendor_data2.json") == {"static": {}}
    assert text(plain, "/openstack/latest/password") == ""
    assert text(plain, "/latest/meta-data/local-ipv4") == ""


def test_the_key_is_that_of_the_boot_whatever_becomes_of_it(computing: Computing) -> None:
    computing.api.create_keypair(computing.me, "u1", "mine", public_key=KEY)
    made = computing.create(key_name="mine")
    computing.api.delete_keypair(computing.me, "u1", "mine")
    known = facts_of(computing, computing.get(made))
    assert text(known, "/latest/meta-data/public-keys/0/openssh-key") == KEY


def test_operators_choose_domain_and_vendor_data(computing: Computing, tmp_path: Any) -> None:
    file = tmp_path / "vendor.json"
    file.write_text('{"cloud-init": "#cloud-config"}')
    computing.conf.set_override("dhcp_domain", "", group="api")
    computing.conf.set_override("vendordata_jsonfile_path", str(file), group="api")
    known = facts_of(computing, computing.create("one"))
    assert text(known, "/latest/meta-data/hostname") == "one"
    assert document(known, "/openstack/latest/vendor_data.json") == {"cloud-init": "#cloud-config"}
    assert document(known, "/openstack/latest/vendor_data2.json") == {"static": {"cloud-init": "#cloud-config"}}
    for content, says in (("[]", "no JSON object"), ("{", "is no JSON"), (None, "No such file")):
        file.write_text(content) if content else file.unlink()
        with pytest.raises(facts.VendorDataError, match=f"vendordata_jsonfile_path: .*{says}"):
            facts_of(computing, known.instance)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (FILES * 6, "Personality file limit exceeded"),
        ([{"path": "/" + "x" * 255, "contents": ""}], "Personality file path exceeds maximum 255"),
        ([{"path": "/x", "contents": "A" * 10244}], "Personality file content exceeds maximum 10240"),
    ],
)
def test_files_have_novas_limits(computing: Computing, files: list[dict[str, str]], says: str) -> None:
    with pytest.raises(exceptions.OverQuota, match=says):
        computing.create(injected_files=files)


def test_drives_come_by_option_or_image_too(computing: Computing) -> None:
    assert not computing.create().config_drive
    image = computing.store.add(
        "driven", computing.paths.state / "good.bin", "flat16", properties={"img_config_drive": "mandatory"}
    )
    assert computing.create(image_ref=image.id).config_drive
    computing.conf.set_override("force_config_drive", True)
    assert computing.create().config_drive
