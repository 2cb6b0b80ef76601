"""Everything an answer can say about a server, as one flat dict; each version's schema picks what it shows.

Where versions write one fact in two ways, both are here: times with and without a zone (``launched_at``,
``launched_at_naive``), numbers and words (``power_state``, ``power_state_name``), null and empty (``access_ip_v4``,
``access_ip_v4_text``).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

from nova_lite import objects
from nova_lite.api import wsgi
from nova_lite.api.controllers import server_status
from nova_lite.api.times import naive, rfc3339

_POWER_STATES = {0: "no_state", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}
_HOST_STATUS = "os_compute_api:servers:show:host_status"


def links(req: wsgi.Request, path: str) -> list[dict[str, str]]:
    """The link to a resource in this request's API and the one that outlives versions."""
    return [{"rel": "self", "href": req.url(path)}, bookmark(req, path)]


def bookmark(req: wsgi.Request, path: str) -> dict[str, str]:
    return {"rel": "bookmark", "href": req.bookmark(path)}


@functools.lru_cache(maxsize=1024)
def host_id(host: str | None, project_id: str | None) -> str:
    """A name for a host that tells a project's own servers apart by host, and nothing else; '' without a host."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest() if host else ""


def instance_name(instance: objects.Instance) -> str:
    """The name of the server's machine on its host."""
    return f"instance-{instance.id:08x}"


class HostStatuses:
    """The state of servers' hosts, as far as this caller may see it. One query per request, at most."""

    def __init__(self, req: wsgi.Request, compute: Any) -> None:
        self._any = req.allowed(_HOST_STATUS)
        self._unknown = self._any or req.allowed(f"{_HOST_STATUS}:unknown-only")
        self._services: dict[str, objects.Service] = {}
        if self._unknown:
            services = compute.list_services(req.context, binary="nova-compute")
            self._services = {service.host: service for service in services}

    def of(self, instance: objects.Instance) -> dict[str, str]:
        """``{"host_status": ...}``, or nothing where the caller may not know."""
        if not self._unknown:
            return {}
        status = self._status(self._services.get(instance.host))
        return {"host_status": status} if self._any or status == "UNKNOWN" else {}

    @staticmethod
    def _status(service: objects.Service | None) -> str:
        if service is None:
            return ""
        if service.forced_down:
            return "DOWN"
        if service.disabled:
            return "MAINTENANCE"
        return "UP" if service.state == "up" else "UNKNOWN"


def brief(req: wsgi.Request, instance: objects.Instance) -> dict[str, Any]:
    """What a plain listing shows."""
    return {
        "id": instance.uuid,
        "name": instance.display_name,
        "links": links(req, f"/servers/{instance.uuid}"),
    }


def full(
    req: wsgi.Request,
    instance: objects.Instance,
    host_statuses: HostStatuses,
    ports: list[objects.Port],
    volumes: list[objects.BlockDevice],
    groups: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything about one server."""
    status = server_status.status_of(instance.vm_state, instance.task_state, instance.deleted)
    facts = brief(req, instance) | {
        "status": status,
        "vm_state": instance.vm_state,
        "task_state": instance.task_state,
        "power_state": instance.power_state,
        "power_state_name": _POWER_STATES.get(instance.power_state, "no_state"),
        "project_id": instance.project_id,
        "user_id": instance.user_id,
        "description": instance.display_description,
        "hostname": instance.hostname,
        "key_name": instance.key_name,
        "metadata": instance.metadata,
        "tags": instance.tags,
        "locked": instance.locked,
        "locked_reason": instance.locked_reason,
        "disk_config": instance.disk_config,
        "config_drive": instance.config_drive,
        "config_drive_text": "True" if instance.config_drive else "",
        "user_data": instance.user_data,
        "trusted_image_certificates": instance.trusted_image_certificates,
        "availability_zone": instance.availability_zone or "",
        "pinned_availability_zone": instance.pinned_availability_zone,
        "scheduler_hints": _listed(instance.scheduler_hints),
        "server_groups": groups,
        "reservation_id": instance.reservation_id,
        "launch_index": instance.launch_index,
        "kernel_id": instance.kernel_id,
        "ramdisk_id": instance.ramdisk_id,
        "root_device_name": instance.root_device_name,
        "volumes_attached": [
            {"id": volume.volume_id, "delete_on_termination": volume.delete_on_termination} for volume in volumes
        ],
    }
    facts |= _host(instance) | _addresses(instance, ports) | _image(req, instance) | _flavor(req, instance.flavor)
    facts |= _times(instance) | host_statuses.of(instance)
    if status in server_status.WITH_PROGRESS:
        facts["progress"] = instance.progress
    if status in server_status.WITH_FAULT and instance.fault is not None:
        facts |= _fault(req, instance.fault)
    return facts


def _listed(hints: dict[str, object]) -> dict[str, object]:
    """Hints as Nova keeps them: each a list of values."""
    return {name: value if isinstance(value, list) else [value] for name, value in hints.items()}


def _host(instance: objects.Instance) -> dict[str, Any]:
    return {
        "host": instance.host or None,
        "hypervisor_hostname": instance.host or None,
        "instance_name": instance_name(instance),
        "host_id": host_id(instance.host, instance.project_id),
    }


def addresses_of(ports: list[objects.Port]) -> dict[str, list[dict[str, Any]]]:
    """Addresses by the names of their networks: first those of the cards, then floating IPs."""
    addresses: dict[str, list[dict[str, Any]]] = {port.network_name: [] for port in ports}
    for kind in ("fixed", "floating"):
        for port in ports:
            floating = [address for led in port.floating_ips.values() for address in led]
            addresses[port.network_name].extend(
                {"version": 4, "addr": address, "type": kind, "mac_addr": port.mac_address}
                for address in (port.fixed_ips if kind == "fixed" else floating)
            )
    return addresses


def _addresses(instance: objects.Instance, ports: list[objects.Port]) -> dict[str, Any]:
    """A server without cards is in the default group as far as it goes; one whose cards have no group shows none."""
    addresses = addresses_of(ports)
    names = {"type": "OS-EXT-IPS:type", "mac_addr": "OS-EXT-IPS-MAC:mac_addr"}
    groups = dict.fromkeys(name for port in ports for name in port.security_groups.values())
    if not ports:
        groups = {"default": None}
    return {
        **({"security_groups": [{"name": name} for name in groups]} if groups else {}),
        "addresses": {
            network: [{names.get(key, key): value for key, value in item.items()} for item in items]
            for network, items in addresses.items()
        },
        "addresses_plain": addresses,
        "addresses_bare": {
            network: [{name: item[name] for name in ("version", "addr")} for item in items]
            for network, items in addresses.items()
        },
        "access_ip_v4": instance.access_ip_v4,
        "access_ip_v6": instance.access_ip_v6,
        "access_ip_v4_text": instance.access_ip_v4 or "",
        "access_ip_v6_text": instance.access_ip_v6 or "",
    }


def _image(req: wsgi.Request, instance: objects.Instance) -> dict[str, Any]:
    """An empty string in 2.x, nothing in 3.x, where the server boots from a volume."""
    if not instance.image_ref:
        return {"image": "", "image_2_98": ""}
    image = {"id": instance.image_ref, "links": [bookmark(req, f"/images/{instance.image_ref}")]}
    return {
        "image": image,
        "image_2_98": image | {"properties": instance.image_properties},
        "image_id": instance.image_ref,
        "image_links": image["links"],
        "image_properties": instance.image_properties,
    }


def _flavor(req: wsgi.Request, flavor: objects.Flavor) -> dict[str, Any]:
    return {
        "flavor_id": flavor.flavorid,
        "flavor_links": [bookmark(req, f"/flavors/{flavor.flavorid}")],
        "flavor_name": flavor.name,
        "flavor_vcpus": flavor.vcpus,
        "flavor_ram": flavor.memory_mb,
        "flavor_disk": flavor.root_gb,
        "flavor_ephemeral": flavor.ephemeral_gb,
        "flavor_swap": flavor.swap,
        "flavor_extra_specs": flavor.extra_specs,
    }


def _times(instance: objects.Instance) -> dict[str, Any]:
    return {
        "created_at": rfc3339(instance.created_at),
        "updated_at": rfc3339(instance.updated_at or instance.created_at),
        "launched_at": rfc3339(instance.launched_at),
        "launched_at_naive": naive(instance.launched_at),
        "terminated_at": rfc3339(instance.terminated_at),
        "terminated_at_naive": naive(instance.terminated_at),
    }


def _fault(req: wsgi.Request, fault: objects.Fault) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "fault_code": fault.code,
        "fault_message": fault.message,
        "fault_created_at": rfc3339(fault.created),
    }
    # The details of a 500 are a trace.
    if fault.details and (req.context.is_admin or fault.code != 500):
        facts["fault_details"] = fault.details
    return facts
