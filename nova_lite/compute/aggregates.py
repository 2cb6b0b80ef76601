"""Host aggregates: groups of hosts with metadata, and the availability zones that some of them are.

A server never changes its zone because of an aggregate: what would move the zone of a host with servers on it is
refused (nova/compute/api.py, AggregateAPI).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import aggregates as db_aggregates
from nova_lite.db import hosts as db_hosts
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db.engine import Connection, Database
from nova_lite.objects.aggregate import ZONE


class AggregateVerbs:
    """/os-aggregates."""

    database: Database

    def list_aggregates(self, context: RequestContext) -> list[objects.Aggregate]:
        """Every aggregate, oldest first."""
        with self.database.read() as connection:
            return db_aggregates.list_(connection)

    def get_aggregate(self, context: RequestContext, aggregate_id: int | str) -> objects.Aggregate:
        """By number or by uuid. NotFound when there is none."""
        with self.database.read() as connection:
            return _get(connection, aggregate_id)

    def create_aggregate(
        self, context: RequestContext, name: str, availability_zone: str | None = None
    ) -> objects.Aggregate:
        """Without hosts. Conflict when the name is taken."""
        metadata = {ZONE: availability_zone} if availability_zone else {}
        try:
            with self.database.write() as connection:
                return _get(connection, db_aggregates.insert(connection, name, metadata))
        except sa.exc.IntegrityError as error:
            raise exceptions.Conflict(f"Aggregate {name} already exists.") from error

    def update_aggregate(
        self, context: RequestContext, aggregate_id: int, changes: Mapping[str, str | None]
    ) -> objects.Aggregate:
        """Change ``name`` or ``availability_zone``, whichever is given.

        Invalid for an empty zone, for one beside which a host is in another, and while servers are on a host whose
        zone would change. Conflict when the name is taken.
        """
        metadata = {name: value for name, value in changes.items() if name == ZONE}
        return self._change(aggregate_id, "Cannot update aggregate", changes.get("name"), metadata)

    def set_aggregate_metadata(
        self, context: RequestContext, aggregate_id: int, metadata: Mapping[str, str | None]
    ) -> objects.Aggregate:
        """Change metadata: a value None takes its key away, keys that are not named stay.

        Invalid as for ``update_aggregate`` when ``availability_zone`` is among them.
        """
        return self._change(aggregate_id, "Cannot update metadata of aggregate", None, metadata)

    def _change(
        self, aggregate_id: int, what: str, name: str | None, metadata: Mapping[str, str | None]
    ) -> objects.Aggregate:
        try:
            with self.database.write() as connection:
                self.database.lock(connection, "scheduling")
                aggregate = _get(connection, aggregate_id)
                if ZONE in metadata:
                    _check_zone(connection, aggregate, metadata[ZONE], aggregate.hosts, what)
                    if metadata[ZONE] != aggregate.availability_zone and _servers_on(connection, aggregate.hosts):
                        raise _refused(what, aggregate, "One or more hosts contain instances in this zone")
                merged = {**aggregate.metadata, **metadata}
                values: dict[str, Any] = {"metadata": {k: value for k, value in merged.items() if value is not None}}
                db_aggregates.update(connection, aggregate_id, values | ({"name": name} if name is not None else {}))
                return _get(connection, aggregate_id)
        except sa.exc.IntegrityError as error:
            raise exceptions.Conflict(f"Aggregate {name} already exists.") from error

    def delete_aggregate(self, context: RequestContext, aggregate_id: int) -> None:
        """Invalid while hosts are in it."""
        with self.database.write() as connection:
            self.database.lock(connection, "scheduling")
            aggregate = _get(connection, aggregate_id)
            if aggregate.hosts:
                raise _refused("Cannot remove host from aggregate", aggregate, "Host aggregate is not empty")
            db_aggregates.delete(connection, aggregate_id)

    def add_host_to_aggregate(self, context: RequestContext, aggregate_id: int, host: str) -> objects.Aggregate:
        """Put a host into it. NotFound for a host without a compute service.

        Conflict when it is in there already, in another zone, or has servers whose zone would change.
        """
        what = "Cannot add host to aggregate"
        with self.database.write() as connection:
            self.database.lock(connection, "scheduling")
            _check_host(connection, host)
            aggregate = _get(connection, aggregate_id)
            zone = aggregate.availability_zone
            try:
                if zone is not None:
                    _check_zone(connection, aggregate, zone, [host], what)
                    before = _zone_beside(connection, aggregate, host)
                    _check_move(connection, aggregate, host, before, zone, "added to")
            except exceptions.Invalid as error:
                raise exceptions.Conflict(str(error)) from error
            if host in aggregate.hosts:
                raise exceptions.Conflict(f"Aggregate {aggregate_id} already has host {host}.")
            db_aggregates.add_host(connection, aggregate_id, host)
            return _get(connection, aggregate_id)

    def remove_host_from_aggregate(self, context: RequestContext, aggregate_id: int, host: str) -> objects.Aggregate:
        """Take a host out of it. NotFound when it is not there, Conflict when its servers' zone would change."""
        with self.database.write() as connection:
            self.database.lock(connection, "scheduling")
            aggregate = next((each for each in db_aggregates.list_(connection) if each.id == aggregate_id), None)
            if aggregate is None or host not in aggregate.hosts:
                raise exceptions.NotFound(f"Cannot remove host {host} in aggregate {aggregate_id}")
            zone = aggregate.availability_zone
            try:
                if zone is not None:
                    left = _zone_beside(connection, aggregate, host)
                    _check_move(connection, aggregate, host, zone, left, "removed from")
            except exceptions.Invalid as error:
                raise exceptions.Conflict(str(error)) from error
            db_aggregates.remove_host(connection, aggregate_id, host)
            return _get(connection, aggregate_id)

    def cache_images(self, context: RequestContext, aggregate_id: int, image_ids: Iterable[str]) -> None:
        """Images are on their host from the beginning, so there is nothing to fetch. Invalid for one that is not there,
        NotFound when there is no such aggregate."""
        with self.database.read() as connection:
            _get(connection, aggregate_id)
            for image_id in image_ids:
                image = db_images.get(connection, image_id)
                if image is None or image.status == db_images.DELETED:
                    raise exceptions.Invalid(f"Image {image_id} could not be found.")


def _get(connection: Connection, aggregate_id: int | str) -> objects.Aggregate:
    for aggregate in db_aggregates.list_(connection):
        if aggregate_id in (aggregate.id, aggregate.uuid):
            return aggregate
    raise exceptions.NotFound(f"Aggregate {aggregate_id} could not be found.")


def _check_host(connection: Connection, host: str) -> None:
    services = db_hosts.list_services(connection, "", 0)
    if not any(service.host == host and service.binary == db_hosts.COMPUTE for service in services):
        raise exceptions.NotFound(f"Compute host {host} could not be found.")


def _servers_on(connection: Connection, hosts: Iterable[str]) -> int:
    return sum(db_instances.host_usage(connection, host)["instances"] for host in hosts)


def _zone_beside(connection: Connection, aggregate: objects.Aggregate, host: str) -> str | None:
    """The zone that other aggregates put a host into."""
    others = [each for each in db_aggregates.list_(connection) if each.id != aggregate.id and host in each.hosts]
    return next((each.availability_zone for each in others if each.availability_zone), None)


def _check_zone(
    connection: Connection, aggregate: objects.Aggregate, zone: str | None, hosts: Iterable[str], what: str
) -> None:
    """Invalid for an empty zone, or when another aggregate puts one of the hosts into another zone."""
    if not zone:
        reason = f"Aggregate {aggregate.name} does not support empty named availability zone"
        raise _refused(what, aggregate, reason)
    beside = {_zone_beside(connection, aggregate, host) for host in hosts}
    other = sorted(each for each in beside if each is not None and each != zone)
    if other:
        raise _refused(what, aggregate, f"One or more hosts already in availability zone(s) {other}")


def _check_move(
    connection: Connection, aggregate: objects.Aggregate, host: str, old: str | None, new: str | None, done: str
) -> None:
    """Invalid when servers on the host would move from one zone to another."""
    count = _servers_on(connection, [host])
    if count and old != new:
        what = "Cannot add host to aggregate" if done == "added to" else "Cannot remove host from aggregate"
        raise _refused(
            what,
            aggregate,
            f"The host cannot be {done} the aggregate as the availability zone of the host would change from '{old}' "
            f"to '{new}' but the host already has {count} instance(s)",
        )


def _refused(what: str, aggregate: objects.Aggregate, reason: str) -> exceptions.Invalid:
    return exceptions.Invalid(f"{what} {aggregate.id}. Reason: {reason}.")
