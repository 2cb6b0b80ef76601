"""This host's VMs as its files, locks and processes show them: no API, agent or database is needed. Only looks."""

from __future__ import annotations

from dataclasses import dataclass

from nova_lite.conf import Paths
from nova_lite.hv.vmm import client
from nova_lite.hv.vmm.api_socket import lock_holder

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
