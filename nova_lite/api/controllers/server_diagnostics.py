"""Diagnostics of a server: what its VM has used; until 2.47 as Nova's libvirt driver wrote it, then in one form."""

from __future__ import annotations

from typing import Any

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute.diagnostics import Card, Diagnostics

_PATH, _POLICY = "/servers/{server_id}/diagnostics", "os_compute_api:os-server-diagnostics"
_KIB, _MIB = 1 << 10, 1 << 20


class ServerDiagnosticsController(wsgi.Controller):
    resource = "server_diagnostics"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _PATH, policy=_POLICY)
    @wsgi.version(base="2.1", max="2.47")
    @wsgi.response(200)
    @wsgi.expected_errors(404, 409, 503)
    @validation.schema(schemas.server_diagnostics.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        return {"diagnostics": _flat(self.compute.diagnostics(req.context, obj), obj)}

    @wsgi.route("GET", _PATH)
    @wsgi.version(base="2.48")
    @wsgi.response(200, version="2.48")
    @wsgi.expected_errors(404, 409, 503)
    @validation.schema(schemas.server_diagnostics.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """Show what a running server's VM has used since it was started.

        Until 2.47 a plain dictionary with the names of Nova's libvirt driver: nanoseconds of each CPU, KiB of memory,
        bytes and requests of each disk, bytes and packets of each card. From 2.48 on nanoseconds, MiB, bytes and
        seconds in a fixed form; what is not measured is null. ``driver`` is ``libvirt`` in 2.x, where clients know a
        closed list of drivers, this one's own name in 3.x. 409 for a server that does not run.
        """
        found = self.compute.diagnostics(req.context, obj)
        driver = self.compute.conf.compute.driver
        return {
            "state": "running",
            "driver": driver if req.version >= (3, 0) else "libvirt",
            "hypervisor": driver,
            "hypervisor_os": "linux",
            "uptime": found.uptime,
            "config_drive": obj.config_drive,
            "num_cpus": obj.flavor.vcpus,
            "num_nics": len(found.cards),
            "num_disks": len(found.disks),
            "cpu_details": [{"id": n, "time": ns, "utilisation": None} for n, ns in enumerate(found.cpus)],
            "disk_details": [
                {
                    "read_bytes": disk["read_bytes"],
                    "read_requests": disk.get("read_ops"),
                    "write_bytes": disk.get("write_bytes"),
                    "write_requests": disk.get("write_ops"),
                    "errors_count": disk.get("errors"),
                }
                for disk in found.disks.values()
            ],
            "nic_details": [_card(card) for card in found.cards],
            "maximum_memory": obj.flavor.memory_mb,
            "used_memory": None if found.memory_rss is None else found.memory_rss // _MIB,
        }


def _card(card: Card) -> dict[str, Any]:
    counted = card.counters
    details: dict[str, Any] = {"mac_address": card.mac_address}
    for way in ("rx", "tx"):
        details |= {
            f"{way}_octets": counted.get(f"{way}_bytes"),
            f"{way}_packets": counted.get(f"{way}_frames"),
            f"{way}_drop": counted.get(f"{way}_dropped"),
            f"{way}_errors": 0 if counted else None,
            f"{way}_rate": None,
        }
    return details


def _flat(found: Diagnostics, server: objects.Instance) -> dict[str, int]:
    memory = server.flavor.memory_mb * _KIB
    flat = {f"cpu{number}_time": ns for number, ns in enumerate(found.cpus)}
    flat |= {"memory": memory, "memory-actual": memory}
    if found.memory_rss is not None:
        flat["memory-rss"] = found.memory_rss // _KIB
    for name, disk in found.disks.items():
        flat |= {
            f"{name}_read": disk["read_bytes"],
            f"{name}_read_req": disk.get("read_ops", 0),
            f"{name}_write": disk.get("write_bytes", 0),
            f"{name}_write_req": disk.get("write_ops", 0),
            f"{name}_errors": disk.get("errors", -1),
        }
    for card in found.cards:
        for way in ("rx", "tx"):
            flat |= {
                f"{card.tap}_{way}": card.counters.get(f"{way}_bytes", 0),
                f"{card.tap}_{way}_packets": card.counters.get(f"{way}_frames", 0),
                f"{card.tap}_{way}_drop": card.counters.get(f"{way}_dropped", 0),
                f"{card.tap}_{way}_errors": 0,
            }
    return flat
