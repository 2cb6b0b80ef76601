"""Disks of servers, end to end on real VMs: a guest that counts its boots on its disk, and disks that boot nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite import objects
from nova_lite.compute.agent import make_driver
from nova_lite.db import images
from nova_lite.disks import overlay
from tests import boot_disks
from tests.kvm import disk_guest
from tests.kvm.vmm_process import needs_kvm
from tests.unit.computing import Computing, eventually

pytestmark = [needs_kvm, pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")]

MIB = 1 << 20
TEXT = b"written by host"


@pytest.fixture(scope="module", name="guest")
def _guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk_guest.build(tmp_path_factory.mktemp("guest") / "disk_guest.elf")


@pytest.fixture(name="hosting")
def _hosting(tmp_path: Path) -> Iterator[Computing]:
    made = Computing(tmp_path, None)
    made.start_agent(make_driver(made.conf))
    yield made
    for server in made.api.list(made.me):
        made.api.delete(made.me, server)
        made.becomes(server, "deleted")
    made.close()


def says(hosting: Computing, made: objects.Instance, pattern: str) -> re.Match[str]:
    """The last place in the server's console that matches, once there is one."""

    def found() -> re.Match[str] | None:
        matches = list(re.finditer(pattern, hosting.api.console_output(hosting.me, hosting.get(made))))
        return matches[-1] if matches else None

    match: re.Match[str] = eventually(found, f"the console says {pattern}")
    return match


def counting(hosting: Computing, guest: Path, name: str) -> objects.Instance:
    """A server whose guest counts its boots on the disk of a new image."""
    disk = hosting.paths.state / f"{name}.raw"
    with disk.open("wb") as file:
        file.write(TEXT)
        file.truncate(4 * MIB)
    image = hosting.store.add(name, guest, "elf64", disk=disk, disk_format="raw")
    return hosting.running(image_ref=image.id, flavor_ref="42")


def test_a_server_keeps_what_it_wrote_through_every_verb_and_its_image_stays_as_it_was(
    hosting: Computing, guest: Path
) -> None:
    made = counting(hosting, guest, "counting-disk")
    api, me = hosting.api, hosting.me
    says(hosting, made, "disk begins with written by host, boots 1\n")
    api.reboot(me, hosting.get(made), hard=False)
    says(hosting, made, "boots 2\n")
    hosting.settled(made, "active")
    api.reboot(me, hosting.get(made), hard=True)
    says(hosting, made, "boots 3\n")
    hosting.settled(made, "active")
    api.stop(me, hosting.get(made))
    hosting.settled(made, "stopped")
    hosting.store.remove(made.image_ref)
    api.start(me, hosting.get(made))
    says(hosting, made, "boots 4\n")
    with hosting.database.read() as connection:
        image = images.get(connection, made.image_ref)
    assert image is not None
    base = hosting.store.disk(image)
    assert base is not None and base.read_bytes() == TEXT.ljust(4 * MIB, b"\0")
    hosting.settled(made, "active")
    api.stop(me, hosting.get(made))
    hosting.settled(made, "stopped")
    with overlay.open_view(hosting.paths.disk(made.uuid, "vda"), base) as view:
        assert view.read(2048 * 512, 8) == (4).to_bytes(8, "little")
        assert view.usage().written == 4096


def test_servers_of_one_image_do_not_see_each_others_disks(hosting: Computing, guest: Path) -> None:
    first = counting(hosting, guest, "shared-disk")
    says(hosting, first, "boots 1\n")
    second = hosting.running(image_ref=first.image_ref, flavor_ref="42")
    says(hosting, second, "boots 1\n")
    hosting.api.reboot(hosting.me, hosting.get(first), hard=True)
    says(hosting, first, "boots 2\n")


@pytest.mark.skipif(boot_disks.missing("ext4") is not None, reason=boot_disks.missing("ext4") or "")
def test_a_disk_that_boots_nothing_makes_an_active_server_that_says_so(hosting: Computing, tmp_path: Path) -> None:
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    warnings: list[str] = []
    image = hosting.store.add("nothing", None, disk=disk, warn=warnings.append)
    assert warnings
    made = hosting.running(image_ref=image.id, flavor_ref="42")
    says(hosting, made, r"(?s)Nothing to boot\.\r\n.*looked on loop0 \(ext.*make another server of an image that boots")
    hosting.api.stop(hosting.me, hosting.get(made))
    hosting.settled(made, "stopped")


# A PVH ELF file, as a firmware is: the note names the 32-bit entry (Xen's elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
FIRMWARE = r"""
    .code32
    .globl _start
_start:
    movl $text, %esi
1:  movw $0x3fd, %dx
    inb %dx, %al
    testb $0x20, %al
    jz 1b
    movb (%esi), %al
    testb %al, %al
    jz 2f
    movw $0x3f8, %dx
    outb %al, %dx
    incl %esi
    jmp 1b
2:  cli
    hlt
    jmp 2b
text:
    .asciz "here is the firmware\n"
    .section .note.pvh, "a", @note
    .long 4, 8, 18
    .asciz "Xen"
    .quad _start
"""


def test_a_firmware_gets_the_disks_of_images_without_a_kernel(tmp_path: Path) -> None:
    source, firmware, disk = tmp_path / "firmware.o", tmp_path / "firmware.elf", tmp_path / "disk.raw"
    subprocess.run(["as", "--64", "-o", source, "-"], input=FIRMWARE, text=True, check=True)
    place = ["-Ttext=0x201000", "--section-start=.note.pvh=0x203000"]
    subprocess.run(["ld", "-m", "elf_x86_64", "-static", *place, "-o", firmware, source], check=True)
    disk.write_bytes(bytes(MIB))
    hosting = Computing(tmp_path / "state", None, kvm={"firmware": str(firmware)})
    hosting.start_agent(make_driver(hosting.conf))
    try:
        image = hosting.store.add("x", None, disk=disk, disk_format="raw", look_into_disk=False)
        made = hosting.running(image_ref=image.id, flavor_ref="42")
        says(hosting, made, "here is the firmware")
        assert "vda" in hosting.api.diagnostics(hosting.me, hosting.get(made)).disks
        hosting.api.delete(hosting.me, hosting.get(made))
        hosting.becomes(made, "deleted")
    finally:
        hosting.close()


def test_a_firmware_that_is_none_is_the_servers_fault_not_its_images(tmp_path: Path, guest: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(MIB))
    hosting = Computing(tmp_path / "state", None, kvm={"firmware": str(guest)})  # an ELF file without such a note
    hosting.start_agent(make_driver(hosting.conf))
    try:
        image = hosting.store.add("x", None, disk=disk, disk_format="raw", look_into_disk=False)
        failed = hosting.settled(hosting.create(image_ref=image.id, flavor_ref="42"), "error")
        assert failed.fault is not None and "disk_guest.elf" in failed.fault.message
        hosting.api.delete(hosting.me, failed)
        hosting.becomes(failed, "deleted")
    finally:
        hosting.close()
