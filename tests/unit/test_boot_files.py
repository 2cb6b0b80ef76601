"""What a server boots: what its image named, what its disk says at each power-on, or the guest that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_lite.compute.boot_files import Booting
from nova_lite.disks import overlay
from nova_lite.hv.driver import DiskSpec
from nova_lite.hv.guests import INTERACTIVE, NOTHING_BOOTABLE
from tests import boot_disks

pytestmark = pytest.mark.skipif(boot_disks.missing("ext4") is not None, reason=boot_disks.missing("ext4") or "")

INITRD = bytes(range(256)) * 100
SERVER = "6c5d4b3a-0000-4000-8000-000000000001"
GRUB = "menuentry x { linux /boot/vmlinuz root=/dev/vda ver=%s\ninitrd /boot/initrd }"


def system(tmp_path, name: str, version: str, kernel: bytes | str = INTERACTIVE.read_bytes()) -> Path:
    """A disk that boots; ``version`` is on its command line."""
    files = {"boot/vmlinuz": kernel, "boot/initrd": INITRD, "boot/grub/grub.cfg": GRUB % version}
    return boot_disks.filesystem("ext4", tmp_path / name, files)


class Server:
    """One server's root disk over an image, while it is off."""

    def __init__(self, computing, image) -> None:
        self.computing, self.image = computing, image
        self.booting = Booting(computing.paths, computing.store, None)
        path = computing.paths.disk(SERVER, "vda")
        path.parent.mkdir(parents=True)
        backing = computing.store.disk(image)
        self.root = DiskSpec("vda", path, backing.stat().st_size, backing=backing, boot_index=0)

    def made(self) -> None:
        overlay.create(self.root.path, self.root.size, self.root.backing)

    def writes(self, disk: Path) -> None:
        """The guest has made of its disk what ``disk`` is: all of it is in the overlay."""
        header = overlay.create(self.root.path, self.root.size, self.root.backing)
        with open(self.root.path, "r+b") as file:
            file.seek(header.bitmap_offset)
            file.write(b"\xff" * (header.granules // 8))
            file.seek(header.data_offset)
            file.write(disk.read_bytes())

    def boots(self):
        return self.booting.of_server(SERVER, self.image, self.root, 64)


def test_a_server_that_wrote_nothing_boots_what_was_found_when_its_image_was_added(tmp_path, computing):
    server = Server(computing, computing.store.add("x", None, disk=system(tmp_path, "a.img", "1")))
    assert server.boots() == server.booting.of_image(server.image)
    server.made()
    files = server.boots()
    assert files == server.booting.of_image(server.image) and "ver=1" in files.cmdline
    assert not computing.paths.boot(SERVER).exists()


def test_a_server_boots_the_kernel_that_its_guest_has_put_on_its_disk(tmp_path, computing):
    image = computing.store.add("x", None, disk=system(tmp_path, "a.img", "1"))
    server = Server(computing, image)
    server.writes(system(tmp_path, "b.img", "2"))
    files = server.boots()
    assert files.cmdline == "root=/dev/vda ver=2 console=ttyS0" and files.kernel_format == "elf64"
    assert files.kernel == computing.paths.boot(SERVER) / "kernel" and files.initramfs is not None
    assert files.kernel.read_bytes() == INTERACTIVE.read_bytes()
    own = computing.store.add("y", None, disk=system(tmp_path, "c.img", "3"), cmdline="console=ttyS0 mine")
    server.image = own
    assert server.boots().cmdline == "console=ttyS0 mine"


def test_a_server_on_a_volume_boots_what_the_volume_says(tmp_path, computing):
    server = Server(computing, computing.store.add("x", None, disk=system(tmp_path, "a.img", "1")))
    server.root = DiskSpec("vda", system(tmp_path, "volume.raw", "7"), 16 << 20, "raw", boot_index=0)
    assert server.boots().cmdline == "root=/dev/vda ver=7 console=ttyS0"


@pytest.mark.parametrize(
    ("files", "says"),
    [({"x": "y"}, "grub.cfg"), ({"boot/vmlinuz": "text", "boot/grub/grub.cfg": GRUB % "2"}, "/boot/initrd")],
)
def test_a_disk_that_boots_nothing_any_more_gets_the_guest_that_says_so(tmp_path, computing, files, says):
    server = Server(computing, computing.store.add("x", None, disk=system(tmp_path, "a.img", "1")))
    server.writes(boot_disks.filesystem("ext4", tmp_path / "b.img", files))
    found = server.boots()
    assert (found.kernel, found.kernel_format, found.initramfs) == (NOTHING_BOOTABLE, "elf64", None)
    assert "Nothing to boot." in found.cmdline and says in found.cmdline and len(found.cmdline) < 2047


def test_a_kernel_on_the_disk_that_is_none_is_named(tmp_path, computing):
    server = Server(computing, computing.store.add("x", None, disk=system(tmp_path, "a.img", "1")))
    server.writes(system(tmp_path, "b.img", "2", kernel="no kernel at all"))
    assert "The image 'kernel' is of no format known here" in server.boots().cmdline


def test_an_image_without_a_kernel_says_what_its_own_disk_lacks(tmp_path, computing):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    server = Server(computing, computing.store.add("x", None, disk=disk))
    assert server.boots().kernel == NOTHING_BOOTABLE
    server.made()
    assert "looked on loop0 (ext" in server.boots().cmdline


def test_a_firmware_boots_disks_in_place_of_looking_into_them(tmp_path, computing):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    image = computing.store.add("x", None, disk=disk, look_into_disk=False, warn=pytest.fail)
    firmware = Booting(computing.paths, computing.store, tmp_path / "firmware.elf").of_image(image)
    assert (firmware.kernel, firmware.kernel_format, firmware.cmdline) == (tmp_path / "firmware.elf", "pvh", "")
    kernel = tmp_path / "kernel"
    kernel.write_bytes(INTERACTIVE.read_bytes())
    named = computing.store.add("y", kernel, disk=disk)
    assert Booting(computing.paths, computing.store, tmp_path / "firmware.elf").of_image(named).kernel_format == "elf64"
