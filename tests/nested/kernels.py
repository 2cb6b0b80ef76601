"""Kernels out of Debian's packages: where the image is, which module files a module needs and in what order."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.nested import packages

#: Below lib/modules/<release>/kernel: two thirds of a distribution kernel drive hardware that no box has.
NOT_IN_A_BOX = (
    "sound",
    *(f"drivers/{name}" for name in ("gpu", "media", "infiniband", "staging", "iio", "hwmon", "usb")),
    *(f"drivers/net/{name}" for name in ("wireless", "ethernet", "usb", "can")),
)


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: ``vmlinuz`` (bzImage), ``config`` and ``modules`` (lib/modules/<release>)."""

    release: str
    vmlinuz: Path
    config: Path
    modules: Path

    @property
    def quickest(self) -> Path:
        """What QEMU boots soonest: the kernel proper (by PVH) where it could be unpacked, else ``vmlinuz``."""
        proper = self.vmlinuz.with_name(f"vmlinux-{self.release}")
        return proper if proper.exists() else self.vmlinuz

    def load_order(self, names: tuple[str, ...]) -> list[Path]:
        """Files of the modules ``names`` and all they need, in an order in which insmod takes them.

        Names as for modprobe, ``-`` and ``_`` being one; a module that is built into the kernel needs no file.
        """
        depends: dict[str, tuple[str, list[str]]] = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            file, _, needed = line.partition(":")
            depends[_name(file)] = (file, needed.split())
        builtin = {_name(line) for line in (self.modules / "modules.builtin").read_text().split()}
        order: dict[str, None] = {}

        def visit(name: str) -> None:
            if name in builtin:
                return
            if name not in depends:
                raise KeyError(f"kernel {self.release} has no module {name}")
            file, needed = depends[name]
            for other in needed:
                visit(_name(other))
            order[file] = None

        for name in names:
            visit(_name(name))
        return [self.modules / file for file in order]


def debian(package: str) -> Kernel:
    """The kernel of a Debian package (linux-image-amd64, linux-image-cloud-amd64), fetched on the first request."""
    folder = packages.unpacked(package, _finish)
    (vmlinuz,) = folder.glob("boot/vmlinuz-*")
    release = vmlinuz.name.removeprefix("vmlinuz-")
    return Kernel(release, vmlinuz, vmlinuz.with_name(f"config-{release}"), _modules(folder))


def module_contents(file: Path) -> bytes:
    """A module as the kernel takes it; newer distributions ship them compressed."""
    data = file.read_bytes()
    if file.suffix == ".xz":
        return lzma.decompress(data)
    if file.suffix == ".gz":
        return gzip.decompress(data)
    return data


def busybox() -> Path:
    """The static busybox, with which every initramfs here works."""
    folder = packages.unpacked("busybox-static")
    return next(file for file in (folder / "bin/busybox", folder / "usr/bin/busybox") if file.exists())


def _finish(folder: Path) -> None:
    modules = _modules(folder)
    for unneeded in NOT_IN_A_BOX:
        shutil.rmtree(modules / "kernel" / unneeded, ignore_errors=True)
    shutil.rmtree(folder / "usr/share/doc", ignore_errors=True)
    _unpack_image(folder)
    # A package is without modules.dep: installing it would make that.
    command = [str(busybox()), "depmod", "-b", str(modules.parents[2]), modules.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise packages.Unavailable(f"depmod failed: {done.stderr.strip()}")


def _unpack_image(folder: Path) -> None:
    """Leave the ELF kernel beside a bzImage that is packed with xz: one second here, four inside an emulator."""
    (vmlinuz,) = folder.glob("boot/vmlinuz-*")
    image = vmlinuz.read_bytes()
    # Linux, Documentation/arch/x86/boot.rst: setup_sects at 0x1F1, payload_offset and payload_length at 0x248.
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (image[0x1F1] + 1) * 512 + offset
    if image[start : start + 6] == b"\xfd7zXZ\0":
        kernel = lzma.LZMADecompressor().decompress(image[start : start + length])
        vmlinuz.with_name(vmlinuz.name.replace("vmlinuz", "vmlinux")).write_bytes(kernel)


def _modules(folder: Path) -> Path:
    return next(path for parent in ("lib", "usr/lib") for path in (folder / parent / "modules").glob("*"))


def _name(file: str) -> str:
    return file.rsplit("/", 1)[-1].split(".ko")[0].replace("-", "_")
