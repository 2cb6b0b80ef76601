"""Stock Linux through the whole service: an image with kernel, initramfs and command line becomes a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_lite import objects
from nova_lite.hv.kvm import KvmDriver
from tests.nested import guest_initramfs, guest_kernel
from tests.unit.computing import Computing

#: Seconds for a boot under emulation, on a machine that does much else.
PATIENCE = 300.0
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
        deadline = time.monotonic() + PATIENCE
        while not condition():
            now = self.computing.get(server)
            said = f"{now.vm_state}, {now.fault}\n{self.driver.console_output(server.uuid, 4000).decode()}"
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


def test_linux_boots_reboots_and_stops_by_its_power_button(cloud: Cloud) -> None:
    server = cloud.boot(guest_initramfs.command_line(then="wait"), ("button", "evdev"))
    active = cloud.wait_for_state(server, "active")
    assert (active.power_state, active.fault) == (1, None)
    cloud.wait_for_console(server, "nl: init")
    cloud.wait_for_console(server, "nl: ready")
    cloud.api.reboot(cloud.me, cloud.computing.get(server), hard=False)
    cloud.wait_for_console(server, "nl: ready", times=2)
    assert cloud.console(server).count("nl: power button") == 1
    cloud.wait_for_state(server, "active")
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
