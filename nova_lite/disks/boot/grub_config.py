"""Runs a grub.cfg as far as it decides what is booted, with budgets, and collects its menu.

What draws, plays or waits does nothing. Commands that a PC's GRUB would answer with "no" for lack of a keyboard, a
screen or a password are answered so. Sources: the GNU GRUB manual, chapter "Available commands"; Fedora's blscfg.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from nova_lite.disks.boot import entries, grub_script
from nova_lite.disks.boot.entries import BootEntry
from nova_lite.disks.boot.grub_test import passes
from nova_lite.disks.boot.reader import Device, DiskError, Entry, TooMuch

STEPS = 20_000
CONFIG_MAX = 1 << 20
ENTRIES_MAX = 500
NESTED_MAX = 8
VARIABLE_MAX = 1 << 16

_PLACE = re.compile(r"^\(([^()]*)\)(.*)$", re.DOTALL)
_BLS_FOLDERS = ("/loader/entries", "/boot/loader/entries")
_LINUX = ("linux", "linux16", "linuxefi")
_INITRD = ("initrd", "initrd16", "initrdefi")
_NO = frozenset(
    ("keystatus", "cmostest", "background_image", "sleep", "false", "cutmem", "password", "regexp", "smbios")
)


class Files(Protocol):
    """What the configuration may look at: ``reader.Disk`` has it."""

    def folder(self, device: str, path: str) -> list[Entry]: ...
    def exists(self, device: str, path: str) -> bool: ...
    def content(self, device: str, path: str, limit: int) -> bytes: ...


class GrubConfig:
    """One run of a configuration file. ``menu`` and ``variables`` are what came of it."""

    def __init__(self, files: Files, devices: Sequence[Device], device: str, folder: str) -> None:
        self._files, self._devices = files, devices
        self.menu: list[BootEntry] = []
        self.variables: dict[str, str] = {
            "root": device,
            "prefix": f"({device}){folder}",
            "grub_platform": "pc",
            "grub_cpu": "i386",
            "menuentry_id_option": "--id",
            "feature_menuentry_id": "y",
            "feature_platform_search_hint": "y",
            "feature_timeout_style": "y",
            "feature_200_final": "y",
        }
        self._functions: dict[str, grub_script.Script] = {}
        self._steps = self._entries = self._nested = 0
        self._source = ""
        self._collected: list[BootEntry] = self.menu
        self._loaded: BootEntry = BootEntry("")
        self._commands: dict[str, Callable[[list[str]], bool]] = {
            "set": self._set,
            "unset": self._unset,
            "search": self._search,
            "search.fs_uuid": lambda words: self._search_old("--fs-uuid", words),
            "search.fs_label": lambda words: self._search_old("--label", words),
            "search.file": lambda words: self._search_old("--file", words),
            "load_env": self._load_env,
            "configfile": self._configfile,
            "source": self._configfile,
            ".": self._configfile,
            "normal": self._configfile,
            "blscfg": self._blscfg,
            "probe": self._probe,
            "test": passes_with(self),
            "[": passes_with(self),
            "[[": passes_with(self),
        }
        self._commands |= dict.fromkeys(_LINUX, self._linux) | dict.fromkeys(_INITRD, self._initrd)

    def run_file(self, device: str, path: str) -> None:
        """Raises DiskError (not readable, not a script, more steps than a sound one needs)."""
        text = self._files.content(device, path, CONFIG_MAX).decode("utf-8", "replace")
        before, self._source = self._source, path
        try:
            self._run(grub_script.parse(text))
        except grub_script.ScriptError as error:
            raise DiskError(f"{path} is no GRUB configuration: {error}") from error
        finally:
            self._source = before

    def default(self) -> list[BootEntry]:
        """The entries in the order in which they are to be tried: the default one, then all as the menu has them."""
        chosen = _find(self.menu, self.variables.get("default", "").split(">"))
        everything = list(_flat(self.menu))
        return ([chosen] if chosen is not None else []) + [entry for entry in everything if entry is not chosen]

    # -- running ------------------------------------------------------------------------------------------------

    def _run(self, script: grub_script.Script) -> bool:
        status = True
        for statement in script:
            status = self._run_one(statement)
        return status

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS:
            raise TooMuch(f"The GRUB configuration does not come to its end within {STEPS} steps.")

    def _run_one(self, statement: grub_script.Statement) -> bool:
        self._step()
        if isinstance(statement, grub_script.If):
            for condition, body in statement.branches:
                if self._run(condition):
                    return self._run(body)
            return self._run(statement.otherwise)
        if isinstance(statement, grub_script.For):
            status = True
            for value in self._expanded(statement.words):
                self._step()
                self.variables[statement.name] = value
                status = self._run(statement.body)
            return status
        if isinstance(statement, grub_script.While):
            while self._run(statement.condition) != statement.until:
                self._step()
                self._run(statement.body)
            return True
        if isinstance(statement, grub_script.Function):
            self._functions[statement.name] = statement.body
            return True
        return self._command(statement)

    def _command(self, command: grub_script.Command) -> bool:
        words = self._expanded(command.words)
        if not words:
            return True
        if words[0] == "!":
            return not self._simple(words[1:], command.block)
        return self._simple(words, command.block)

    def _simple(self, words: list[str], block: grub_script.Script | None) -> bool:
        if not words:
            return True
        name, arguments = words[0], words[1:]
        if name in ("menuentry", "submenu") and block is not None:
            self._menu_entry(name, arguments, block)
            return True
        if name in self._functions:
            with_depth = self._nested
            self._enter()
            try:
                return self._run(self._functions[name])
            finally:
                self._nested = with_depth
        if name in self._commands:
            return self._commands[name](arguments)
        variable, equals, value = name.partition("=")
        if equals and variable.isidentifier():
            return self._set([name])
        return name not in _NO

    def _enter(self) -> None:
        self._nested += 1
        if self._nested > NESTED_MAX:
            raise TooMuch("The GRUB configuration calls itself too deeply.")

    def _expanded(self, words: Sequence[grub_script.Word]) -> list[str]:
        found: list[str] = []
        for word in words:
            built, exists = "", False
            for part in word:
                value = self.variables.get(part.text, "") if part.is_variable else part.text
                if part.is_variable and not part.quoted:
                    first, *more = value.split() or [""]
                    built, exists = built + first, exists or bool(value)
                    for piece in more:
                        found.append(built)
                        built = piece
                else:
                    built, exists = built + value, True
            if exists:
                found.append(built)
        if sum(map(len, found)) > VARIABLE_MAX:
            raise TooMuch("The GRUB configuration makes ever longer words.")
        return found

    # -- menu ---------------------------------------------------------------------------------------------------

    def _menu_entry(self, kind: str, arguments: list[str], block: grub_script.Script) -> None:
        self._entries += 1
        if self._entries > ENTRIES_MAX:
            raise TooMuch(f"The GRUB configuration has more than {ENTRIES_MAX} entries.")
        title, identity = "", ""
        waiting = ""
        for word in arguments:
            if waiting:
                identity, waiting = (word if waiting == "--id" else identity), ""
            elif word.startswith("--id="):
                identity = word[5:]
            elif word in ("--id", "--class", "--users", "--hotkey", "--source"):
                waiting = word
            elif not word.startswith("--") and not title:
                title = word
        kept, outer, collected = dict(self.variables), self._loaded, self._collected
        self._loaded, self._collected = BootEntry(title), []
        self._enter()
        try:
            self._run(block)
            made = replace(self._loaded, title=title, id=identity, source=self._source)
            if kind == "submenu":
                made = replace(made, entries=tuple(self._collected))
        finally:
            # An entry is run when it is chosen: what it sets is its own.
            self._nested -= 1
            self.variables, self._loaded, self._collected = kept, outer, collected
        self._collected.append(made)

    def _linux(self, words: list[str]) -> bool:
        if not words:
            return False
        device, path = self.place(words[0])
        self._loaded = replace(self._loaded, device=device, kernel=path, cmdline=" ".join(words[1:]), initramfs=())
        return True

    def _initrd(self, words: list[str]) -> bool:
        self._loaded = replace(self._loaded, initramfs=tuple(self.place(word) for word in words))
        return True

    def _blscfg(self, words: list[str]) -> bool:
        root = self.variables.get("root", "")
        for folder in _BLS_FOLDERS:
            found = bls_entries(self._files, root, folder, self.variables)
            if found:
                self._collected.extend(found)
                return True
        return False

    # -- commands -----------------------------------------------------------------------------------------------

    def place(self, word: str) -> tuple[str, str]:
        """(device, path) of ``(device)/path`` or ``/path``; the device is one of this disk, or "" """
        match = _PLACE.match(word)
        device, path = (match[1], match[2]) if match else (self.variables.get("root", ""), word)
        return self._device(device), path if path.startswith("/") else f"/{path}"

    def _device(self, name: str) -> str:
        """What GRUB called it when it was installed, or we call it, as we do; "" when it is not on this disk."""
        name = name.strip("()")
        known = {device.name for device in self._devices}
        if name in known:
            return name
        _, comma, partition = name.partition(",")
        if not comma:
            return "loop0" if "loop0" in known and re.fullmatch(r"hd\d+", name) else ""
        number = re.sub(r"^(gpt|msdos)", "", partition)
        for kind in ("gpt", "msdos"):
            if f"loop0,{kind}{number}" in known:
                return f"loop0,{kind}{number}"
        return ""

    def _set(self, words: list[str]) -> bool:
        for word in words:
            name, equals, value = word.partition("=")
            if equals and len(value) <= VARIABLE_MAX and len(self.variables) < 1000:
                self.variables[name] = value
        return True

    def _unset(self, words: list[str]) -> bool:
        for word in words:
            self.variables.pop(word, None)
        return True

    def _search(self, words: list[str]) -> bool:
        kind, variable, wanted, waiting = "--file", "root", "", False
        for word in words:
            if waiting:
                variable, waiting = word, False
            elif word in ("--fs-uuid", "-u", "--label", "-l", "--file", "-f", "--fs-label"):
                kind = word
            elif word in ("--set", "-s"):
                # Written with "=" as a rule; without, the variable follows if another word comes after it.
                waiting = word != words[-1] and len([w for w in words if not w.startswith("-")]) > 1
            elif word.startswith("--set="):
                variable = word[6:]
            elif not word.startswith("-"):
                wanted = word
        for device in self._devices:
            if (
                (kind in ("--fs-uuid", "-u") and device.uuid.lower() == wanted.lower() != "")
                or (kind in ("--label", "-l", "--fs-label") and device.label == wanted != "")
                or (kind in ("--file", "-f") and wanted and self._files.exists(device.name, wanted))
            ):
                self.variables[variable] = device.name
                return True
        return False

    def _search_old(self, kind: str, words: list[str]) -> bool:
        """``search.fs_uuid UUID [VARIABLE [HINT …]]``, as core images have it."""
        return bool(words) and self._search([kind, f"--set={words[1] if len(words) > 1 else 'root'}", words[0]])

    def _load_env(self, words: list[str]) -> bool:
        named = next((words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-f", "--file")), "${prefix}/grubenv")
        device, path = self.place(named.replace("${prefix}", self.variables.get("prefix", "")))
        try:
            text = self._files.content(device, path, 1 << 16).decode("utf-8", "replace")
        except TooMuch:
            raise
        except DiskError:
            return False
        self.variables |= entries.grub_environment(text)
        return True

    def _configfile(self, words: list[str]) -> bool:
        if not words:
            return False
        device, path = self.place(words[0])
        self._enter()
        try:
            self.run_file(device, path)
        except TooMuch:
            raise
        except DiskError:
            return False
        finally:
            self._nested -= 1
        return True

    def _probe(self, words: list[str]) -> bool:
        variable, what, name = "", "", ""
        for before, word in zip(["", *words], words, strict=False):
            if before in ("--set", "-s"):
                variable = word
            elif word.startswith("--set="):
                variable = word[6:]
            elif word.startswith("-"):
                what = word
            else:
                name = word
        device = next((device for device in self._devices if device.name == self._device(name)), None)
        if device is None:
            return False
        values = {"-u": device.uuid, "--fs-uuid": device.uuid, "-l": device.label, "--label": device.label}
        if variable:
            self.variables[variable] = values.get(what, "")
        return True

    def file_exists(self, word: str) -> bool:
        device, path = self.place(word)
        return bool(device) and self._files.exists(device, path)


def passes_with(config: GrubConfig) -> Callable[[list[str]], bool]:
    return lambda words: passes(words, config.file_exists)


def bls_entries(files: Files, device: str, folder: str, variables: dict[str, str]) -> list[BootEntry]:
    """The entries of one folder, newest first."""
    found = []
    for name in [e.name for e in files.folder(device, folder) if e.name.endswith(".conf")][:ENTRIES_MAX]:
        text = files.content(device, f"{folder}/{name}", 1 << 16).decode("utf-8", "replace")
        found.append(entries.bls_entry(name, text, device, variables))
    return sorted(found, key=entries.bls_order, reverse=True)


def _find(menu: Sequence[BootEntry], path: list[str]) -> BootEntry | None:
    """The entry that a default names: by number from 0, id or title, the way down a submenu with ">"."""
    wanted, rest = path[0].strip(), path[1:]
    named = [entry for entry in menu if wanted and wanted in (entry.id, entry.title)]
    if not named and wanted.isascii() and wanted.isdigit() and int(wanted[:9]) < len(menu):
        named = [menu[int(wanted[:9])]]
    if not named:
        return None
    entry = named[0]
    return (_find(entry.entries, rest or ["0"]) or entry) if entry.entries else entry


def _flat(menu: Sequence[BootEntry]) -> list[BootEntry]:
    return [e for entry in menu for e in (_flat(entry.entries) if entry.entries else [entry])]
