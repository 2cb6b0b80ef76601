"""The OpenStack form of metadata: documents by version, as Nova serves them (nova/api/metadata/base.py)."""

from __future__ import annotations

import base64
import os
from typing import Any

import orjson

from nova_lite import objects
from nova_lite.metadata.facts import Facts
from nova_lite.network import layout

VERSIONS = (
    *("2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27"),
    *("2020-10-14", "2025-04-04"),
)
LATEST = "latest"
META_DATA, USER_DATA, PASSWORD = "meta_data.json", "user_data", "password"
VENDOR_DATA, VENDOR_DATA_2, NETWORK_DATA = "vendor_data.json", "vendor_data2.json", "network_data.json"
#: The documents of a version's listing, each with the first version that has it.
_SINCE = {
    META_DATA: "2012-08-10",
    USER_DATA: "2012-08-10",
    PASSWORD: "2013-04-04",
    VENDOR_DATA: "2013-10-17",
    NETWORK_DATA: "2015-10-15",
    VENDOR_DATA_2: "2016-10-06",
}
_RANDOM_SEED_BYTES = 512


def listing(facts: Facts, version: str) -> list[str]:
    """The documents of a version. KeyError for one that is not known."""
    version = _known(version)
    has_user_data = facts.user_data is not None
    return [name for name, since in _SINCE.items() if since <= version and (name != USER_DATA or has_user_data)]


def document(facts: Facts, version: str, name: str) -> bytes:
    """One document. KeyError when this version has none of that name."""
    version = _known(version)
    if name not in listing(facts, version):
        raise KeyError(name)
    if name == USER_DATA:
        return facts.user_data or b""
    if name == PASSWORD:  # what the guest has left here for its owner
        return facts.instance.system_metadata.get(PASSWORD, "").encode()
    return orjson.dumps(_JSON[name](facts, version))


def has_password(version: str) -> bool:
    """Whether a version has a place for a password."""
    try:
        return _SINCE[PASSWORD] <= _known(version)
    except KeyError:
        return False


def _known(version: str) -> str:
    version = VERSIONS[-1] if version == LATEST else version
    if version not in VERSIONS:
        raise KeyError(version)
    return version


def _meta_data(facts: Facts, version: str) -> dict[str, Any]:
    instance = facts.instance
    found: dict[str, Any] = {
        "uuid": instance.uuid,
        "hostname": facts.hostname,
        "name": instance.display_name,
        "launch_index": instance.launch_index,
        "availability_zone": instance.availability_zone,
    }
    if instance.metadata:
        found["meta"] = instance.metadata
    files = [{"path": path, "content_path": f"/content/{number}"} for number, path, _ in facts.contents()]
    if files:
        found["files"] = files
    if instance.keypair:
        name, key = instance.keypair["name"], instance.keypair["public_key"]
        found["public_keys"] = {name: key}
        found["keys"] = [{"name": name, "type": instance.keypair["type"], "data": key}]
    if version >= "2013-04-04":
        found["random_seed"] = base64.b64encode(os.urandom(_RANDOM_SEED_BYTES)).decode()
    if version >= "2015-10-15":
        found["project_id"] = instance.project_id
    if version >= "2016-06-30":
        found["devices"] = [_card(port, version) for port in facts.ports if port.tag]
        found["devices"] += [_disk(disk) for disk in facts.disks if disk.tag]
    if version >= "2020-10-14":
        found["dedicated_cpus"] = []
    return found


def _card(port: objects.Port, version: str) -> dict[str, Any]:
    """A tagged card. Its place on the PCI bus is the VMM's to choose."""
    trusted = {"vf_trusted": False} if version >= "2018-08-27" else {}
    return trusted | {"type": "nic", "mac": port.mac_address, "bus": "pci", "address": "none", "tags": [port.tag]}


def _disk(disk: objects.BlockDevice) -> dict[str, Any]:
    """A tagged disk, with the serial number that its guest sees."""
    found = {"type": "disk", "bus": "pci", "address": "none", "serial": disk.serial, "path": disk.device_name}
    return found | {"tags": [disk.tag]}


def _network_data(facts: Facts, version: str) -> dict[str, Any]:
    """Every card gets its address by DHCP, which also knows its MTU: so Nova says it."""
    if not facts.ports:
        return {}
    links, networks, services = [], [], []
    for number, port in enumerate(facts.ports):
        name = layout.TAP_PREFIX + layout.short(port.id)
        links.append(
            {"id": name, "vif_id": port.id, "type": "bridge", "mtu": None, "ethernet_mac_address": port.mac_address}
        )
        networks.append({"id": f"network{number}", "type": "ipv4_dhcp", "link": name, "network_id": port.network_id})
        network = facts.networks[port.network_id]
        for address in network.dns_servers or [network.gateway_ip]:
            service = {"type": "dns", "address": address}
            if service not in services:
                services.append(service)
    return {"links": links, "networks": networks, "services": services}


_JSON = {
    META_DATA: _meta_data,
    NETWORK_DATA: _network_data,
    VENDOR_DATA: lambda facts, _: facts.vendor_data,
    VENDOR_DATA_2: lambda facts, _: {"static": facts.vendor_data},
}
