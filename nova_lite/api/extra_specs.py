"""Which extra specs of a flavor have a known meaning, and what values fit them (microversion 2.86).

The names and values are Nova's (its "Extra Specs" reference). A name without a namespace, or with one that nobody
knows, is free; a name in a known namespace must itself be known, which is what catches a typing error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from nova_lite import exceptions

_TRUE_OR_FALSE = frozenset({"1", "0", "t", "f", "true", "false", "on", "off", "y", "n", "yes", "no"})


def _any(value: str) -> str | None:
    return None


def _boolean(value: str) -> str | None:
    return None if value.strip().lower() in _TRUE_OR_FALSE else "is not a valid boolean-like value"


def _integer(minimum: int | None = None, maximum: int | None = None) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        if not re.fullmatch(r"\s*[-+]?[0-9]{1,30}\s*", value):
            return "is not a valid integer value"
        if minimum is not None and int(value) < minimum:
            return f"is less than the min value of '{minimum}'"
        if maximum is not None and int(value) > maximum:
            return f"is greater than the max value of '{maximum}'"
        return None

    return check


def _one_of(*values: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return None if value in values else f"is not one of: {', '.join(values)}"

    return check


def _pattern(pattern: str, example: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)

    def check(value: str) -> str | None:
        return None if compiled.fullmatch(value) else f"is not of the format '{example}'"

    return check


class _Spec(NamedTuple):
    name: re.Pattern[str]
    check: Callable[[str], str | None]


def _spec(name: str, check: Callable[[str], str | None]) -> _Spec:
    return _Spec(re.compile(name), check)


_cpu_set = _pattern(r"\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*", "0,2-3,^2")
_presence = _one_of("required", "forbidden")
_not_negative = _integer(minimum=0)
_positive = _integer(minimum=1)

_GROUP = r"[a-zA-Z0-9_-]{0,64}"  # resources1:, trait_net: and so on
_RESOURCE_CLASSES = (
    "VCPU|MEMORY_MB|DISK_GB|PCI_DEVICE|SRIOV_NET_VF|NUMA_SOCKET|NUMA_CORE|NUMA_THREAD|NUMA_MEMORY_MB|"
    "IPV4_ADDRESS|VGPU|VGPU_DISPLAY_HEAD|NET_BW_EGR_KILOBIT_PER_SEC|NET_BW_IGR_KILOBIT_PER_SEC|PCPU|"
    "MEM_ENCRYPTION_CONTEXT|FPGA|PGPU|NET_PACKET_RATE_KILOPACKET_PER_SEC|NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC|"
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC|CUSTOM_[A-Z0-9_]+"
)
_HOST_FACTS = (
    "id|uuid|service_id|host|vcpus|memory_mb|local_gb|vcpus_used|memory_mb_used|local_gb_used|hypervisor_type|"
    "hypervisor_version|hypervisor_hostname|free_ram_mb|free_disk_gb|current_workload|running_vms|"
    "disk_available_least|host_ip|mapped|cpu_allocation_ratio|ram_allocation_ratio|disk_allocation_ratio|"
    "total_usable_ram_mb|total_usable_disk_gb|disk_mb_used|free_disk_mb|vcpus_total|num_instances|num_io_ops|"
    "failed_builds|aggregates|cell_uuid|updated"
)
_HOST_DETAILS = (
    "cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|"
    "supported_instances|limits|instances"
)

_KNOWN = (
    _spec("hide_hypervisor_id|hw:hide_hypervisor_id", _boolean),
    _spec("group_policy", _one_of("isolate", "none")),
    _spec("accel:device_profile", _any),
    _spec("aggregate_instance_extra_specs:.+", _any),
    _spec(f"capabilities:({_HOST_FACTS})", _any),
    _spec(rf"capabilities:({_HOST_DETAILS})(:\w+)*", _any),
    _spec("hw:(cpu_realtime|locked_memory|boot_menu|vif_multiqueue_enabled|mem_encryption|pmu)", _boolean),
    _spec("hw:(virtio_packed_ring|ephemeral_encryption)", _boolean),
    _spec("hw:(cpu_realtime_mask|cpu_dedicated_mask)", _cpu_set),
    _spec("hw:cpu_policy", _one_of("dedicated", "shared", "mixed")),
    _spec("hw:cpu_thread_policy", _one_of("prefer", "isolate", "require")),
    _spec("hw:emulator_threads_policy", _one_of("isolate", "share")),
    _spec("hw:mem_page_size", _pattern(r"large|small|any|\d+([kKMGT]i?)?(b|bit|B)?", "large, small, any or 2MB")),
    _spec("hw:numa_nodes", _positive),
    _spec(r"hw:numa_cpus\.\d+", _cpu_set),
    _spec(r"hw:numa_mem\.\d+", _positive),
    _spec("hw:pci_numa_affinity_policy", _one_of("required", "preferred", "legacy", "socket")),
    _spec("hw:cpu_(max_)?(sockets|cores|threads)", _positive),
    _spec("hw:mem_encryption_model", _one_of("amd-sev", "amd-sev-es", "amd-sev-snp")),
    _spec("hw:pmem", _pattern(r"\w+(,\w+)*,?", "LABEL,LABEL")),
    _spec("hw:serial_port_count", _not_negative),
    _spec("hw:tpm_model", _one_of("tpm-tis", "tpm-crb")),
    _spec("hw:tpm_version", _one_of("1.2", "2.0")),
    _spec("hw:tpm_secret_security", _one_of("user", "host", "deployment")),
    _spec("hw:watchdog_action", _one_of("none", "pause", "poweroff", "reset", "disabled")),
    _spec("hw:viommu_model", _one_of("intel", "smmuv3", "virtio", "auto")),
    _spec("hw:(sound_model|usb_model)", _any),
    _spec("hw:redirected_usb_ports", _integer(minimum=0, maximum=15)),
    _spec("hw:ephemeral_encryption_format", _one_of("plain", "luks", "luksv2")),
    _spec("hw_rng:allowed", _boolean),
    _spec("hw_rng:(rate_bytes|rate_period)", _not_negative),
    _spec("hw_video:ram_max_mb", _not_negative),
    _spec("os:secure_boot", _one_of("disabled", "required")),
    _spec("pci_passthrough:alias", _pattern(r"[^:,]+:\d+(\s*,\s*[^:,]+:\d+)*", "alias:1,other:2")),
    _spec("quota:(cpu|memory|disk_io|vif)_(limit|shares_share)", _not_negative),
    _spec("quota:(cpu|memory|disk_io|vif)_reservation", _integer()),
    _spec("quota:(cpu|memory|disk_io|vif)_shares_level", _one_of("custom", "high", "normal", "low")),
    _spec("quota:(cpu_shares|cpu_period)", _not_negative),
    _spec("quota:cpu_quota", _integer()),
    _spec("quota:disk_(read|write|total)_(bytes|iops)_sec", _not_negative),
    _spec("quota:vif_(inbound|outbound)_(average|peak|burst)", _not_negative),
    _spec(f"resources{_GROUP}:({_RESOURCE_CLASSES})", _integer()),
    # Which traits a host has is for the host to say, so any well-formed name passes.
    _spec(f"trait{_GROUP}:[A-Z0-9_]+", _presence),
    _spec("vmware:(hw_version|storage_policy)", _any),
)
_NAMESPACES = re.compile(
    "accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|vmware|"
    f"resources{_GROUP}|trait{_GROUP}"
)


def validate(name: str, value: str) -> None:
    """Check one extra spec.

    :raises exceptions.Invalid: the value does not fit, or the name is unknown in a namespace that is known.
    """
    for spec in _KNOWN:
        if spec.name.fullmatch(name):
            fault = spec.check(value)
            if fault is not None:
                raise exceptions.Invalid(f"Validation failed; '{value}' {fault}. This is for extra spec '{name}'.")
            return
    namespace, colon, _ = name.partition(":")
    if colon and _NAMESPACES.fullmatch(namespace):
        raise exceptions.Invalid(f"Validation failed; extra spec '{name}' does not appear to be a valid extra spec.")
