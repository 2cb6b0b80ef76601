"""Makes disk images for tests: file systems and partition tables in files, nothing mounted, no loop devices."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

MIB = 1 << 20
START = MIB
TOOLS = {
    "ext4": "mke2fs",
    "xfs": "mkfs.xfs",
    "btrfs": "mkfs.btrfs",
    "vfat": "mkfs.vfat",
    "gpt": "sfdisk",
    "msdos": "sfdisk",
}
#: btrfs and xfs have their least sizes.
SIZES = {"ext4": 16, "xfs": 320, "btrfs": 128, "vfat": 16}


def missing(*kinds: str) -> str | None:
    """What this machine lacks to make such disks, and to read them."""
    wanted = {TOOLS[kind] for kind in kinds if kind in TOOLS} | {"grub-fstest"}
    wanted |= {"mcopy"} if "vfat" in kinds else set()
    lacking = sorted(tool for tool in wanted if shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin") is None)
    return f"not installed: {', '.join(lacking)}" if lacking else None


def tree(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """A folder with these files; text that begins with ``->`` is a symlink."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def filesystem(kind: str, target: Path, files: Mapping[str, bytes | str], *options: str, mib: int = 0) -> Path:
    """A file with a file system of so many MiB (0: the least) that holds ``files``."""
    root = tree(target.with_suffix(".tree"), files)
    with open(target, "wb") as file:
        file.truncate((mib or SIZES[kind]) * MIB)
    if kind == "ext4":
        _run("mke2fs", "-q", "-t", "ext4", "-d", root, *options, target)
    elif kind == "btrfs":
        _run("mkfs.btrfs", "-q", "--rootdir", root, *options, target)
    elif kind == "xfs":
        proto = target.with_suffix(".proto")
        proto.write_text(f"/\n0 0\nd--755 0 0\n{_proto(root)}$\n")
        _run("mkfs.xfs", "-q", "-p", proto, *options, target)
    else:
        _run("mkfs.vfat", *options, target)
        for path in sorted(root.iterdir()):
            _run("mcopy", "-s", "-i", target, path, "::/")
    return target


def _proto(folder: Path) -> str:
    lines = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            lines.append(f"{path.name} l--777 0 0 {path.readlink()}\n")
        elif path.is_dir():
            lines.append(f"{path.name} d--755 0 0\n{_proto(path)}$\n")
        else:
            lines.append(f"{path.name} ---644 0 0 {path}\n")
    return "".join(lines)


def partitioned(label: str, target: Path, filesystems: list[Path]) -> Path:
    """A disk with a partition table (gpt or msdos) and each file system in a partition."""
    lines, at = [f"label: {'dos' if label == 'msdos' else label}"], START
    places = []
    for source in filesystems:
        size = source.stat().st_size
        lines.append(f"start={at // 512}, size={size // 512}, type=L")
        places.append((source, at))
        at += size
    with open(target, "wb") as file:
        file.truncate(at + MIB)
    _run("sfdisk", "-q", target, given="\n".join(lines).encode())
    for source, start in places:
        _run(
            "dd", f"if={source}", f"of={target}", "bs=1M", f"seek={start // MIB}", "conv=notrunc,sparse", "status=none"
        )
    return target


def _run(*words: object, given: bytes = b"") -> None:
    environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}
    command = [str(word) for word in words]
    done = subprocess.run(command, input=given, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}{done.stdout.decode()}"
