"""A stock Debian cloud kernel on nova-lite-vmm and kvm-amd: boot to a shell, memory, SMP, every way to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kvm import post_mortem
from tests.kvm.vmm_process import MIB, Events, SerialClient, Vmm
from tests.nested import guest_initramfs, guest_kernel

BOX = {"memory": 4096}
MODULES = ("button", "evdev", "pvpanic-mmio")
PROMPT = "/ # "


class Guest:
    """A VMM with a machine that was just booted, its console and its events."""

    def __init__(self, vmm: Vmm, console: SerialClient, events: Events, began: float) -> None:
        self.vmm, self.console, self.events, self._began = vmm, console, events, began

    def reach_init(self, what: str) -> None:
        self.console.read_until("nl: init")
        print(f"{what}: power-on to init {time.monotonic() - self._began:.2f} s")
        self.console.read_until("nl: ready")

    def shell(self, command: str) -> str:
        """Run it in the guest's shell; what it said."""
        self.console.type(f"{command}; echo nl:$((40+2))\n")
        return self.console.read_until("nl:42")


Boot = Callable[..., Guest]


@pytest.fixture(scope="module")
def initramfs(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("guest") / "initramfs"
    path.write_bytes(guest_initramfs.contents(MODULES))
    return path


@pytest.fixture
def boot(tmp_path, initramfs) -> Iterator[Boot]:
    with ExitStack() as stack:

        def start(format: str, vcpus: int = 1, memory: int = 256 * MIB, words: str = "", **more: object) -> Guest:
            vmm = stack.enter_context(Vmm(tmp_path / "vmm.sock"))
            serial = tmp_path / "serial.sock"
            kernel = {"kernel": str(guest_kernel.kernel().vmlinuz), "format": format}
            vmm.put(
                "vm.create",
                {
                    "cpus": {"boot_vcpus": vcpus},
                    "memory": {"size": memory},
                    "payload": kernel
                    | {"initramfs": str(initramfs), "cmdline": f"console=ttyS0 quiet panic=0 {words}".rstrip()},
                    "serial": {"mode": "Socket", "socket": str(serial)},
                    "pvpanic": True,
                }
                | more,
            )
            events, began = vmm.events(), time.monotonic()
            vmm.put("vm.boot")
            console = SerialClient(serial, vmm)
            stack.callback(console.close)
            return Guest(vmm, console, events, began)

        yield start


def test_a_bzimage_boots_to_a_shell_and_powers_itself_off(boot):
    guest = boot("bzimage")
    guest.reach_init("bzImage, 1 vCPU, 256 MiB")
    guest.console.read_until(PROMPT)
    said = guest.shell("nproc; cat /sys/devices/system/clocksource/clocksource0/current_clocksource")
    assert "\n1\r" in said and "kvm-clock" in said
    said = guest.shell("cat /proc/interrupts; cat /sys/class/rtc/rtc0/name; grep PNP /sys/bus/acpi/devices/*/path -l")
    assert "ttyS0" in said and "ACPI:Ged" in said and "rtc_cmos" in said
    guest.console.type("poweroff -f\n")
    assert guest.events.until("shutdown")["initiator"] == "guest"
    assert guest.vmm.state() == "Shutdown"


def test_two_vcpus_and_memory_above_the_gap_by_the_pvh_entry(boot):
    guest = boot("pvh", vcpus=2, memory=4608 * MIB)
    guest.reach_init("PVH, 2 vCPUs, 4.5 GiB")
    guest.console.read_until(PROMPT)
    said = guest.shell("nproc; grep MemTotal /proc/meminfo; grep -c RAM /proc/iomem")
    assert "\n2\r" in said
    (total,) = (int(line.split()[1]) for line in said.splitlines() if line.startswith("MemTotal:"))
    assert total * 1024 > 4300 * MIB
    assert guest.shell("dmesg | grep -c 'ACPI Error'").splitlines()[-2] == "0"


def test_reboot_and_power_button_with_little_memory(boot):
    guest = boot("elf64", vcpus=2, memory=128 * MIB)
    guest.reach_init("vmlinux, 2 vCPUs, 128 MiB")
    guest.console.read_until(PROMPT)
    guest.console.type("reboot -f\n")
    assert guest.events.until("rebooted")["initiator"] == "guest"
    guest.console.read_until("nl: init")
    guest.console.read_until(PROMPT)
    guest.vmm.put("vm.power-button")
    guest.console.read_until("nl: power button")
    assert guest.events.until("shutdown")["initiator"] == "guest"
    refused = guest.vmm.refusal("PUT", "vm.power-button")
    assert refused.status == 405


def test_an_nmi_makes_the_kernel_panic_which_pvpanic_reports(boot):
    guest = boot("elf64", words="unknown_nmi_panic=1")
    guest.reach_init("vmlinux, 1 vCPU, 256 MiB")
    guest.console.read_until(PROMPT)
    guest.vmm.put("vm.nmi")
    guest.console.read_until("Kernel panic - not syncing: NMI")
    event = guest.events.until("crashed")
    assert event["initiator"] == "guest" and "panic" in event["detail"]
    info = guest.vmm.get("vm.info")
    assert (info["state"], info["crash"]["kind"]) == ("Crashed", "guest_panic")
    told = post_mortem.describe(guest.vmm.socket, guest.vmm.process.pid)
    assert "Kernel panic - not syncing: NMI" in told.partition("the guest's kernel log")[2]
    guest.vmm.put("vm.reboot")
    assert guest.vmm.state() == "Running"


def test_a_panic_before_pvpanics_driver_is_loaded_is_seen_too(boot, tmp_path):
    """No root: this kernel's pvpanic driver is a module, which nobody has loaded yet."""
    guest = boot("elf64", words="root=/dev/vda rdinit=/none")
    guest.console.read_until("Kernel panic - not syncing: VFS: Unable to mount root fs")
    event = guest.events.until("crashed")
    assert "its console says: VFS: Unable to mount root fs" in event["detail"]
    core = tmp_path / "core"
    guest.vmm.put("vm.coredump", {"destination_url": f"file://{core}"})
    with core.open("rb") as file:
        assert file.read(4) == b"\x7fELF"


def test_every_way_to_reboot_restarts_the_machine_and_words_on_the_console_do_not_end_it(boot):
    guest = boot("bzimage")
    for way in ("triple", "kbd", "acpi", "pci"):
        guest.reach_init(f"before reboot={way}")
        guest.console.read_until(PROMPT)
        assert way in guest.shell(f"echo {way} >/sys/kernel/reboot/type; cat /sys/kernel/reboot/type")
        guest.console.type("reboot -f\n")
        assert guest.events.until("rebooted")["initiator"] == "guest"
    guest.reach_init("after the last")
    guest.console.read_until(PROMPT)
    guest.shell("echo '---[ end Kernel panic - not syncing: a joke ]---'; sleep 5")
    assert guest.vmm.state() == "Running"
