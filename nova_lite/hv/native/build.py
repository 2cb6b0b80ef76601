"""Builds the C extension ``nova_lite.hv.native._kvm``; called by setup.py (cffi_modules)."""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

HERE = "nova_lite/hv/native"  # setuptools wants paths from the project's root, with slashes
ROOT = Path(__file__).resolve().parents[3]

#: Knows no KVM: a fuzzer or a test can build and drive it alone.
DEVICE_CORE = (
    "bus.c",
    "cmos.c",
    "console.c",
    "console_log.c",
    "debug_console.c",
    "debug_port.c",
    "devices.c",
    "events.c",
    "i8042.c",
    "lz4.c",
    "memory.c",
    "port_console.c",
    "power.c",
    "pvpanic.c",
    "saved_state.c",
    "serial.c",
    "system_control.c",
    "panic_watch.c",
    "watchdog.c",
    "pci/hotplug.c",
    "pci/msix.c",
    "pci/pci_bus.c",
    "pci/pci_function.c",
    "virtio/balloon.c",
    "virtio/block.c",
    "virtio/block_file.c",
    "virtio/block_log.c",
    "virtio/block_overlay.c",
    "virtio/block_raw.c",
    "virtio/block_ring.c",
    "virtio/block_threads.c",
    "virtio/console.c",
    "virtio/device.c",
    "virtio/gate.c",
    "virtio/loop.c",
    "virtio/net.c",
    "virtio/net_receive.c",
    "virtio/pci_transport.c",
    "virtio/queue.c",
    "virtio/rate_limit_group.c",
    "virtio/rate_limiter.c",
    "virtio/rng.c",
    "virtio/set.c",
    "virtio/snapshot.c",
    "virtio/uring.c",
    "virtio/vsock.c",
    "virtio/vsock_streams.c",
)
KVM_PART = (
    "add_devices.c",
    "control.c",
    "cpu_snapshot.c",
    "cpu_state.c",
    "cpuid.c",
    "dump.c",
    "guest_ram.c",
    "hotplug.c",
    "disk_log.c",
    "inspect.c",
    "kvm.c",
    "kvm_virtio.c",
    "registers.c",
    "shared_heap.c",
    "snapshot.c",
    "topology.c",
    "vcpu.c",
)
COMPILE_ARGS = (
    "-std=gnu11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Werror=return-type",
    "-D_GNU_SOURCE",
    "-U_FORTIFY_SOURCE",
    "-D_FORTIFY_SOURCE=2",
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-fvisibility=hidden",
)
LINK_ARGS = ("-pthread", "-Wl,-z,relro,-z,now,-z,noexecstack")

ffibuilder = FFI()
# cffi reads declarations, not directives: all of the header but what only a compiler needs.
ffibuilder.cdef(
    "\n".join(
        line
        for line in (ROOT / HERE / "interface.h").read_text().splitlines()
        if not line.startswith(("#include", "#pragma"))
    )
)
ffibuilder.set_source(
    "nova_lite.hv.native._kvm",
    '#include "interface.h"',
    sources=[f"{HERE}/{name}" for name in DEVICE_CORE + KVM_PART],
    depends=[path.relative_to(ROOT).as_posix() for path in sorted((ROOT / HERE).rglob("*.h"))],
    include_dirs=[HERE],
    extra_compile_args=list(COMPILE_ARGS),
    extra_link_args=list(LINK_ARGS),
)
