"""What this host offers: its KVM, processors, memory and disk, read from the kernel."""

from __future__ import annotations

import logging
import os
import platform
from pathlib import Path

import nova_lite
from nova_lite.hv.driver import Capabilities

LOG = logging.getLogger(__name__)

_KVM_MODULES = ("kvm_intel", "kvm_amd", "kvm_pvm")


def kvm_kind(modules: Path = Path("/sys/module"), device: Path = Path("/dev/kvm")) -> str:
    """kvm-intel, kvm-amd, kvm-pvm (no hardware virtualization: slow guests), or none."""
    if not os.access(device, os.R_OK | os.W_OK):
        return "none"
    for name in _KVM_MODULES:
        if (modules / name).is_dir():
            return name.replace("_", "-")
    return "none"


def capabilities(folder: Path) -> Capabilities:
    """The host's, with the disk that ``folder`` lies on."""
    disk = os.statvfs(folder)
    major, minor, patch = (int(part) for part in nova_lite.__version__.split(".")[:3])
    return Capabilities(
        hypervisor_type="KVM",
        hypervisor_version=major * 1_000_000 + minor * 1_000 + patch,
        kvm_kind=kvm_kind(),
        vcpus=os.cpu_count() or 1,
        memory_mb=_memory_mb(),
        local_gb=disk.f_blocks * disk.f_frsize >> 30,
        cpu_info=_cpu_info(),
    )


def _memory_mb() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


def _cpu_info() -> dict[str, object]:
    """The first processor of /proc/cpuinfo, in the form that Nova's os-hypervisors shows."""
    first = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0]
    lines = (line.partition(":") for line in first.splitlines())
    facts = {name.strip(): value.strip() for name, _, value in lines}
    siblings, cores = int(facts.get("siblings", 1)), int(facts.get("cpu cores", 1))
    cpus = os.cpu_count() or 1
    return {
        "arch": platform.machine(),
        "vendor": facts.get("vendor_id", ""),
        "model": facts.get("model name", ""),
        "features": sorted(facts.get("flags", "").split()),
        "topology": {
            "sockets": max(1, cpus // max(1, siblings)),
            "cores": cores,
            "threads": max(1, siblings // max(1, cores)),
        },
    }


def say_what_kvm(kind: str) -> None:
    """Log what an administrator should know of this host's KVM."""
    if kind == "none":
        LOG.error("/dev/kvm cannot be used here: no server can be started")
    elif kind == "kvm-pvm":
        LOG.warning(
            "This host's KVM is kvm-pvm, which has no hardware virtualization: guests are slow, and a server with an "
            "unmodified Linux ends in ERROR at the first instruction that KVM cannot emulate"
        )
    else:
        LOG.info("This host's KVM is %s", kind)
