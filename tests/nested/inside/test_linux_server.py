"""Stock Linux through the whole service: kernel, initramfs and command line make a server, and so does a disk alone."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite import objects
from nova_lite.hv.kvm import KvmDriver
from nova_lite.volumes.store import VolumeStore
from tests import boot_disks, netns
from tests.nested import guest_initramfs, guest_kernel
from tests.unit.computing import Computing

#: Seconds for a boot under emulation, on a machine that does much else.
PATIENCE = 150.0
FLAVOR = "1"  # m1.tiny, 512 MiB


class Cloud:
    """The compute API and an agent with the kvm driver."""

    def __init__(self, state: Path, **options: dict[str, Any]) -> None:
        self.computing = Computing(state, None, **options)
        self.driver = KvmDriver(self.computing.paths)
        self.computing.start_agent(self.driver)
        self.api, self.me = self.computing.api, self.computing.me

    def boot(
        self,
        cmdline: str,
        modules: tuple[str, ...] | None = None,
        kernel_format: str | None = None,
        files: dict[str, bytes | Path] | None = None,
        **wanted: Any,
    ) -> objects.Instance:
        """A server of a new image, as soon as it is accepted. ``modules`` None: no initramfs, which may have
        ``files``."""
        initramfs = None
        if modules is not None:
            initramfs = self.computing.paths.state / "initrd.img"
            initramfs.write_bytes(guest_initramfs.contents(modules=modules, files=files))
        image = self.computing.store.add(
            "linux",
            guest_kernel.kernel().vmlinuz,
            kernel_format,
            initramfs=initramfs,
            cmdline=f"console=ttyS0 quiet {cmdline}",
        )
        return self.computing.create(image_ref=image.id, flavor_ref=FLAVOR, **wanted)

    def console(self, server: objects.Instance) -> str:
        now = self.computing.get(server)
        return "" if now.task_state == "scheduling" else self.api.console_output(self.me, now)

    def wait(
        self, server: objects.Instance, condition: Callable[[], bool], what: str, patience: float = PATIENCE
    ) -> None:
        deadline, hopeless = time.monotonic() + patience, False
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


def test_linux_gets_a_volume_and_an_image_of_its_server_boots(cloud: Cloud, tmp_path: Path) -> None:
    run = (
        "dd if=/dev/vda bs=512 skip=2048 count=1 2>/dev/null | grep marker && echo nl-found;"
        "printf marker | dd of=/dev/vda bs=512 seek=2048 conv=notrunc,fsync; echo nl-written;"
        "while [ ! -b /dev/vdb ]; do sleep 1; done; cat /sys/block/vdb/serial; echo;"
        "printf volume | dd of=/dev/vdb conv=notrunc,fsync; echo nl-volume;"
        "while [ -b /dev/vdb ]; do sleep 1; done; echo nl-gone"
    )
    disk, initramfs = tmp_path / "disk", tmp_path / "initrd.img"
    disk.write_bytes(b"\xeb".ljust(4 << 20, b"\0"))
    initramfs.write_bytes(guest_initramfs.contents(modules=("virtio_pci", "virtio_blk")))
    image = cloud.computing.store.add(
        "linux",
        guest_kernel.kernel().vmlinuz,
        initramfs=initramfs,
        disk=disk,
        disk_format="raw",
        cmdline=f"console=ttyS0 quiet {guest_initramfs.command_line(run, then='wait')}",
    )
    server = cloud.computing.create(image_ref=image.id, flavor_ref=FLAVOR)
    cloud.wait_for_console(server, "nl-written")
    server = cloud.wait_for_state(server, "active")
    snapshot = cloud.api.create_image(cloud.me, server, "snapshot")

    def there() -> bool:
        return cloud.api.get_image(cloud.me, snapshot).status == "active"

    cloud.wait(server, there, "there is an image of it")
    paths = cloud.computing.paths
    volumes = VolumeStore(cloud.computing.database, paths, cloud.computing.store, cloud.computing.conf.host)
    volume = volumes.create(1, project_id="p1").uuid
    cloud.api.attach_volume(cloud.me, cloud.wait_for_state(server, "active"), volume)
    cloud.wait_for_console(server, "nl-volume")
    assert volume[:20] in cloud.console(server)
    cloud.wait(server, lambda: volumes.get(volume).status == "in-use", "it has the volume")
    cloud.api.detach_volume(cloud.me, server, volume)
    cloud.wait_for_console(server, "nl-gone")
    cloud.wait(server, lambda: volumes.get(volume).status == "available", "it has given the volume back")
    with open(paths.volume(volume), "rb") as file:
        assert file.read(6) == b"volume"
    assert "nl-found" not in cloud.console(server).replace("echo nl-found", "")
    cloud.api.delete(cloud.me, server)
    cloud.wait_for_state(server, "deleted")
    copy = cloud.computing.create(image_ref=snapshot, flavor_ref=FLAVOR)
    cloud.wait_for_console(copy, "nl-written")
    assert "nl-found" in cloud.console(copy).replace("echo nl-found", "")


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqE3KVi0VlXgKqEiBbkZ8Zw6DDdNvYoZ+2Ow0nVt4mE me@home"
#: What udhcpc calls with what it was given.
_DHCP = b"""#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev eth0
ip route add default via "$router"
echo "$router" >/tmp/router
set -- $staticroutes
while [ $# -ge 2 ]; do ip route add "$1" via "$2"; shift 2; done
"""
#: Compares every document of the drive with the service's; what is random in one of them is no difference.
_COMPARE = b"""#!/bin/sh
cat /sys/class/dmi/id/product_name
ip link set eth0 up
udhcpc -i eth0 -q -n -t 30 -T 2 -O staticroutes -s /dhcp || exit 1
ip -4 addr show eth0
ping -c 1 -w 60 "$(cat /tmp/router)" || exit 1
mount -t iso9660 -o ro /dev/vda /mnt || exit 1
get() {
    printf 'GET %s HTTP/1.0\\r\\nHost: metadata\\r\\n\\r\\n' "$1" | nc 169.254.169.254 80 | sed '1,/^\\r*$/d'
}
until [ -n "$(get /)" ]; do sleep 1; done
for path in /mnt/openstack/latest/* /mnt/ec2/latest/user-data; do
    get "${path#/mnt}" >/tmp/told
    for file in "$path" /tmp/told; do sed 's/"random_seed":"[^"]*"//' "$file" | md5sum; done | sort -u >/tmp/sums
    [ "$(wc -l </tmp/sums)" = 1 ] || exit 1
    echo "same ${path##*/}"
done
cat /mnt/openstack/latest/user_data; echo
get /latest/meta-data/hostname; echo
get /latest/meta-data/public-keys/0/openssh-key; echo
echo nl: compared
"""


@contextlib.contextmanager
def networking(state: Path) -> Iterator[Cloud]:
    """A cloud whose servers have networks, in a namespace of its own, with the metadata service."""
    run_path = f"/run/nova-lite-test-{os.getpid()}"
    with netns.entered():
        made = Cloud(state, network={"enabled": True, "run_path": run_path})
        host = made.computing.conf.host
        environment = os.environ | {"OS_DEFAULT__STATE_PATH": str(state), "OS_DEFAULT__HOST": host}
        service = subprocess.Popen([sys.executable, "-m", "nova_lite.metadata.service"], env=environment)
        try:
            yield made
        finally:
            service.terminate()
            service.wait()
            made.close()


@pytest.fixture
def networked(tmp_path: Path) -> Iterator[Cloud]:
    with networking(tmp_path / "state") as made:
        yield made


def test_the_config_drive_and_the_metadata_service_say_the_same(networked: Cloud) -> None:
    networked.computing.api.create_keypair(networked.me, networked.me.user_id or "", "mine", public_key=KEY)
    server = networked.boot(
        guest_initramfs.command_line("/compare", then="wait"),
        ("virtio_pci", "virtio_blk", "virtio_net", "af_packet", "isofs"),
        files={"compare": _COMPARE, "dhcp": _DHCP},
        name="Web One",
        key_name="mine",
        user_data=base64.b64encode(b"my own data").decode(),
        config_drive=True,
    )
    networked.wait_for_state(server, "active")
    networked.wait_for_console(server, "nl: exit")
    said = networked.console(server).replace("\r", "")
    assert "nl: exit 0" in said and "nl: compared" in said, said
    names = ("meta_data.json", "network_data.json", "user_data", "user-data", "vendor_data.json", "vendor_data2.json")
    assert set(re.findall("same (.*)", said)) == set(names)
    (port,) = networked.computing.api.ports([server.uuid])[server.uuid]
    for text in (f"inet {port.fixed_ips[0]}/", "my own data", "web-one.novalocal", KEY, "OpenStack Nova"):
        assert text in said, said
