"""What POST /servers may ask for that this host does or does not have: images as disks, networks."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import urlsplit

from nova_lite import exceptions
from nova_lite.api import wsgi

_PASSWORD_LENGTH = 12
_PASSWORD_ALPHABET = string.ascii_letters + string.digits


class CreateParams(TypedDict, total=False):
    """What a caller can say about a new server, over all versions."""

    access_ip_v4: str
    access_ip_v6: str
    admin_password: str
    availability_zone: str
    block_device_mapping: list[dict[str, Any]]
    block_device_mapping_v2: list[dict[str, Any]]
    config_drive: bool
    description: str | None
    disk_config: str
    flavor_ref: str | int
    host: str
    hostname: str
    hypervisor_hostname: str
    image_ref: str
    key_name: str
    max_count: int
    metadata: dict[str, str]
    min_count: int
    name: str
    networks: list[dict[str, Any]] | str
    personality: list[dict[str, Any]]
    return_reservation_id: bool
    scheduler_hints: dict[str, Any]
    scheduler_hints_alias: dict[str, Any]
    security_groups: list[dict[str, Any]]
    tags: list[str]
    trusted_image_certificates: list[str] | None
    user_data: str


def image_of(params: CreateParams) -> str:
    """The image to boot; "" where the block devices are to say.

    :raises Invalid: neither does, or the block devices come in both forms.
    """
    image = params.get("image_ref") or ""
    legacy, devices = params.get("block_device_mapping"), params.get("block_device_mapping_v2")
    if legacy and devices:
        raise exceptions.Invalid(
            "Using different block_device_mapping syntaxes is not allowed in the same request."
        )
    if not (image or legacy or devices):
        raise exceptions.Invalid("Missing imageRef attribute")
    return image


def check_networks(req: wsgi.Request, networks: list[dict[str, Any]] | str | None) -> None:
    """Whether the list makes sense in itself, and the caller may ask for any; what is in it, compute looks for.

    :raises Invalid: naming what contradicts itself.
    """
    if not networks or networks == "none":
        return
    req.authorize("os_compute_api:servers:create:attach_network")
    if isinstance(networks, str):
        return
    ports = set()
    for network in networks:
        port = network.get("port")
        if port in ports:
            raise exceptions.Invalid(
                f"Port ID '{port}' was specified twice: you cannot attach a port multiple times."
            )
        if port and network.get("fixed_ip"):
            raise exceptions.Invalid(
                f"Specified Fixed IP '{network['fixed_ip']}' cannot be used with port '{port}': "
                "the two cannot be specified together."
            )
        if not port and "uuid" not in network:
            raise exceptions.Invalid("Bad network format: missing 'uuid'")
        ports.add(port or object())


def check_zone(req: wsgi.Request, compute: Any, availability_zone: str | None) -> None:
    """Whoever names a host or node in the zone's name must be allowed to."""
    _, host, node = compute.parse_availability_zone(availability_zone)
    if host or node:
        req.authorize("os_compute_api:servers:create:forced_host")


def flavor_of(flavor_ref: str | int) -> str:
    """A flavor's id, which may come as a number or as the last part of a link."""
    return urlsplit(str(flavor_ref)).path.rsplit("/", 1)[-1]


def password_of(params: Mapping[str, Any]) -> str:
    """The password asked for, or a new one."""
    given = params.get("admin_password")
    return given or "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_PASSWORD_LENGTH))
