"""Availability zones: where servers can be, and what runs there."""

from __future__ import annotations

from typing import Any

from nova_lite import schemas
from nova_lite.api import times, validation, wsgi


class AvailabilityZonesController(wsgi.Controller):
    resource = "availability_zones"

    @wsgi.route(
        "GET",
        "/os-availability-zone",
        v3="/availability-zones",
        policy="os_compute_api:os-availability-zone:list",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.availability_zones.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List availability zones.

        A zone is available while a compute service in it is enabled.
        """
        return {"availability_zones": self.compute.availability_zones(req.context)}

    @wsgi.route(
        "GET",
        "/os-availability-zone/detail",
        v3="/availability-zones/detail",
        policy="os_compute_api:os-availability-zone:detail",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.availability_zones.detail)
    def detail(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List availability zones with their hosts.

        Each host comes with its services: ``active`` when enabled, ``available`` when its heartbeat is fresh. In
        major 2 an unavailable zone shows no hosts.
        """
        return {"availability_zones": [_view(zone) for zone in self.compute.availability_zones(req.context)]}


def _view(zone: dict[str, Any]) -> dict[str, Any]:
    hosts = zone["hosts"] or {}
    by_name = {
        host: {
            binary: service | {"updated_at": times.naive(service["updated_at"])} for binary, service in services.items()
        }
        for host, services in hosts.items()
    }
    as_list = [
        {
            "host": host,
            "services": [
                service | {"binary": binary, "updated_at": times.rfc3339(service["updated_at"])}
                for binary, service in services.items()
            ],
        }
        for host, services in hosts.items()
    ]
    return {
        "name": zone["name"],
        "available": zone["available"],
        "hosts": by_name if zone["available"] else None,
        "host_list": as_list,
    }
