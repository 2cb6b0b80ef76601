"""Finds what a disk boots: goes through its file systems for a boot loader's configuration and follows it.

Order: grub.cfg, extlinux.conf and BLS entries on file systems of Linux, and then on the EFI system partition. The
first configuration with an entry whose kernel and initramfs are there wins; of that, its own default comes first.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nova_lite.disks.boot import entries, grub_config
from nova_lite.disks.boot.entries import BootEntry
from nova_lite.disks.boot.reader import Device, Disk, DiskError, TooMuch

KERNEL_MAX = 256 << 20
INITRAMFS_MAX = 1 << 30
SUBVOLUMES_MAX = 16
CONSOLE = "console=ttyS0"

GRUB = ("boot/grub/grub.cfg", "boot/grub2/grub.cfg", "grub/grub.cfg", "grub2/grub.cfg")
SYSLINUX = tuple(
    f"{folder}{name}"
    for folder in ("", "boot/")
    for name in ("extlinux/extlinux.conf", "extlinux.conf", "syslinux/syslinux.cfg", "syslinux/extlinux.conf")
)
BLS = ("loader/entries", "boot/loader/entries")
_TRIED_MAX = 50
_NOTES_MAX = 20


class NothingBootable(Exception):
    """Nothing on the disk can be booted. ``report``: what was looked at and what was missed, a line each."""

    def __init__(self, report: list[str]) -> None:
        super().__init__("Nothing on the disk can be booted: " + "; ".join(report))
        self.report = report


@dataclass(frozen=True)
class Found:
    """What would be booted. Paths are on ``device`` (GRUB's name); ``source`` is the file that says so."""

    title: str
    source: str
    device: str
    kernel: str
    initramfs: tuple[tuple[str, str], ...]
    cmdline: str


@dataclass(frozen=True)
class Payload:
    """Files of this host that a VMM can load; ``initramfs`` is None where the entry has none."""

    kernel: Path
    initramfs: Path | None
    cmdline: str


def entry(disk: Disk) -> Found:
    """What the disk's own boot loader would boot. Raises NothingBootable, and ReaderError where no disk can be read."""
    notes: list[str] = []
    devices: list[Device] = []
    try:
        devices = disk.devices()
        if not devices:
            raise NothingBootable(["no file system on it is known"])
        for source, menu in _menus(disk, devices, notes):
            for candidate in menu[:_TRIED_MAX]:
                found = _complete(disk, candidate, source, notes)
                if found is not None:
                    return found
    except DiskError as error:
        notes.append(str(error))
    kinds = ", ".join(f"{d.name.removeprefix('loop0,')} ({d.filesystem})" for d in devices[:16])
    looked = f"looked on {kinds} for grub.cfg, extlinux.conf and loader/entries/*.conf"
    raise NothingBootable([looked, *(notes[:_NOTES_MAX] or ["none of these is there"])])


def extract(disk: Disk, found: Found, folder: Path) -> Payload:
    """Copy kernel and initramfs into ``folder``, which is whole or not there. Raises DiskError, ReaderError, OSError.

    Several initramfs become one, as a boot loader would hand them over.
    """
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700, parents=True)
    try:
        with open(beside / "kernel", "wb") as file:
            disk.copy(found.device, found.kernel, KERNEL_MAX, file)
            file.flush()
            os.fsync(file.fileno())
        if found.initramfs:
            with open(beside / "initramfs", "wb") as file:
                for device, path in found.initramfs:
                    disk.copy(device, path, INITRAMFS_MAX - file.tell(), file)
                    file.write(bytes(-file.tell() % 4))
                file.flush()
                os.fsync(file.fileno())
        (beside / "cmdline").write_text(found.cmdline + "\n", errors="surrogateescape")
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Payload(folder / "kernel", folder / "initramfs" if found.initramfs else None, found.cmdline)


def with_console(cmdline: str) -> str:
    """The command line, on the serial port too when it names none: a server has no screen."""
    words = cmdline.split()
    return cmdline if any(word.startswith("console=ttyS") for word in words) else f"{cmdline} {CONSOLE}".strip()


def _menus(disk: Disk, devices: list[Device], notes: list[str]) -> Iterator[tuple[str, list[BootEntry]]]:
    """(file, entries in the order to try them) of every configuration on the disk, the likeliest first."""
    linux = [device for device in devices if device.filesystem != "fat"]
    efi = [device for device in devices if device.filesystem == "fat"]
    roots = [(device, prefix) for device in linux for prefix in _roots(disk, device)]
    for device, prefix in roots:
        yield from _in_root(disk, devices, device, prefix, notes)
    for device in efi:
        yield from _in_root(disk, devices, device, "/", notes)
        for vendor in disk.folder(device.name, "/EFI")[:SUBVOLUMES_MAX]:
            if vendor.size is None:
                yield from _grub(disk, devices, device, f"/EFI/{vendor.name}/grub.cfg", notes)


def _roots(disk: Disk, device: Device) -> list[str]:
    """Folders that may be the root of a system: the top, and on btrfs its subvolumes and newest snapshot."""
    if device.filesystem != "btrfs":
        return ["/"]
    below = [entry.name for entry in disk.folder(device.name, "/") if entry.size is None][:SUBVOLUMES_MAX]
    roots = ["/", *(f"/{name}/" for name in below)]
    snapshots = [e.name for e in disk.folder(device.name, "/@/.snapshots") if e.size is None and e.name.isdigit()]
    if snapshots:
        roots.append(f"/@/.snapshots/{max(snapshots, key=lambda name: int(name[:18]))}/snapshot/")
    return roots


def _in_root(
    disk: Disk, devices: list[Device], device: Device, root: str, notes: list[str]
) -> Iterator[tuple[str, list[BootEntry]]]:
    for name in GRUB:
        yield from _grub(disk, devices, device, root + name, notes)
    for path in (root + name for name in SYSLINUX):
        if disk.exists(device.name, path):
            text = disk.content(device.name, path, grub_config.CONFIG_MAX).decode("utf-8", "replace")
            menu, default = entries.syslinux(text, device.name, os.path.dirname(path), path)
            yield path, sorted(menu, key=lambda entry: entry.id != default)
    for folder in (root + name for name in BLS):
        yield from _bls(disk, device, folder)


def _grub(
    disk: Disk, devices: list[Device], device: Device, path: str, notes: list[str]
) -> Iterator[tuple[str, list[BootEntry]]]:
    if not disk.exists(device.name, path):
        return
    config = grub_config.GrubConfig(disk, devices, device.name, os.path.dirname(path))
    try:
        config.run_file(device.name, path)
    except TooMuch:
        raise
    except DiskError as error:
        notes.append(str(error))
        return
    if not config.menu:
        notes.append(f"{path} has no entries")
    yield path, config.default()


def _bls(disk: Disk, device: Device, folder: str) -> Iterator[tuple[str, list[BootEntry]]]:
    if not disk.folder(device.name, folder):
        return
    variables: dict[str, str] = {}
    parent = os.path.dirname(os.path.dirname(folder))
    for path in (f"{parent.rstrip('/')}/{name}/grubenv" for name in ("grub2", "grub")):
        if disk.exists(device.name, path):
            text = disk.content(device.name, path, 1 << 16).decode("utf-8", "replace")
            variables |= entries.grub_environment(text)
    menu = grub_config.bls_entries(disk, device.name, folder, variables)
    pattern = variables.get("saved_entry", "")
    settings = f"{os.path.dirname(folder)}/loader.conf"
    if disk.exists(device.name, settings):
        text = disk.content(device.name, settings, 1 << 16).decode("utf-8", "replace")
        pattern = entries.loader_default(text) or pattern

    def is_other(entry: BootEntry) -> bool:
        return not (pattern and (fnmatch.fnmatchcase(entry.id, pattern) or fnmatch.fnmatchcase(entry.source, pattern)))

    yield folder, sorted(menu, key=is_other)


def _complete(disk: Disk, candidate: BootEntry, source: str, notes: list[str]) -> Found | None:
    """The entry with the paths at which its files are; None when one is missing."""
    if not candidate.kernel:
        return None
    if not candidate.device:
        notes.append(f"{source}: '{candidate.title}' is on another disk")
        return None
    root = source[: source.rfind("/boot/")] if "/boot/" in source else ""
    for base in dict.fromkeys(("", root, f"{root}/boot", "/boot")):
        if disk.exists(candidate.device, base + candidate.kernel):
            break
    else:
        notes.append(f"{source}: '{candidate.title}' names {candidate.kernel}, which is not there")
        return None
    initramfs = tuple((device, base + path) for device, path in candidate.initramfs)
    for device, path in initramfs:
        if not disk.exists(device, path):
            notes.append(f"{source}: '{candidate.title}' names {path}, which is not there")
            return None
    line = with_console(candidate.cmdline)
    return Found(candidate.title, source, candidate.device, base + candidate.kernel, initramfs, line)
