"""Every version of the API as one list, and the version a request asks for.

``HISTORY`` is the only place where a version is declared. The maximum, discovery documents, ``latest``, the
history page, the range checks of ``@wsgi.version`` and the schemas' constants all derive from it.
Major 2 carries Nova's own numbers and meanings, served under ``/v2.1``; major 3 is served under ``/v3``.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import microversion_parse

from nova_lite import exceptions

SERVICE_TYPE = "compute"
HEADER = "OpenStack-API-Version"
LEGACY_HEADER = "X-OpenStack-Nova-API-Version"

# Eighteen digits are more than any version will need; a longer number is not a version at all.
_FORM = re.compile(r"([1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})")


class Version(NamedTuple):
    """One version of the API. Compares with other versions and with plain tuples: ``version >= (2, 53)``."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """'2.53' -> Version(2, 53). ValueError for all that is not two plain numbers ('2.01', 'x')."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a version of the form major.minor")
        return cls(int(match[1]), int(match[2]))


class Entry(NamedTuple):
    """One line of the history: the version and what it changed, in one sentence."""

    version: Version
    sentence: str


_SENTENCES = (
    ("2.1", "The first version: Nova's API v2.0 with every request strictly validated."),
    ("2.2", "Keypairs have a type, ssh or x509; creating one answers 201 and deleting one 204."),
    ("2.3", "Administrators see a server's reservation, kernel, ramdisk, hostname and user data."),
    ("2.4", "Fixed IP addresses show whether they are reserved."),
    ("2.5", "Listing servers honours the filter ip6 for every user."),
    ("2.6", "One resource, remote-consoles, replaces the four actions that opened a console."),
    ("2.7", "Giving a project access to a public flavor is refused with 409."),
    ("2.8", "Remote consoles know the protocol mks."),
    ("2.9", "Servers show whether they are locked."),
    ("2.10", "Administrators may handle the keypairs of another user with user_id."),
    ("2.11", "Services show forced_down, and it can be set."),
    ("2.12", "Virtual interfaces show the network they belong to."),
    ("2.13", "Server groups show the project and the user they belong to."),
    ("2.14", "Evacuating a server no longer takes onSharedStorage and no longer answers with a password."),
    ("2.15", "Server groups know the policies soft-affinity and soft-anti-affinity."),
    ("2.16", "Servers show host_status to administrators."),
    ("2.17", "A crash dump can be triggered inside a server."),
    ("2.18", "The project id in the URL becomes optional."),
    ("2.19", "Servers have a description."),
    ("2.20", "Volumes can be attached to and detached from shelved servers."),
    ("2.21", "Actions of deleted servers can be read."),
    ("2.22", "A running live migration can be forced to complete."),
    ("2.23", "The live migrations of one server can be listed, and migrations show their type."),
    ("2.24", "A running live migration can be aborted."),
    ("2.25", "Live migration takes block_migration 'auto' and no longer disk_over_commit."),
    ("2.26", "Servers have tags, and can be filtered by them."),
    ("2.27", "The version can be asked for with OpenStack-API-Version, common to all OpenStack services."),
    ("2.28", "Hypervisors show cpu_info as an object and no longer as a string."),
    ("2.29", "Evacuating checks the given host with the scheduler, unless force is set."),
    ("2.30", "Live migration checks the given host with the scheduler, unless force is set."),
    ("2.31", "Console tokens of every type can be looked up."),
    ("2.32", "Networks and disks of a new server take a tag that the guest can find them by."),
    ("2.33", "Hypervisors are listed in pages with limit and marker."),
    ("2.34", "Live migration checks its conditions in the background and no longer answers 400 for them."),
    ("2.35", "Keypairs are listed in pages with limit and marker."),
    ("2.36", "The proxies to the image, network and volume services are gone, and so are network quotas."),
    ("2.37", "A new server must say its networks: a list, 'auto' or 'none'."),
    ("2.38", "Listing servers refuses an unknown status."),
    ("2.39", "The image metadata proxy is gone, and limits no longer show maxImageMeta."),
    ("2.40", "Usage reports are read in pages with limit and marker."),
    ("2.41", "Host aggregates show their uuid."),
    ("2.42", "Networks and disks of a new server take a tag again (2.33 and 2.37 refused it by accident)."),
    ("2.43", "The API of physical hosts is gone."),
    ("2.44", "The actions that added and removed fixed and floating addresses are gone."),
    ("2.45", "Creating an image or a backup of a server answers with the image's id in the body."),
    ("2.46", "Responses carry the request id in X-OpenStack-Request-ID as well."),
    ("2.47", "Servers show their flavor as it was when they were built, and no longer a link to it."),
    ("2.48", "Diagnostics have one form for every hypervisor."),
    ("2.49", "Interfaces and volumes attached to a server take a tag."),
    ("2.50", "Quota classes show the quotas of server groups and hide those of networks."),
    ("2.51", "Owners see the events of a server's actions; the event volume-extended is known."),
    ("2.52", "A server can be created with tags."),
    ("2.53", "Services and hypervisors are named by uuid, and searched and updated as one resource."),
    ("2.54", "Rebuilding a server can change its keypair."),
    ("2.55", "Flavors have a description."),
    ("2.56", "Migrating a stopped server takes a host."),
    ("2.57", "Servers no longer take files to inject; rebuilding takes user_data."),
    ("2.58", "Actions of a server are listed in pages, can be limited by time and show updated_at."),
    ("2.59", "Migrations are listed in pages, can be limited by time and show their uuid."),
    ("2.60", "A volume that allows it can be attached to several servers."),
    ("2.61", "Flavors show their extra specs."),
    ("2.62", "Events of an action show the host they ran on."),
    ("2.63", "Servers take a list of trusted image certificates."),
    ("2.64", "Server groups have one policy with rules in place of a list of policies."),
    ("2.65", "A live migration can be aborted while it is queued or being prepared."),
    ("2.66", "Servers, actions and migrations can be limited by a latest time, changes-before."),
    ("2.67", "A new server's block devices take a volume type."),
    ("2.68", "Live migration and evacuation no longer take force."),
    ("2.69", "Servers and services of an unreachable cell are shown with what is known of them."),
    ("2.70", "Attached volumes and interfaces show their tag."),
    ("2.71", "Servers show the server group they belong to."),
    ("2.72", "Servers can be created with ports that ask for guaranteed resources."),
    ("2.73", "Locking a server takes a reason, servers show it, and can be filtered by locked."),
    ("2.74", "Administrators may name the host or hypervisor of a new server."),
    ("2.75", "Unknown keys are refused; updating or rebuilding a server answers with all of it."),
    ("2.76", "External events know power-update."),
    ("2.77", "Unshelving a server takes an availability zone."),
    ("2.78", "Servers show their NUMA topology."),
    ("2.79", "An attached volume can be deleted together with its server."),
    ("2.80", "Migrations show the user and the project they belong to, and can be filtered by them."),
    ("2.81", "Images can be cached ahead of time on the hosts of an aggregate."),
    ("2.82", "External events know accelerator-request-bound."),
    ("2.83", "More filters for listing servers are honoured for every user."),
    ("2.84", "Failed events of an action say why they failed."),
    ("2.85", "Whether an attached volume is deleted together with its server can be changed."),
    ("2.86", "Extra specs of flavors are checked where their meaning is known."),
    ("2.87", "Servers that boot from a volume can be rescued."),
    ("2.88", "Hypervisors no longer show capacity, and show uptime themselves."),
    ("2.89", "Attached volumes show attachment_id and bdm_uuid and no longer id."),
    ("2.90", "The hostname of a server can be chosen, and every user sees it."),
    ("2.91", "Unshelving a server takes a host, and can unpin the availability zone."),
    ("2.92", "Keypairs are only imported, no longer generated, and their names may hold @ and dots."),
    ("2.93", "Servers that boot from a volume can be rebuilt with another image."),
    ("2.94", "The hostname of a server may be a fully qualified domain name."),
    ("2.95", "Evacuated servers stay stopped until their owner starts them."),
    ("2.96", "Servers show the availability zone they are pinned to."),
    ("2.97", "File shares can be attached to servers."),
    ("2.98", "Servers show properties of their image."),
    ("2.99", "Remote consoles know the type spice-direct, and console tokens show the TLS port."),
    ("2.100", "Servers show their scheduler hints."),
    ("2.101", "Attaching a volume answers 202 without a body and finishes later."),
    ("2.102", "Flavors have a name filter and no rxtx_factor; unknown query keys are refused everywhere."),
    ("2.103", "The old alias os-volumes_boot of servers is gone."),
    ("2.104", "Updating a server can pin it to its availability zone and unpin it."),
    ("3.0", "The clean API: plain snake_case names, 202 for all that finishes later, structured errors."),
)

HISTORY: tuple[Entry, ...] = tuple(Entry(Version.parse(number), sentence) for number, sentence in _SENTENCES)

ALL: tuple[Version, ...] = tuple(entry.version for entry in HISTORY)
KNOWN = frozenset(ALL)
MIN_2, MAX_2 = min(v for v in ALL if v.major == 2), max(v for v in ALL if v.major == 2)
MIN_3, MAX_3 = min(v for v in ALL if v.major == 3), max(v for v in ALL if v.major == 3)
MAJORS: dict[int, tuple[Version, Version]] = {2: (MIN_2, MAX_2), 3: (MIN_3, MAX_3)}

_POSITION = {version: position for position, version in enumerate(ALL)}

# The newest version each release of OpenStack Compute shipped with.
RELEASES: tuple[tuple[str, Version], ...] = tuple(
    (name, Version(2, minor))
    for name, minor in (
        ("Kilo", 3),
        ("Liberty", 12),
        ("Mitaka", 25),
        ("Newton", 38),
        ("Ocata", 42),
        ("Pike", 53),
        ("Queens", 60),
        ("Rocky", 65),
        ("Stein", 72),
        ("Train", 79),
        ("Ussuri", 87),
        ("Wallaby", 88),
        ("Xena", 90),
        ("Zed", 93),
        ("2023.1 Antelope", 95),
        ("2024.1 Caracal", 96),
        ("2025.1 Epoxy", 100),
        ("2026.1", 103),
    )
)


def latest(major: int) -> Version:
    """The newest version of a major."""
    return MAJORS[major][1]


def default(major: int) -> Version:
    """The version of a request that names none: the oldest, as in Nova."""
    return MAJORS[major][0]


def names_release(version: Version) -> str | None:
    """The first OpenStack release whose Compute API has this version, or None if no release has."""
    if version.major != 2:
        return None
    position = bisect.bisect_left([newest for _, newest in RELEASES], version)
    return RELEASES[position][0] if position < len(RELEASES) else None


def previous(version: Version) -> Version | None:
    """The version before this one; None before the first. 3.0 follows the newest of 2."""
    position = _POSITION[version]
    return ALL[position - 1] if position else None


def following(version: Version) -> Version | None:
    """The version after this one; None after the newest of all."""
    position = _POSITION[version] + 1
    return ALL[position] if position < len(ALL) else None


# ---- the version of a request --------------------------------------------------------------------------


class InvalidVersion(exceptions.Invalid):
    """The header does not hold a version (400)."""

    def __init__(self, version: str) -> None:
        shown = version if len(version) <= 60 else version[:57] + "..."
        super().__init__(
            f"API Version String {shown} is of invalid format. Must be of format MajorNum.MinorNum."
        )
        self.version = shown


class VersionNotSupported(exceptions.NovaLiteError):
    """A version that this endpoint does not serve (406), and the range that it does serve."""

    def __init__(self, version: Version, min_version: Version, max_version: Version) -> None:
        super().__init__(
            f"Version {version} is not supported by the API. "
            f"Minimum is {min_version} and maximum is {max_version}."
        )
        self.version, self.min_version, self.max_version = version, min_version, max_version


def from_headers(headers: Mapping[str, str], major: int) -> Version:
    """The version a request to the endpoint of ``major`` asks for.

    ``headers`` is a WSGI environ or a mapping of header names. Without a version header: the oldest version.
    ``latest`` is the newest of this major. The common header wins over the legacy one, as in Nova.
    InvalidVersion for a malformed header, VersionNotSupported for one outside of this endpoint's range.
    """
    standard, legacy = _header(headers, HEADER), _header(headers, LEGACY_HEADER)
    if not standard and not legacy:
        return MAJORS[major][0]
    return _negotiate(standard, legacy, major)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    for key in _SPELLINGS[name]:
        value = headers.get(key)
        if value is not None:
            return value
    return None


def _spellings(name: str) -> tuple[str, ...]:
    # WSGI environ, falcon's req.headers, plain lower case, as written: in the order of likelihood.
    return ("HTTP_" + name.upper().replace("-", "_"), name.upper(), name.lower(), name)


_SPELLINGS = {name: _spellings(name) for name in (HEADER, LEGACY_HEADER)}


@functools.lru_cache(maxsize=512)
def _negotiate(standard: str | None, legacy: str | None, major: int) -> Version:
    folded = {}
    if standard:
        _refuse_malformed(standard)
        folded[HEADER.lower()] = standard
    if legacy:
        _refuse_contradiction({part.strip() for part in legacy.split(",")}, legacy)
        folded[LEGACY_HEADER.lower()] = legacy
    text = microversion_parse.get_version(folded, SERVICE_TYPE, [LEGACY_HEADER])
    if text is None:  # only other services were named
        return MAJORS[major][0]
    if text == "latest":
        return latest(major)
    try:
        version = Version.parse(text)
    except ValueError:
        raise InvalidVersion(text) from None
    minimum, maximum = MAJORS[major]
    if not minimum <= version <= maximum:
        raise VersionNotSupported(version, minimum, maximum)
    return version


def _refuse_malformed(header: str) -> None:
    """microversion_parse skips what it cannot read; a client that sent 'compute' or '2.53' must be told."""
    ours = set()
    for part in filter(None, (part.strip() for part in header.split(","))):
        service, _, version = part.partition(" ")
        if not version.strip():
            raise InvalidVersion(part)
        if service.lower() == SERVICE_TYPE:
            ours.add(version.strip())
    _refuse_contradiction(ours, header)


def _refuse_contradiction(versions: set[str], header: str) -> None:
    # WSGI joins repeated headers with commas; the same version twice is harmless, two versions are not.
    if len(versions) > 1:
        raise InvalidVersion(header)


# ---- ranges of versions --------------------------------------------------------------------------------


class RangeError(ValueError):
    """A wrong @wsgi.version: raised at import, the message says what to change."""


class Range(NamedTuple):
    """An unbroken run of versions, both ends included."""

    base: Version
    max: Version

    @classmethod
    def parse(cls, base: str, max: str | None = None) -> Range:
        """('2.1', '2.34') -> Range. Without ``max``: up to the newest of all. RangeError if unknown."""
        ends = []
        for text in (base, max if max is not None else str(ALL[-1])):
            try:
                version = Version.parse(text)
            except ValueError as error:
                raise RangeError(str(error)) from None
            if version not in KNOWN:
                raise RangeError(f"version {version} does not exist: add it to versions.HISTORY first")
            ends.append(version)
        if ends[0] > ends[1]:
            raise RangeError(f"base={ends[0]} comes after max={ends[1]}: swap them")
        return cls(*ends)

    def __str__(self) -> str:
        return str(self.base) if self.base == self.max else f"{self.base} - {self.max}"

    def contains(self, version: Version) -> bool:
        return self.base <= version <= self.max

    def overlap(self, other: Range) -> Range | None:
        """The versions both have, or None."""
        base, last = max(self.base, other.base), min(self.max, other.max)
        return Range(base, last) if base <= last else None

    def versions(self) -> Iterator[Version]:
        return (version for version in ALL if self.contains(version))


def check_ranges(ranges: Iterable[Range], name: str = "operation") -> tuple[Range, ...]:
    """Prove that the ranges of one operation neither overlap nor leave a version out between them.

    Returns them in order. An operation may begin late, end early, and come back with a new major;
    inside a major a hole between two ranges is a mistake. RangeError says which range to change, and how.
    """
    ordered = tuple(sorted(ranges))
    if not ordered:
        raise RangeError(f"{name}: no version range at all; decorate it with @wsgi.version(base=...)")
    for earlier, later in zip(ordered, ordered[1:], strict=False):
        if shared := earlier.overlap(later):
            before = previous(later.base)
            apart = before is not None and before >= earlier.base
            fix = f"end the first with max='{before}'" if apart else "drop one of them"
            raise RangeError(f"{name}: the ranges {earlier} and {later} both hold {shared}: {fix}")
        missing = following(earlier.max)
        if missing != later.base and later.base not in (MIN_2, MIN_3):
            last = previous(later.base)
            hole = f"{missing}" if missing == last else f"{missing} to {last}"
            raise RangeError(
                f"{name}: no range holds {hole}: "
                f"let the range {earlier} end at {last}, or {later} begin at {missing}"
            )
    return ordered
