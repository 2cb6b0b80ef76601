"""Everything that a server may learn about itself, read from the database in one go."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_config import cfg
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import networks as db_networks

_MAX_VENDOR_DATA = 1 << 20


class VendorDataError(Exception):
    """The operator's vendor data cannot be used; the message names the file."""


@dataclass(frozen=True)
class Facts:
    """``ports`` and ``disks`` in the guest's order; ``networks`` by id; ``domain`` goes after the host name, ""
    for none; ``vendor_data`` is the operator's."""

    instance: objects.Instance
    ports: list[objects.Port]
    networks: dict[str, objects.Network]
    disks: list[objects.BlockDevice] = field(default_factory=list)
    domain: str = ""
    vendor_data: dict[str, Any] = field(default_factory=dict)

    @property
    def hostname(self) -> str:
        """The host name with its domain, as Nova puts it."""
        name = self.instance.hostname
        return f"{name}.{self.domain}" if self.domain else name

    @property
    def user_data(self) -> bytes | None:
        text = self.instance.user_data
        return base64.b64decode(text) if text else None

    @property
    def addresses(self) -> list[str]:
        return [address for port in self.ports for address in port.fixed_ips]

    @property
    def security_groups(self) -> list[str]:
        return list(dict.fromkeys(name for port in self.ports for name in port.security_groups.values()))

    def contents(self) -> Iterator[tuple[str, str, bytes]]:
        """The files to put into the guest: (number of four digits, path, content)."""
        for number, file in enumerate(self.instance.injected_files):
            yield f"{number:04}", file["path"], base64.b64decode(file["contents"])


def load(connection: Connection, conf: cfg.ConfigOpts, instance: objects.Instance) -> Facts:
    """What ``instance`` may know. :raises VendorDataError: see there."""
    ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
    networks = {network.id: network for network in db_networks.list_(connection)}
    disks = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
    vendor_data = _vendor_data(conf.api.vendordata_jsonfile_path)
    return Facts(instance, ports, networks, disks, conf.api.dhcp_domain or "", vendor_data)


def _vendor_data(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MAX_VENDOR_DATA + 1)
        if len(text) > _MAX_VENDOR_DATA:
            raise VendorDataError(f"vendordata_jsonfile_path: {path} is larger than {_MAX_VENDOR_DATA} bytes")
        data = json.loads(text)
    except OSError as error:
        raise VendorDataError(f"vendordata_jsonfile_path: {path}: {error.strerror}") from error
    except ValueError as error:
        raise VendorDataError(f"vendordata_jsonfile_path: {path} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise VendorDataError(f"vendordata_jsonfile_path: {path} holds no JSON object")
    return data
