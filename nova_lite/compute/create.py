"""Creating servers: what a request may ask for, the quotas, the host, and the rows that make it true."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import secrets
import string
import uuid as uuidlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import block_devices, quotas, scheduling, scheduling_hints, server_groups, states
from nova_lite.compute import networks as server_networks
from nova_lite.compute import volumes as server_volumes
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import flavors as db_flavors
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db import keypairs as db_keypairs
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.volumes.store import GIB, check_size

_LONGEST_LABEL = 63  # of a host name
_RESERVATION_ALPHABET = string.ascii_lowercase + string.digits


class CreateVerbs(AcceptingVerbs):
    """POST /servers."""

    conf: cfg.ConfigOpts

    def create(
        self,
        context: RequestContext,
        *,
        name: str,
        flavor_ref: str,
        image_ref: str | None,
        min_count: int = 1,
        max_count: int | None = None,
        description: str | None = None,
        metadata: dict[str, str] | None = None,
        tags: list[str] | None = None,
        key_name: str | None = None,
        user_data: str | None = None,
        injected_files: list[dict[str, str]] | None = None,
        config_drive: bool = False,
        availability_zone: str | None = None,
        hostname: str | None = None,
        access_ip_v4: str | None = None,
        access_ip_v6: str | None = None,
        disk_config: str | None = None,
        scheduler_hints: dict[str, Any] | None = None,
        trusted_image_certificates: list[str] | None = None,
        zero_disk_allowed: bool = True,
        host: str | None = None,
        hypervisor_hostname: str | None = None,
        networks: list[dict[str, Any]] | str | None = None,
        security_groups: list[str] | None = None,
        block_device_mapping: list[dict[str, Any]] | None = None,
        block_device_mapping_v2: list[dict[str, Any]] | None = None,
        admin_pass: str | None = None,
    ) -> list[objects.Instance]:
        """Accept ``min_count`` to ``max_count`` (default: ``min_count``) servers, as many as the quota allows.

        :param availability_zone: a zone, or Nova's ``zone:host`` form (see ``parse_availability_zone``).
        :param host: run on this host (so does ``hypervisor_hostname``).
        :param injected_files: {"path", "contents" (base64)} each: a file that the guest is given.
        :param networks: cards as a request lists them, "auto" or "none" (see ``networks.wishes``).
        :param zero_disk_allowed: whether a flavor without a disk of a size of its own may boot from an image.
        :param security_groups: names or ids for every card; the project's default one when None.
        :param block_device_mapping: disks as a request lists them in the old form, without the one of the image.
        :param block_device_mapping_v2: all disks as a request lists them (see ``block_devices.wishes``).
        :param admin_pass: accepted and not used: nothing in the guest could set it.
        :returns: the servers, building; in error with a fault where no host can take them.
        :raises Invalid: image, flavor, keypair, zone, host or user data cannot be used.
        :raises OverQuota: not even ``min_count`` fit, or there are too many metadata items or files.
        :raises Forbidden: only volumes may be booted with such a flavor.
        """
        max_count = min_count if max_count is None else max_count
        if min_count > max_count:
            raise exceptions.Invalid("min_count must be <= max_count")
        if hostname and max_count > 1:
            raise exceptions.Invalid("Unable to allocate a single hostname to multiple instances")
        zone, zone_host, zone_node = self.parse_availability_zone(availability_zone)
        forced = bool(zone_host or zone_node)
        if (host or hypervisor_hostname) and forced:
            raise exceptions.Invalid(
                "One mechanism with host and/or hypervisor_hostname and another mechanism "
                "with zone:host:node are mutually exclusive."
            )
        if zone is not None and not self._zone_is_available(zone):
            if not forced:
                raise exceptions.Invalid("The requested availability zone is not available")
            zone = None  # the host's own zone counts, whatever was said before its name
        hints = {name: value for name, value in (scheduler_hints or {}).items() if not name.startswith("_nova")}
        if trusted_image_certificates:
            raise exceptions.Invalid(
                f"Image signature certificate validation failed for certificate: {trusted_image_certificates[0]}. "
                "Certificates of images are not validated here."
            )
        metadata = dict(metadata or {})
        self._check_sizes(context, metadata, injected_files or [])
        check_texts(user_data, injected_files or [])
        wished_disks = block_devices.wishes(block_device_mapping_v2, block_device_mapping, image_ref or "")

        accepted_at = now()
        wanted = objects.Instance(
            uuid="",
            project_id=str(context.project_id),
            user_id=str(context.user_id),
            display_name=name,
            hostname=hostname or "",
            flavor=objects.Flavor("", "", 0, 0),
            image_ref="",
            host="",
            task_state=states.CREATE.task_state,
            created_at=accepted_at,
            updated_at=accepted_at,
            display_description=description,
            metadata=metadata,
            tags=sorted(set(tags or [])),
            key_name=key_name or None,
            availability_zone=self.conf.compute.default_availability_zone,
            pinned_availability_zone=zone,
            config_drive=config_drive or self.conf.force_config_drive,
            user_data=user_data,
            injected_files=list(injected_files or []),
            access_ip_v4=canonical_address(access_ip_v4),
            access_ip_v6=canonical_address(access_ip_v6),
            reservation_id="r-" + "".join(secrets.choice(_RESERVATION_ALPHABET) for _ in range(8)),
            scheduler_hints=hints,
        )
        with self.database.write() as connection:
            wanted.flavor = replace(_usable_flavor(connection, context, flavor_ref), id=0, projects=[])
            wished_disks = server_volumes.of_new_server(connection, context, wished_disks, max_count, image_ref)
            boot_image = server_volumes.boot_image(connection, wished_disks, image_ref or "")
            self.database.lock(connection, f"image:{boot_image}")  # it is not removed before this server holds on to it
            image = usable_image(connection, context, boot_image, wanted.flavor) if boot_image else objects.NO_IMAGE
            for disk in wished_disks:
                if disk.destination_type == "volume" and disk.source_type == "image" and disk.image_id is not None:
                    own = image if disk.image_id == image.id else None
                    own = own or usable_image(connection, context, disk.image_id, wanted.flavor)
                    if own.disk is None:
                        raise exceptions.Invalid(f"Image {own.id} has no disk that a volume could begin with.")
                    check_size(disk.size // GIB, own)
            if not wanted.flavor.root_gb and not zero_disk_allowed and not _boots_from_volume(wished_disks):
                raise exceptions.Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
            wanted.disk_config = disk_config_of(image.properties, image.id, disk_config)
            wanted.image_ref, wanted.image_properties = image_ref or "", dict(image.properties)
            disks = block_devices.of_server(
                wished_disks, wanted.flavor, image, self.conf.compute.max_local_block_devices
            )
            wanted.root_device_name = next((disk.device_name for disk in disks if disk.boot_index == 0), None)
            if image.properties.get("img_config_drive") == "mandatory":
                wanted.config_drive = True
            wanted.keypair = usable_keypair(connection, context, key_name) if key_name else None
            self.database.lock(connection, f"quota:{context.project_id}")
            count = quotas.fitting_count(
                connection, self.conf, wanted.project_id, wanted.flavor, min_count, max_count, wanted.user_id
            )
            wished_networks = server_networks.wishes(connection, context, networks, max_count)
            groups = []
            if wished_networks or security_groups:
                groups = server_networks.groups_of(self.database, connection, wanted.project_id, security_groups)
            group = server_groups.group_of_hint(connection, context, hints)
            demand = scheduling_hints.demand(connection, hints, group)
            scheduler = scheduling.Scheduler(connection, self.database, self.conf)
            try:
                if forced:
                    wished_host = scheduler.forced_host(zone_host, zone_node)
                else:
                    wished_host = scheduler.wished_host(host, hypervisor_hostname)
                hosts = [scheduler.place(wanted.flavor, wished_host, demand, forced, zone) for _ in range(count)]
            except scheduling.NoValidHost as error:  # all of them, or none
                hosts = [""] * count
                wanted.vm_state, wanted.task_state = "error", None
                wanted.fault = objects.Fault(500, str(error), accepted_at)
            instances = [
                _numbered(
                    replace(wanted, host=host_name, availability_zone=scheduler.zone_of(host_name)), index, count
                )
                for index, host_name in enumerate(hosts)
            ]
            for instance in instances:
                self._insert(connection, context, instance, wished_networks, groups, disks)
            if group is not None:
                limits = quotas.limits_of(connection, self.conf, wanted.project_id, wanted.user_id)
                server_groups.join(connection, group, instances, limits["server_group_members"])
        for host_name in {instance.host for instance in instances}:
            self._poke(host_name)
        return instances

    def _zone_is_available(self, zone: str) -> bool:
        with self.database.read() as connection:
            return scheduling.zone_is_available(connection, self.conf, zone)

    def _check_sizes(
        self, context: RequestContext, metadata: dict[str, str], injected_files: list[dict[str, str]]
    ) -> None:
        if metadata or injected_files:
            with self.database.read() as connection:
                limits = quotas.limits_of(connection, self.conf, str(context.project_id), context.user_id)
            quotas.check_injected_files(limits, injected_files)
            quotas.check_metadata_items(limits, len(metadata))

    def _insert(
        self,
        connection: Connection,
        context: RequestContext,
        instance: objects.Instance,
        wished_networks: list[server_networks.Wish],
        groups: list[str],
        disks: list[objects.BlockDevice],
    ) -> None:
        """Write one server and its journal row; in error at once when no host can take it or a network is full."""
        instance.id = db_instances.insert(connection, instance)
        reason = instance.fault.message if instance.fault else None
        if reason is None:
            server_volumes.take(connection, instance, [replace(disk) for disk in disks])
            try:
                server_networks.allot(self.database, connection, instance, wished_networks, groups)
            except server_networks.NoMoreFixedIps as error:
                reason = str(error)
                instance.vm_state, instance.task_state = "error", None
                columns = {"vm_state": "error", "task_state": None, **db_instances.fault_columns(500, reason)}
                db_instances.update(connection, instance.uuid, columns)
        operation_id = db_operations.insert(
            connection,
            {
                "uuid": str(uuidlib.uuid4()),
                "instance_uuid": instance.uuid,
                "action": states.CREATE.action,
                "host": instance.host,
                "state": "failed" if reason else "pending",
                "request_id": context.request_id,
                "user_id": context.user_id,
                "project_id": context.project_id,
                "message": reason,
                "args": {},
            },
        )
        if reason:
            event = "conductor_schedule_and_build_instances"
            db_operations.record_event(connection, operation_id, event, None, "Error", reason)

    def parse_availability_zone(self, value: str | None) -> tuple[str | None, str | None, str | None]:
        """Split Nova's ``zone:host:node`` into its parts, each None when absent. Invalid when there are more.

        A caller that names a host or node needs the policy ``create:forced_host``.
        """
        if not value:
            return None, None, None
        parts = value.split(":")
        if len(parts) > 3:
            raise exceptions.Invalid("Invalid input received: Unable to parse availability_zone")
        zone, host, node = (parts + ["", ""])[:3]
        return zone or None, host or None, node or None


def _numbered(instance: objects.Instance, index: int, count: int) -> objects.Instance:
    """The server with what sets it apart from the others of its request: uuid, index, names."""
    instance.uuid = str(uuidlib.uuid4())
    instance.launch_index = index
    suffix = f"-{index + 1}" if count > 1 else ""
    if not instance.hostname:
        stem = sanitize_hostname(instance.display_name)
        instance.hostname = stem[: _LONGEST_LABEL - len(suffix)] + suffix if stem else f"Server-{instance.uuid}"
    instance.display_name += suffix
    return instance


def _usable_flavor(connection: Connection, context: RequestContext, flavor_ref: str) -> objects.Flavor:
    flavor = db_flavors.get(connection, flavor_ref)
    if flavor is None or flavor.disabled or not flavor_visible(context, flavor):
        raise exceptions.Invalid(f"Flavor {flavor_ref} could not be found.")
    return flavor


def flavor_visible(context: RequestContext, flavor: objects.Flavor) -> bool:
    """Public flavors are everyone's; the others belong to administrators and the projects they were given to."""
    return flavor.is_public or bool(context.is_admin) or context.project_id in flavor.projects


def usable_keypair(connection: Connection, context: RequestContext, name: str) -> dict[str, str]:
    """A key of the caller's as it is now: the server keeps it whatever becomes of it."""
    keypair = db_keypairs.get(connection, str(context.user_id), name)
    if keypair is None:
        raise exceptions.Invalid("Invalid key_name provided.")
    return {"name": keypair.name, "type": keypair.type, "public_key": keypair.public_key}


def usable_image(
    connection: Connection, context: RequestContext, image_ref: str, flavor: objects.Flavor
) -> objects.Image:
    """An image that the caller may boot a server of that flavor of. Invalid when it cannot be."""
    image = db_images.get(connection, image_ref)
    visible = image is not None and image.seen_by(context.project_id, bool(context.is_admin))
    if image is None or image.status == db_images.DELETED or not visible:
        raise exceptions.Invalid("Can not find requested image")
    if image.status != "active":
        raise exceptions.Invalid(f"Image {image.id} is not active.")
    if image.min_ram > flavor.memory_mb:
        raise exceptions.Invalid("Flavor's memory is too small for requested image.")
    return image


def _boots_from_volume(disks: list[objects.BlockDevice]) -> bool:
    return any(disk.boot_index == 0 and disk.destination_type == "volume" for disk in disks)


def disk_config_of(properties: Mapping[str, str], image_id: str, wanted: str | None) -> str:
    """AUTO or MANUAL: what was asked for, else as the image says. Invalid for AUTO where the image forbids it."""
    says = properties.get("auto_disk_config", "").strip().lower()
    if says == "disabled" and wanted == "AUTO":
        raise exceptions.Invalid(f"Requested image {image_id} has automatic disk resize disabled.")
    return wanted or ("AUTO" if says in ("1", "t", "true", "on", "y", "yes") else "MANUAL")


def check_texts(user_data: str | None, files: list[dict[str, str]]) -> None:
    """Invalid for what is not base64; lines may be broken, as base64(1) does."""
    texts = [(user_data or "", "User data needs to be valid base 64.")]
    texts += [(f["contents"], f"Personality content for {f['path'][:255]} cannot be decoded") for f in files]
    for text, message in texts:
        try:
            base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise exceptions.Invalid(message) from error


def canonical_address(address: str | None) -> str | None:
    """As Nova shows it, whatever way of writing it was sent: `::babe` for `0:0:0:0:0:0:0:babe`."""
    return str(ipaddress.ip_address(address)) if address else None


def sanitize_hostname(name: str) -> str:
    """A host name (RFC 1123 label) made from a display name, as Nova makes it; "" when nothing of it is left."""
    latin = name.encode("latin-1", "ignore").decode("latin-1")[:_LONGEST_LABEL]
    dashed = re.sub(r"[ _.]", "-", latin)
    return re.sub(r"[^\w-]+", "", dashed, flags=re.ASCII).lower().strip("-")
