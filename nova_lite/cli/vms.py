"""This host's VMs as its files, locks and processes show them: no API, agent or database is needed. Only looks."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from nova_lite import exceptions
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings
from nova_lite.db.tables import instances
from nova_lite.hv.vmm import client
from nova_lite.hv.vmm.api_socket import lock_holder
from nova_lite.paths import Paths

_ANSWER_WITHIN = 5.0  # seconds


@dataclass(frozen=True)
class HostVM:
    """``pid`` is None when no process runs it. ``state`` is the VMM's word: Running, Paused, Shutdown …, or Off."""

    uuid: str
    pid: int | None
    state: str
    memory_mb: int | None = None
    vcpus: int | None = None
    detail: str = ""


def find_vms(paths: Paths) -> list[HostVM]:
    """Every VM that has a folder here, running or not, by uuid."""
    if not paths.instances.is_dir():
        return []
    return [_look(paths, folder.name) for folder in sorted(paths.instances.iterdir()) if folder.is_dir()]


def running_vms(paths: Paths) -> list[HostVM]:
    return [vm for vm in find_vms(paths) if vm.pid is not None]


def server_names(settings: Settings) -> dict[str, str]:
    """Servers' names by uuid, as far as there is a database to ask."""
    try:
        with open_database(settings) as database, database.read() as connection:
            rows = connection.execute(sa.select(instances.c.uuid, instances.c.display_name))
            return {row.uuid: row.display_name for row in rows}
    except (exceptions.NotFound, exceptions.Unavailable):
        return {}


def find_vm(settings: Settings, which: str) -> HostVM:
    """The VM of that uuid, beginning of one, or server's name. NotFound unless it is exactly one."""
    vms, names = find_vms(settings.paths), server_names(settings)
    found = [vm for vm in vms if vm.uuid.startswith(which) or names.get(vm.uuid) == which]
    if len(found) != 1:
        what = f"{len(found)} VMs of this host are" if found else "No VM of this host is"
        raise exceptions.NotFound(f"{what} called {which!r}; `nova-lite vm list` shows them.")
    return found[0]


def _look(paths: Paths, uuid: str) -> HostVM:
    pid = lock_holder(paths.vmm_socket(uuid))
    if pid is None:
        return HostVM(uuid, None, "Off")
    try:
        document = client.request(paths.vmm_socket(uuid), "GET", "vm.info", timeout=_ANSWER_WITHIN)
    except client.VmmRefused as error:
        return HostVM(uuid, pid, "Starting", detail=str(error))  # the process is there, its VM not yet
    except client.VmmUnreachable as error:
        return HostVM(uuid, pid, "Silent", detail=str(error))
    config = document["config"]
    memory_mb, vcpus = config["memory"]["size"] >> 20, config["cpus"]["boot_vcpus"]
    return HostVM(uuid, pid, document["state"], memory_mb, vcpus, document.get("detail", ""))
