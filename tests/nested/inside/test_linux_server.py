"""Stock Linux through the whole service: kernel, initramfs and command line make a server, and so does a disk alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_lite import objects
from nova_lite.hv.kvm import KvmDriver
from tests import boot_disks
from tests.nested import guest_initramfs, guest_kernel
from tests.unit.computing import Computing

#: Seconds for a boot under emulation, on a machine that does much else.
PATIENCE = 150.0
FLAVOR = "1"  # m1.tiny, 512 MiB


class Cloud:
    """The compute API and an agent with the kvm driver."""

    def __init__(self, state: Path) -> None:
        self.computing = Computing(state, None)
        self.driver = KvmDriver(self.computing.paths)
        self.computing.start_agent(self.driver)
        self.api, self.me = self.computing.api, self.computing.me

    def boot(
        self,
        cmdline: str,
        modules: tuple[str, ...] | None = None,
        kernel_format: str | None = None,
    ) -> objects.Instance:
        """A server of a new image, as soon as it is accepted. ``modules`` None: without initramfs."""
        initramfs = None
        if modules is not None:
            initramfs = self.computing.paths.state / "initrd.img"
            initramfs.write_bytes(guest_initramfs.contents(modules=modules))
        image = self.computing.store.add(
            "linux",
            guest_kernel.kernel().vmlinuz,
            kernel_format,
            initramfs=initramfs,
            cmdline=f"console=ttyS0 quiet {cmdline}",
        )
        return self.computing.create(image_ref=image.id, flavor_ref=FLAVOR)

    def console(self, server: objects.Instance) -> str:
        now = self.computing.get(server)
        return "" if now.task_state == "scheduling" else self.api.console_output(self.me, now)

    def wait(self, server: objects.Instance, condition: Callable[[], bool], what: str) -> None:
        deadline, hopeless = time.monotonic() + PATIENCE, False
        while not condition():
            now = self.computing.get(server)
            said = f"{now.vm_state}, {now.fault}\n{self.driver.console_output(server.uuid, 4000).decode()}"
            if now.vm_state == "error" and not hopeless:
                hopeless, deadline = True, min(deadline, time.monotonic() + 20)  # more will hardly come
            assert time.monotonic() < deadline, f"waited in vain until {what}: {said}"
            time.sleep(0.1)

    def wait_for_state(self, server: objects.Instance, vm_state: str) -> objects.Instance:
        def there() -> bool:
            now = self.computing.get(server)
            return now.vm_state == vm_state and now.task_state is None

        self.wait(server, there, f"it is {vm_state}")
        return self.computing.get(server)

    def wait_for_console(self, server: objects.Instance, text: str, times: int = 1) -> None:
        self.wait(server, lambda: self.console(server).count(text) >= times, f"the console says {text!r}")

    def close(self) -> None:
        for machine in self.driver.list():
            self.driver.destroy(machine.uuid)
        self.computing.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path / "state")
    yield made
    made.close()


#: What the guest does from its root disk: it counts its boots there, uses its swap, and gives itself another command
#: line, as the upgrade of a kernel does. Then all is in its place: a boot loader replays no journal.
ON_DISK = """
echo boot >>/mnt/boots
swapon /dev/vdb
echo "root says: boot $(wc -l </mnt/boots), $(grep -o 'version=.' /proc/cmdline), swap $(grep -c vdb /proc/swaps)"
df -m /mnt | tail -n 1
sed -i s/version=1/version=2/ /mnt/boot/grub/grub.cfg
mount -o remount,ro /mnt && echo "root is at rest"
"""
GRUB_CFG = """
menuentry linux {
    linux /boot/vmlinuz console=ttyS0 quiet version=1 nl.run=/bin/from-disk nl.then=wait
    initrd /boot/initrd.img
}
"""


@pytest.mark.skipif(boot_disks.missing("ext4") is not None, reason=boot_disks.missing("ext4") or "")
def test_linux_boots_from_its_disk_reboots_into_what_that_says_and_stops_by_its_power_button(
    cloud: Cloud, tmp_path: Path
) -> None:
    modules, start = ("virtio_pci", "virtio_blk", "button", "evdev"), b"#!/bin/sh\nmount /dev/vda /mnt && sh /mnt/run\n"
    files = {
        "boot/vmlinuz": guest_kernel.kernel().vmlinuz.read_bytes(),
        "boot/initrd.img": guest_initramfs.contents(modules, {"bin/from-disk": start}),
        "boot/grub/grub.cfg": GRUB_CFG,
        "run": ON_DISK,
    }
    disk = boot_disks.filesystem("ext4", tmp_path / "disk.raw", files, mib=96)
    image = cloud.computing.store.add("linux", None, disk=disk, disk_format="raw")
    flavor = {"flavorid": "disks", "vcpus": 1, "memory_mb": 512, "root_gb": 1, "swap": 64}
    cloud.api.create_flavor(cloud.computing.admin, name="disks", **flavor)
    server = cloud.computing.create(image_ref=image.id, flavor_ref="disks")
    active = cloud.wait_for_state(server, "active")
    assert (active.power_state, active.fault, active.root_device_name) == (1, None, "/dev/vda")
    cloud.wait_for_console(server, "root says: boot 1, version=1, swap 1")
    cloud.wait_for_console(server, "nl: exit 0")
    cloud.api.reboot(cloud.me, cloud.computing.get(server), hard=False)
    cloud.wait_for_console(server, "root says: boot 2, version=2, swap 1")
    assert cloud.console(server).count("nl: power button") == 1
    cloud.wait_for_state(server, "active")
    cloud.wait_for_console(server, "nl: exit 0", times=2)
    cloud.api.stop(cloud.me, cloud.computing.get(server))
    stopped = cloud.wait_for_state(server, "stopped")
    assert (stopped.power_state, stopped.fault) == (4, None)
    assert cloud.console(server).count("nl: power button") == 2


def test_a_kernel_panic_is_the_servers_fault(cloud: Cloud) -> None:
    server = cloud.boot(guest_initramfs.command_line(then="panic"), ("pvpanic-mmio",), "elf64")
    cloud.wait_for_console(server, "Kernel panic - not syncing")
    crashed = cloud.wait_for_state(server, "error")
    assert crashed.power_state == 6
    assert crashed.fault is not None
    assert crashed.fault.message.startswith("The guest crashed: the guest kernel panicked")
    assert "console output" in crashed.fault.message
    cloud.api.stop(cloud.me, crashed)
    cloud.wait_for_state(server, "stopped")


def test_a_missing_root_is_the_servers_fault(cloud: Cloud) -> None:
    """The kernel panics before it has a driver for pvpanic: its console tells."""
    server = cloud.boot("root=/dev/vda1", kernel_format="elf64")
    cloud.wait_for_console(server, "Unable to mount root fs")
    crashed = cloud.wait_for_state(server, "error")
    assert crashed.fault is not None
    assert "its console says: VFS: Unable to mount root fs" in crashed.fault.message
    cloud.api.delete(cloud.me, crashed)
    cloud.wait_for_state(server, "deleted")
