"""What a boot loader may boot, and the two forms of configuration that are lists of it: BLS entries and extlinux.conf.

Sources: the UAPI group's Boot Loader Specification; syslinux's doc/menu.txt and wiki page "Config".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PIECES = re.compile(r"\d+|[A-Za-z]+|~")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_TRIES = re.compile(r"\+(\d+)(?:-\d+)?$")


@dataclass(frozen=True)
class BootEntry:
    """Kernel and initramfs as (device, path), still to be looked for; ``id`` and ``title`` are what a default names."""

    title: str
    id: str = ""
    device: str = ""
    kernel: str = ""
    initramfs: tuple[tuple[str, str], ...] = ()
    cmdline: str = ""
    source: str = ""
    entries: tuple[BootEntry, ...] = field(default=())  # of a submenu


def version_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts versions as people do: 6.10 after 6.9, letters before numbers, a tilde before everything."""
    key: list[tuple[int, int, str]] = []
    for piece in _PIECES.findall(text):
        if piece == "~":
            key.append((-1, 0, ""))
        elif piece[0].isdigit():
            key.append((2, int(piece[:30]), ""))
        else:
            key.append((1, 0, piece))
    return (*key, (0, 0, ""))


def expand(text: str, variables: Mapping[str, str]) -> str:
    """With GRUB's variables in place; one that is not set is nothing."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


def bls_entry(name: str, text: str, device: str, variables: Mapping[str, str]) -> BootEntry:
    """One file of loader/entries; ``name`` is the file's, an entry without ``linux`` has no kernel."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            values.setdefault(key, []).append(expand(value.strip(), variables))
    initramfs = [path for value in values.get("initrd", []) for path in value.split()]
    return BootEntry(
        title=values.get("title", [name])[0],
        id=_TRIES.sub("", name.removesuffix(".conf")),
        device=device,
        kernel=values.get("linux", [""])[0].split(" ")[0],
        initramfs=tuple((device, path) for path in initramfs),
        cmdline=" ".join(value for value in values.get("options", []) if value),
        source=name,
    )


def bls_order(entry: BootEntry) -> tuple[bool, tuple[tuple[int, int, str], ...]]:
    """Key for sorting, newest last; one that has used up its tries comes before all."""
    tries = _TRIES.search(entry.source.removesuffix(".conf"))
    return (tries is None or int(tries[1][:9]) > 0, version_key(entry.id))


def loader_default(text: str) -> str:
    """The pattern after ``default`` in systemd-boot's loader.conf; "" when there is none."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "default" and not words[1].startswith("@"):
            return words[1]
    return ""


def grub_environment(text: str) -> dict[str, str]:
    """The variables in a grubenv block. ``next_entry`` is left out: it is for one boot, and nobody here forgets it."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#") and name != "next_entry":
            found[name] = value.replace("\\\\", "\\")
    return found


def syslinux(text: str, device: str, folder: str, source: str) -> tuple[list[BootEntry], str]:
    """The entries of extlinux.conf or syslinux.cfg, and the name of the default one ("" for the first)."""
    found: list[BootEntry] = []
    default = default_label = label = ""
    title, kernel, initramfs, cmdline, common = "", "", "", "", ""

    def place(path: str) -> str:
        return path if path.startswith("/") else f"{folder.rstrip('/')}/{path}"

    def finish() -> None:
        if label and kernel and not kernel.endswith((".c32", ".com", ".bin")):
            words = [word for word in (cmdline or common).split() if not word.startswith("initrd=")]
            named = [word[7:] for word in (cmdline or common).split() if word.startswith("initrd=")]
            paths = tuple(path for path in (initramfs or ",".join(named)).split(",") if path)
            found.append(
                BootEntry(
                    title or label,
                    label,
                    device,
                    place(kernel),
                    tuple((device, place(path)) for path in paths),
                    " ".join(words),
                    source,
                )
            )

    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        key, value = key.strip().lower(), value.strip()
        if key == "menu" and value.lower().startswith("label "):
            title = value[6:].replace("^", "").strip()
        elif key == "menu" and value.lower() == "default":
            default_label = label
        elif key == "label":
            finish()
            label, title, kernel, initramfs, cmdline = value, "", "", "", ""
        elif key in ("default", "ontimeout"):
            default = value
        elif key in ("kernel", "linux"):
            kernel = value.split(" ")[0]
        elif key == "initrd":
            initramfs = value
        elif key == "append" and label:
            cmdline = value
        elif key == "append":
            common = value
    finish()
    known = {entry.id for entry in found}
    return found, default if default in known else default_label
