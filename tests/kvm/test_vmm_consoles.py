"""The far ends of serial port and console in VmConfig: pseudo-terminals, and what is refused."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

import pytest

from nova_lite.hv.vmm import config as vm_config
from nova_lite.hv.vmm.errors import ConfigError
from tests.kvm.vmm_process import INTERACTIVE, PATIENCE, Vmm, config, needs_kvm

KERNEL = {"payload": {"kernel": "/kernel"}}


def read_until(fd: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        ready, _, _ = select.select([fd], [], [], PATIENCE)
        assert ready, f"waited in vain for {text!r}; it said {seen!r}"
        seen += os.read(fd, 4096)
    return seen


@needs_kvm
def test_a_serial_port_on_a_pseudo_terminal_whose_name_is_shown(tmp_path):
    with Vmm(tmp_path / "vmm.sock") as vmm:
        vmm.put("vm.create", config(INTERACTIVE, serial={"mode": "Pty"}, console={"mode": "Pty"}))
        assert "file" not in vmm.get("vm.info")["config"]["serial"]
        vmm.put("vm.boot")
        shown = vmm.get("vm.info")["config"]
        assert shown["console"]["file"] != shown["serial"]["file"]
        first = os.open(shown["serial"]["file"], os.O_RDWR | os.O_NOCTTY)
        greeting = read_until(first, b"\n")  # what it said before anybody came
        os.close(first)
        again = os.open(shown["serial"]["file"], os.O_RDWR | os.O_NOCTTY)
        os.write(again, b"help\r")
        assert read_until(again, b"\n") and greeting
        os.close(again)
        assert vmm.get("vm.counters")["__console"]["bytes_out"] == 0
        vmm.put("vm.shutdown")
        end = time.monotonic() + 30  # the relay passes on the last output first, and the reply does not wait for it
        while Path(shown["serial"]["file"]).exists():
            assert time.monotonic() < end, "the pseudo-terminal outlives the machine"
            time.sleep(0.02)
        vmm.put("vm.boot")
        assert vmm.get("vm.info")["config"]["serial"]["file"].startswith("/dev/pts/")


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"serial": {"mode": "Tty"}, "console": {"mode": "Tty"}}, "console.mode: there is one terminal"),
        ({"debug_console": {"mode": "Tty"}, "console": {"mode": "Tty"}}, "console.mode: there is one terminal"),
        ({"debug_console": {"mode": "Tty"}, "serial": {"mode": "Tty"}}, "debug_console.mode: there is one terminal"),
        ({"debug_console": {"mode": "File"}}, "debug_console.file: is missing; debug_console.mode needs it"),
        ({"debug_console": {"mode": "Socket"}}, "debug_console.mode"),
        ({"debug_console": {"mode": "Null", "iobase": 65536}}, "debug_console.iobase"),
        ({"console": {"mode": "File"}}, "console.file: is missing; console.mode needs it"),
        ({"console": {"mode": "Socket", "socket": "x"}}, "console.socket: 'x' is not an absolute path"),
        ({"console": {"mode": "off"}}, "console.mode"),
        ({"console": {"mode": "Null", "iommu": True}}, "console.iommu: is not supported yet"),
        ({"watchdog": 1}, "watchdog"),
    ],
)
def test_bad_consoles_are_refused_by_name(parts, named):
    with pytest.raises(ConfigError) as caught:
        vm_config.parse(KERNEL | parts)
    assert named in "; ".join(caught.value.chain)


def test_the_console_is_the_terminal_unless_that_is_taken():
    """As in Cloud Hypervisor, where it would be refused if it is taken."""
    tty = {"mode": "Tty"}
    assert vm_config.parse(KERNEL).document["console"] == tty
    for taken in ("serial", "debug_console"):
        assert vm_config.parse(KERNEL | {taken: tty}).document["console"] == {"mode": "Off"}
