"""The virtio console and the watchdog, driven by Debian's own drivers through VmConfig."""

from __future__ import annotations

import time
from pathlib import Path

from tests.kvm.vmm_process import MIB, SerialClient, Vmm
from tests.nested import guest_initramfs, guest_kernel


def config(folder: Path, modules: tuple[str, ...], cmdline: str, **more: object) -> dict[str, object]:
    initramfs = folder / "initramfs"
    initramfs.write_bytes(guest_initramfs.contents(modules))
    kernel = {"kernel": str(guest_kernel.kernel().vmlinuz), "format": "elf64", "initramfs": str(initramfs)}
    return {"memory": {"size": 256 * MIB}, "payload": kernel | {"cmdline": f"quiet panic=-1 {cmdline}"}} | more


def test_a_shell_on_hvc0(tmp_path):
    run = "sh -i </dev/hvc0 >/dev/hvc0 2>&1"
    line = f"console=ttyS0 {guest_initramfs.command_line(run)}"
    far_end = tmp_path / "console.sock"
    with Vmm(tmp_path / "vmm.sock") as vmm:
        modules = ("virtio_pci", "virtio_console")
        console = {"mode": "Socket", "socket": str(far_end)}
        vmm.put("vm.create", config(tmp_path, modules, line, console=console))
        vmm.put("vm.boot")
        client = SerialClient(far_end)
        client.read_until("# ")  # what is typed before somebody has opened hvc0 is lost, as on any terminal
        client.type("echo nl:$((40+2))\n")
        client.read_until("nl:42")
        # As lines come, two writes for each, and in blocks; Linux waits for every write to be taken.
        for command, last in (("seq 1 2000", 2000), ("stty -opost; seq 1 20000 | cat; stty opost", 20000)):
            client.type(f"{command}; echo nl:$((50+1))\n")
            numbers = [int(word) for word in client.read_until("nl:51").split() if word.isdigit()]
            # Before them stands the command, echoed once or twice: by the terminal, and by the shell if it was early.
            assert numbers[-last:] == list(range(1, last + 1)) and len(numbers) <= last + 4
        counters = vmm.get("vm.counters")["__console"]
        assert counters["bytes_out"] > 120_000 and counters["bytes_in"] > 20 and counters["bytes_dropped"] == 0
        client.close()


def test_the_watchdog_resets_a_guest_that_stops_pinging_and_says_so_afterwards(tmp_path):
    run = (
        "cat /sys/class/watchdog/watchdog0/identity; cat /sys/class/watchdog/watchdog0/bootstatus;"
        "if [ $(cat /sys/class/watchdog/watchdog0/bootstatus) = 0 ]; then watchdog -T 3 -t 1 /dev/watchdog0; sleep 6;"
        " echo nl: pinged; killall -9 watchdog; sleep 1000; fi"
    )
    serial = tmp_path / "serial.sock"
    line = f"console=ttyS0 {guest_initramfs.command_line(run)}"
    with Vmm(tmp_path / "vmm.sock") as vmm:
        document = config(tmp_path, ("wdat_wdt",), line, serial={"mode": "Socket", "socket": str(serial)})
        vmm.put("vm.create", document | {"watchdog": True})
        events = vmm.events()
        vmm.put("vm.boot")
        console = SerialClient(serial)
        assert "wdat_wdt\r\n0\r" in console.read_until("nl: pinged")
        began = time.monotonic()
        assert "not pinged" in events.until("watchdog")["detail"]
        assert events.next()["event"] == "rebooted"
        print(f"reset {time.monotonic() - began:.1f} s after the last word")
        assert "wdat_wdt\r\n32\r" in console.read_until("nl: exit 0")  # WDIOF_CARDRESET
        assert vmm.get("vm.info")["config"]["watchdog"] is True
        console.close()
