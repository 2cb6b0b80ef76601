"""Security groups as users ask for them: groups and rules, checked before they are written."""

from __future__ import annotations

import ipaddress
import uuid as uuidlib

import sqlalchemy as sa

from nova_lite import exceptions, objects
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Database

#: Protocols by the names that IANA gave them (protocol-numbers), as far as Neutron knows them.
NUMBERS = {
    "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "rsvp": 46, "gre": 47, "esp": 50,
    "ah": 51, "ospf": 89, "vrrp": 112, "pgm": 113, "sctp": 132, "udplite": 136,
}  # fmt: skip
#: Those of IPv6 alone, also by number.
_IPV6_NUMBERS = {"icmpv6": 58, "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60}
_WITH_PORTS = ("tcp", "udp", "icmp", "58")


def checked_rule(
    group_id: str,
    direction: str,
    protocol: str | None = None,
    low: int | None = None,
    high: int | None = None,
    remote_ip: str | None = None,
    remote_group: str | None = None,
    ethertype: str = "IPv4",
    description: str = "",
) -> objects.SecurityGroupRule:
    """A rule, checked. Invalid names the field that is wrong.

    :param protocol: a name or a number; tcp, udp and icmp are kept as names, all others as numbers.
    :param low: and ``high``: a range of ports; for icmp a type, and a code or None.
    :param ethertype: guests have no IPv6, so what is allowed of that never comes.
    """
    if direction not in ("ingress", "egress"):
        raise exceptions.Invalid(f"direction: {direction} is neither ingress nor egress")
    protocol = _protocol(protocol)
    is_icmp = protocol in ("icmp", "58")
    if low is not None or high is not None:
        if protocol not in _WITH_PORTS:
            raise exceptions.Invalid("port: only tcp, udp and icmp have any")
        if low is None or (high is None and not is_icmp):
            raise exceptions.Invalid("port: a range has a first and a last one")
        largest, smallest = (255, 0) if is_icmp else (65535, 1)
        if not all(smallest <= number <= largest for number in (low, high) if number is not None):
            given = low if high in (None, low) else f"{low}-{high}"
            raise exceptions.Invalid(f"port: {given} is not within {smallest} to {largest}")
        if not is_icmp and high is not None and low > high:
            raise exceptions.Invalid(f"port: {low}-{high} is empty")
    if remote_ip and remote_group:
        raise exceptions.Invalid("remote_ip: cannot stand together with a remote group")
    if remote_ip:
        family: type[ipaddress.IPv4Network | ipaddress.IPv6Network] = ipaddress.IPv4Network
        if ethertype == "IPv6":
            family = ipaddress.IPv6Network
        try:
            family(remote_ip, strict=False)  # kept as it was written, as Neutron does
        except ValueError as error:
            raise exceptions.Invalid(f"remote_ip: {error}") from error
    return objects.SecurityGroupRule(
        str(uuidlib.uuid4()),
        group_id,
        direction,
        protocol,
        low,
        high,
        remote_ip or None,
        remote_group,
        ethertype,
        description,
    )


def _protocol(given: str | None) -> str | None:
    if given is None or given.lower() == "any":
        return None
    number = (NUMBERS | _IPV6_NUMBERS).get(given.lower())
    if number is None:
        if not (given.isascii() and given.isdigit() and int(given) <= 255):
            raise exceptions.Invalid(f"protocol: {given[:40]} is neither tcp, udp, icmp nor a number up to 255")
        number = int(given)
    return {1: "icmp", 6: "tcp", 17: "udp"}.get(number, str(number))


def rule(
    group_id: str,
    direction: str,
    protocol: str | None,
    port_range: str | None,
    remote_ip: str | None,
    remote_group: str | None,
) -> objects.SecurityGroupRule:
    """A rule, checked. :param port_range: ``22`` or ``8000-8080``; for icmp a type, or ``type-code``. Invalid names
    the field that is wrong."""
    low = high = None
    if port_range is not None:
        first, dash, last = port_range.partition("-")
        if not all(part.isascii() and part.isdigit() for part in (first, *([last] if dash else []))):
            raise exceptions.Invalid(f"port: {port_range} is neither a number nor two with a dash")
        low = int(first)
        high = int(last) if dash else (None if protocol == "icmp" else low)
    return checked_rule(group_id, direction, protocol, low, high, remote_ip, remote_group)


def add_group(database: Database, project_id: str, name: str, description: str = "") -> objects.SecurityGroup:
    """Conflict when the project has one of that name; Invalid for a name that cannot be."""
    if not 1 <= len(name) <= 255 or len(description) > 255:
        raise exceptions.Invalid("name: 1 to 255 characters are needed, and a description has at most 255")
    try:
        with database.write() as connection:
            return db_groups.insert(connection, project_id, name, description)
    except sa.exc.IntegrityError as error:
        raise exceptions.Conflict(f"Security group {name} already exists in project {project_id}.") from error
