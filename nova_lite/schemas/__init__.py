"""Every format of the API, as data: ``schemas.servers.create`` is the history of one operation's documents.

``v2_1/<resource>.py`` and ``v3_0/<resource>.py`` hold constants named ``<operation>_<part>_<major>_<minor>``,
oldest first, where part is input (the body), query or output. The newest one not above a request's version is
used, within the version's own major. ``None`` means: from this version on there is no such document.
Names that start with ``_`` and UPPERCASE names are free for fragments. Wrong names are refused at import.
"""

from __future__ import annotations

import bisect
import difflib
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, NamedTuple

from nova_lite.api import versions
from nova_lite.api.versions import Version

Schema = dict[str, Any]
Part = Literal["input", "query", "output"]
PARTS: tuple[Part, ...] = ("input", "query", "output")
FOLDERS = {2: "v2_1", 3: "v3_0"}

_CONSTANT = re.compile(r"([a-z][a-z0-9_]*)_(input|query|output)_([0-9]+)_([0-9]+)")
_resources: dict[str, Resource] = {}


class SchemaNameError(ImportError):
    """A constant in a schema module that no request could ever find. The message says how to name it."""


class Entry(NamedTuple):
    """The schema in force from ``base_version`` on; None if there is no such document from then on."""

    base_version: Version
    schema: Schema | None


@dataclass(frozen=True)
class History:
    """All schemas of one document of one operation, oldest first."""

    operation: str  # 'servers.create'
    part: Part
    entries: tuple[Entry, ...]

    def at(self, version: tuple[int, int]) -> Entry | None:
        """The entry in force at ``version``: the newest of the same major that is not above it."""
        position = bisect.bisect_right(self.entries, version, key=lambda entry: entry.base_version)
        if position == 0:
            return None
        entry = self.entries[position - 1]
        return entry if entry.base_version.major == version[0] else None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __str__(self) -> str:
        return f"{self.operation} {self.part}"


@dataclass(frozen=True)
class OperationSchemas:
    """The documents of one operation; a part is None if no version of it has one."""

    name: str  # 'servers.create'
    input: History | None = None
    query: History | None = None
    output: History | None = None

    def histories(self) -> Iterator[History]:
        return (history for part in PARTS if (history := getattr(self, part)) is not None)


class Resource:
    """The operations of one resource as attributes: ``schemas.servers.create``."""

    def __init__(self, name: str, operations: dict[str, OperationSchemas]) -> None:
        self.name = name
        self.operations = operations

    def __getattr__(self, operation: str) -> OperationSchemas:
        try:
            return self.__dict__["operations"][operation]
        except KeyError:
            if operation.startswith("__"):  # copy, pickle and inspect ask for these
                raise AttributeError(operation) from None
            raise AttributeError(
                f"no schema constant {operation}_(input|query|output)_<major>_<minor> in the modules "
                f"{self.name} of v2_1 and v3_0{_suggest(operation, self.operations)}"
            ) from None

    def __iter__(self) -> Iterator[OperationSchemas]:
        return iter(self.operations.values())

    def __repr__(self) -> str:
        return f"<schemas of {self.name}: {', '.join(self.operations)}>"


def resource(name: str) -> Resource:
    """The schemas of one resource. AttributeError if neither major has a module of that name."""
    if name not in _resources:
        found: dict[tuple[str, Part], list[Entry]] = {}
        known = False
        for major, folder in FOLDERS.items():
            path = f"{__name__}.{folder}.{name}"
            if importlib.util.find_spec(path) is not None:
                known = True
                _collect(importlib.import_module(path), major, found)
        if not known:
            raise AttributeError(f"no schemas for {name!r}: neither schemas/v2_1 nor schemas/v3_0 has {name}.py")
        _resources[name] = _built(name, found)
    return _resources[name]


def of_module(module: ModuleType, major: int) -> Resource:
    """The schemas of one module that stands elsewhere: of a service that has one version."""
    found: dict[tuple[str, Part], list[Entry]] = {}
    _collect(module, major, found)
    return _built(module.__name__.rpartition(".")[2], found)


def _built(name: str, found: dict[tuple[str, Part], list[Entry]]) -> Resource:
    parts: dict[str, dict[str, History]] = {}
    for (operation, part), entries in found.items():
        ordered = tuple(sorted(entries, key=lambda entry: entry.base_version))
        parts.setdefault(operation, {})[part] = History(f"{name}.{operation}", part, ordered)
    operations = {key: OperationSchemas(f"{name}.{key}", **histories) for key, histories in parts.items()}
    return Resource(name, operations)


def resources() -> list[Resource]:
    """The schemas of every resource, by name."""
    names: set[str] = set()
    for folder in FOLDERS.values():
        package = importlib.import_module(f"{__name__}.{folder}")
        found = (module.name for module in pkgutil.iter_modules(package.__path__))
        names.update(module for module in found if not module.startswith("_"))  # _ holds fragments only
    return [resource(name) for name in sorted(names)]


def operation(name: str) -> OperationSchemas:
    """'servers.create' -> its schemas. AttributeError with the nearest names if there are none."""
    resource_name, _, operation_name = name.partition(".")
    return getattr(resource(resource_name), operation_name)


def __getattr__(name: str) -> Resource:
    if name.startswith("_") or not name.isidentifier():
        raise AttributeError(name)
    return resource(name)


def _collect(module: ModuleType, major: int, found: dict[tuple[str, Part], list[Entry]]) -> None:
    for name, value in vars(module).items():
        match = _CONSTANT.fullmatch(name)
        if match is None:
            _check_fragment(module, name, value)
            continue
        version = Version(int(match[3]), int(match[4]))
        if name != f"{match[1]}_{match[2]}_{version.major}_{version.minor}":
            raise SchemaNameError(f"{module.__name__}.{name}: write the version without leading zeros")
        if version.major != major:
            raise SchemaNameError(
                f"{module.__name__}.{name}: {FOLDERS[major]} holds versions {major}.x only; "
                f"a schema of {version} belongs into {FOLDERS.get(version.major, 'its own folder')}"
            )
        if version not in versions.KNOWN:
            raise SchemaNameError(
                f"{module.__name__}.{name}: version {version} does not exist; add it to versions.HISTORY first"
            )
        if value is not None and not (isinstance(value, dict) and value.get("type") == "object"):
            raise SchemaNameError(
                f"{module.__name__}.{name}: must be a schema with 'type': 'object', or None for no document"
            )
        part: Part = match[2]  # type: ignore[assignment]
        entries = found.setdefault((match[1], part), [])
        if entries and entries[-1].base_version > version:
            raise SchemaNameError(
                f"{module.__name__}.{name}: stands below {entries[-1].base_version}; put the oldest first"
            )
        entries.append(Entry(version, value))


def _check_fragment(module: ModuleType, name: str, value: object) -> None:
    """A dictionary whose name almost looks right would be silently unused: the worst kind of mistake here."""
    if name.startswith("_") or name.isupper() or not isinstance(value, dict):
        return
    raise SchemaNameError(
        f"{module.__name__}.{name}: not of the form <operation>_(input|query|output)_<major>_<minor>; "
        f"name a fragment _{name} or {name.upper()}"
    )


def _suggest(name: str, names: dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(names))}"
