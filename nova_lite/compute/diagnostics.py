"""Diagnostics of servers: what their VMs have used, and how; and the interrupt that makes a guest dump its memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.hv.driver import MachineInfo, PowerState
from nova_lite.hv.vmm import process
from nova_lite.network.layout import tap_name

#: Nova's names of power states in messages (nova/compute/power_state.py, STATE_MAP).
_POWER_STATES = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}


@dataclass(frozen=True)
class Card:
    """A network card; ``tap`` is its name on the host. Bytes and packets as its guest counts them."""

    tap: str
    mac_address: str
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnostics:
    """Of a running VM. ``cpus``: nanoseconds of each; ``uptime`` in seconds and ``memory_rss`` in bytes are None where
    they are unknown; ``disks``: counters by the guest's name."""

    uptime: int | None
    memory_rss: int | None
    cpus: list[int]
    disks: dict[str, dict[str, int]]
    cards: list[Card]


class DiagnosticsVerbs(AcceptingVerbs):
    """GET /servers/{id}/diagnostics, and the action trigger_crash_dump."""

    def diagnostics(self, context: RequestContext, instance: objects.Instance) -> Diagnostics:
        """What a server's VM has used since it was started.

        :raises Conflict: no VM runs.
        :raises Unavailable: the agent does not answer.
        """
        if not instance.host or instance.task_state == "scheduling":
            raise exceptions.Conflict(f"Instance {instance.uuid} is not ready")
        if instance.power_state != PowerState.RUNNING:
            state = _POWER_STATES.get(instance.power_state, "pending")
            raise exceptions.InstanceInvalidState(instance.uuid, "power state", state, "get_diagnostics")
        answer = self._ask_agent(instance, "Server.diagnostics", {"uuid": instance.uuid})
        counters: dict[str, dict[str, int]] = answer["counters"]
        with self.database.read() as connection:
            ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
        return Diagnostics(
            uptime=answer["uptime"],
            memory_rss=answer["memory_rss"],
            cpus=[counters[f"vcpu{n}"]["cpu_ns"] for n in range(instance.flavor.vcpus) if f"vcpu{n}" in counters],
            disks={name: of_one for name, of_one in counters.items() if "read_bytes" in of_one},
            cards=[Card(tap_name(p.id), p.mac_address, counters.get(tap_name(p.id), {})) for p in ports],
        )

    def trigger_crash_dump(self, context: RequestContext, instance: objects.Instance) -> None:
        """Send a non-maskable interrupt to every virtual CPU; what the guest does with it is its own affair.

        :raises Conflict: the server's state does not allow it, or it is locked.
        """
        self._accept(context, instance, states.TRIGGER_CRASH_DUMP)


def of_process(info: MachineInfo) -> dict[str, int | None]:
    """{"uptime" (seconds), "memory_rss" (bytes)} of a VM's process; None where it has none that can be looked at."""
    if not info.pid or process.start_time(info.pid) != info.start_time:
        return {"uptime": None, "memory_rss": None}
    ticks = os.sysconf("SC_CLK_TCK")
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME) - info.start_time / ticks
    try:
        with open(f"/proc/{info.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return {"uptime": int(uptime), "memory_rss": None}
    return {"uptime": int(uptime), "memory_rss": pages * os.sysconf("SC_PAGE_SIZE")}
