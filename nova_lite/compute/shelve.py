"""Shelving servers, as controllers see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import scheduling, snapshots, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import hosts as db_hosts
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations

#: "The request does not say", where None is a value.
UNSET: Any = object()


class ShelveVerbs(AcceptingVerbs):
    """The actions shelve, shelveOffload and unshelve."""

    conf: cfg.ConfigOpts

    def shelve(self, context: RequestContext, instance: objects.Instance, image_id: str | None = None) -> None:
        """Switch a server off, make an image of its root disk, and take it from its host: at once, later or never,
        as the option shelved_offload_time says. One whose root disk is a volume is taken from its host at once.

        :param image_id: which the image shall have; None makes one up.
        :raises Conflict: the server's state does not allow it, or it is locked.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.SHELVE, current)
            devices = db_block_devices.of_servers(connection, [current.uuid]).get(current.uuid, [])
            args: dict[str, Any] = {"offload": True}
            if not any(one.boot_index == 0 and one.volume_id is not None for one in devices):
                name = f"{current.display_name[:247]}-shelved"
                args["image_id"] = snapshots.insert_image(connection, current, name, {}, {}, image_id)
                args["offload"] = self.conf.compute.shelved_offload_time == 0
            self._journal(connection, context, current, states.SHELVE, args)
        self._poke(current.host)

    def shelve_offload(self, context: RequestContext, instance: objects.Instance) -> None:
        """Take a shelved server from its host. Conflict when it is not SHELVED, or locked."""
        self._accept(context, instance, states.SHELVE_OFFLOAD)

    def unshelve(
        self,
        context: RequestContext,
        instance: objects.Instance,
        availability_zone: str | None = UNSET,
        host: str | None = None,
    ) -> None:
        """Let a shelved server run again, on the host that has its image; ``availability_zone`` None unpins it.

        When that host has no room or was disabled, the operation fails and the server stays shelved.

        :raises Invalid: there is no such zone or host.
        :raises Conflict: the server's state does not allow it, or a zone or host is named for one that has a host yet.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.UNSHELVE, current)
            if (availability_zone is not UNSET or host) and current.vm_state != "shelved_offloaded":
                raise exceptions.Conflict(
                    f'Specifying an availability zone or a host when unshelving server "{current.uuid}" with status '
                    f'"{current.vm_state}" is not supported. The server status must be SHELVED_OFFLOADED.'
                )
            self._check_zone_and_host(connection, availability_zone, host)
            if availability_zone is not UNSET:
                pinned = {"pinned_availability_zone": availability_zone}
                db_instances.update(connection, current.uuid, pinned)
                current = replace(current, pinned_availability_zone=availability_zone)
            if current.vm_state == "shelved":
                self._journal(connection, context, current, states.UNSHELVE, {})
            else:
                current = self._place(connection, context, current, host)
        self._poke(current.host)

    def _check_zone_and_host(self, connection: Any, zone: str | None, host: str | None) -> None:
        if zone is not UNSET and zone and not scheduling.zone_is_available(connection, self.conf, zone):
            raise exceptions.Invalid("The requested availability zone is not available")
        if host and host not in {node.host for node in db_hosts.list_nodes(connection)}:
            raise exceptions.Invalid(f"Compute host {host} could not be found.")

    def _place(
        self, connection: Any, context: RequestContext, instance: objects.Instance, wished: str | None
    ) -> objects.Instance:
        """Give a server without a host the one that has its image, and journal the way back; or a failure."""
        there = instance.system_metadata.get(states.SHELVED_HOST, "")
        try:
            if wished not in (None, there):
                raise scheduling.NoValidHost
            scheduler = scheduling.Scheduler(connection, self.database, self.conf)
            host = scheduler.place(instance.flavor, there, zone=instance.pinned_availability_zone)
            placed = replace(instance, host=host, availability_zone=scheduler.zone_of(host))
        except scheduling.NoValidHost as error:
            operation = self._journal(
                connection, context, instance, states.UNSHELVE, {}, state="failed", message=str(error)
            )
            event = "conductor_unshelve_instance"
            db_operations.record_event(connection, operation, event, None, "Error", str(error))
            db_instances.update(connection, instance.uuid, {"task_state": None})
            return instance
        where = {"host": placed.host, "availability_zone": placed.availability_zone}
        db_instances.update(connection, instance.uuid, where)
        self._journal(connection, context, placed, states.UNSHELVE, {})
        return placed
