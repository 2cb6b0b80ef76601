"""The firewall as text for nft(8): two tables of our own, replaced or added to in one transaction.

Guests of one network do not reach each other by the bridge: their ports are isolated, the host answers their ARP
requests and routes between them. So every packet passes the host's IP layer, where connections are tracked, and no
kernel needs connection tracking in bridges. A guest's address is that of its tap alone: table ``bridge`` sees to that;
table ``inet`` may then go by addresses. A floating address becomes the server's own before anything else is decided,
so rules of security groups see that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from nova_lite.network.layout import METADATA_ADDRESS, METADATA_PORT, Layout, Network, Port, Rule, short

# {t} is the name of both tables.
_BASE = """
add table inet {t}
delete table inet {t}
add table inet {t}
add set inet {t} bridges {{ type ifname; }}
add set inet {t} ranges {{ type ipv4_addr; flags interval; }}
add set inet {t} gateways {{ type ipv4_addr; }}
add map inet {t} senders {{ type ipv4_addr : verdict; }}
add map inet {t} receivers {{ type ipv4_addr : verdict; }}
add map inet {t} crossings {{ type ifname : verdict; }}
add map inet {t} floating {{ type ipv4_addr : ipv4_addr; }}
add map inet {t} floated {{ type ipv4_addr : ipv4_addr; }}
add chain inet {t} inwards {{ type nat hook prerouting priority dstnat; }}
add rule inet {t} inwards dnat ip to ip daddr map @floating
add chain inet {t} inwards_of_host {{ type nat hook output priority -100; }}
add rule inet {t} inwards_of_host dnat ip to ip daddr map @floating
add chain inet {t} to_guest
add rule inet {t} to_guest oifname != @bridges accept
add rule inet {t} to_guest ip daddr vmap @receivers
add rule inet {t} to_guest drop
add chain inet {t} from_guest
add rule inet {t} from_guest iifname vmap @crossings
add rule inet {t} from_guest ip saddr vmap @senders
add rule inet {t} from_guest drop
add chain inet {t} forwarded {{ type filter hook forward priority filter; }}
add rule inet {t} forwarded iifname != @bridges oifname != @bridges accept
add rule inet {t} forwarded ct state established,related accept
add rule inet {t} forwarded ct state invalid drop
add rule inet {t} forwarded iifname @bridges goto from_guest
add rule inet {t} forwarded goto to_guest
add chain inet {t} to_host {{ type filter hook input priority filter; }}
add rule inet {t} to_host iifname != @bridges accept
add rule inet {t} to_host ct state established,related accept
add rule inet {t} to_host udp sport 68 udp dport 67 accept
add rule inet {t} to_host ip daddr @gateways udp dport 53 accept
add rule inet {t} to_host ip daddr @gateways tcp dport 53 accept
add rule inet {t} to_host ip daddr @gateways icmp type echo-request accept
add rule inet {t} to_host ip daddr {metadata} tcp dport {metadata_port} accept
add rule inet {t} to_host drop
add chain inet {t} from_host {{ type filter hook output priority filter; }}
add rule inet {t} from_host oifname != @bridges accept
add rule inet {t} from_host ct state established,related accept
add rule inet {t} from_host udp sport 67 udp dport 68 accept
add rule inet {t} from_host goto to_guest
add chain inet {t} outwards {{ type nat hook postrouting priority srcnat; }}
add rule inet {t} outwards oifname != @bridges snat ip to ip saddr map @floated
add rule inet {t} outwards ip saddr @ranges oifname != @bridges masquerade
add table bridge {t}
delete table bridge {t}
add table bridge {t}
add map bridge {t} taps {{ type ifname : verdict; }}
add chain bridge {t} from_taps {{ type filter hook prerouting priority dstnat; }}
add rule bridge {t} from_taps iifname vmap @taps
"""


def everything(table: str, layout: Layout) -> str:
    """Both tables as they are to be, in place of what they were."""
    lines = [_BASE.format(t=table, metadata=METADATA_ADDRESS, metadata_port=METADATA_PORT)]
    for network in layout.networks.values():
        lines += _network(table, network)
    for group in layout.groups:
        lines += _group(table, group)
    for group, rules in layout.groups.items():
        lines += _rules(table, group, rules)
    for port in layout.ports.values():
        lines += _port(table, layout, port)
    return "\n".join(lines) + "\n"


def one_port(table: str, layout: Layout, port: Port, known: Collection[str] = ()) -> str:
    """A further port, with its network and its groups if those are new.

    :param known: ids of networks and groups that the tables have as they are in ``layout``.
    """
    wanted = [layout.networks[port.network_id], *layout.externals()]
    lines = [line for network in wanted if network.id not in known for line in _network(table, network)]
    new = {group: rules for group, rules in layout.groups.items() if group not in known}
    for group in new:
        lines += _group(table, group)
        lines.append(f"flush chain inet {table} gi_{short(group)}")
        lines.append(f"flush chain inet {table} go_{short(group)}")
    for group, rules in new.items():
        lines += _rules(table, group, rules)
    return "\n".join([*lines, *_port(table, layout, port)]) + "\n"


def without_port(table: str, layout: Layout, port: Port) -> str:
    """The tables without a port that they have as it is here."""
    name = short(port.id)
    lines = [f'delete element bridge {table} taps {{ "{port.tap}" }}']
    for address in port.addresses:
        sets = ["senders", "receivers", *(f"members_{short(group)}" for group in port.groups)]
        lines += [f"delete element inet {table} {one} {{ {address} }}" for one in sets]
    for floating, address in port.floating:
        lines.append(f"delete element inet {table} floating {{ {floating} }}")
        lines += [f"delete element inet {table} floated {{ {address} }}"] if layout.routed else []
    for family, chain in (("bridge", f"tap_{name}"), ("inet", f"in_{name}"), ("inet", f"out_{name}")):
        lines += [f"flush chain {family} {table} {chain}", f"delete chain {family} {table} {chain}"]
    return "\n".join(lines) + "\n"


def no_tables(table: str) -> str:
    """Neither table."""
    families = ("inet", "bridge")
    return "".join(f"add table {family} {table}\ndelete table {family} {table}\n" for family in families)


def _network(table: str, network: Network) -> list[str]:
    bridge, crossing = network.bridge, f"cross_{short(network.id)}"
    return [
        f'add element inet {table} bridges {{ "{bridge}" }}',
        f"add element inet {table} ranges {{ {network.cidr} }}",
        f"add element inet {table} gateways {{ {network.gateway} }}",
        # Networks do not see each other: from this bridge only to itself, outside, or to floating addresses.
        f"add chain inet {table} {crossing}",
        f"flush chain inet {table} {crossing}",
        f'add rule inet {table} {crossing} oifname != "{bridge}" oifname @bridges ct status & dnat == 0 drop',
        f'add element inet {table} crossings {{ "{bridge}" : jump {crossing} }}',
    ]


def _group(table: str, group: str) -> list[str]:
    name = short(group)
    return [
        f"add set inet {table} members_{name} {{ type ipv4_addr; }}",
        f"add chain inet {table} gi_{name}",
        f"add chain inet {table} go_{name}",
    ]


def _rules(table: str, group: str, rules: Iterable[Rule]) -> list[str]:
    lines = []
    for rule in rules:
        chain, verdict = ("gi", "accept") if rule.direction == "ingress" else ("go", "goto to_guest")
        lines.append(f"add rule inet {table} {chain}_{short(group)} {_match(rule)}{verdict}")
    return lines


def _match(rule: Rule) -> str:
    parts = []
    remote = "saddr" if rule.direction == "ingress" else "daddr"
    if rule.remote_prefix:
        parts.append(f"ip {remote} {rule.remote_prefix}")
    if rule.remote_group:
        parts.append(f"ip {remote} @members_{short(rule.remote_group)}")
    if rule.protocol == "icmp":
        parts.append("meta l4proto icmp")
        if rule.port_min is not None:
            parts.append(f"icmp type {rule.port_min}")
        if rule.port_max is not None:
            parts.append(f"icmp code {rule.port_max}")
    elif rule.protocol in ("tcp", "udp"):
        parts.append(f"meta l4proto {rule.protocol}")
        if rule.port_min is not None:
            last = rule.port_max if rule.port_max != rule.port_min else None  # nft takes no range of one
            parts.append(f"th dport {rule.port_min}" + (f"-{last}" if last is not None else ""))
    elif rule.protocol is not None:
        parts.append(f"meta l4proto {rule.protocol}")
    return " ".join(parts) + " " if parts else ""


def _port(table: str, layout: Layout, port: Port) -> list[str]:
    name = short(port.id)
    lines = []
    for direction in ("in", "out"):
        chain = f"{direction}_{name}"
        lines += [f"add chain inet {table} {chain}", f"flush chain inet {table} {chain}"]
        lines += [f"add rule inet {table} {chain} jump g{direction[0]}_{short(group)}" for group in port.groups]
        lines.append(f"add rule inet {table} {chain} drop")
    for address in port.addresses:
        lines.append(f"add element inet {table} senders {{ {address} : goto out_{name} }}")
        lines.append(f"add element inet {table} receivers {{ {address} : goto in_{name} }}")
        lines += [f"add element inet {table} members_{short(group)} {{ {address} }}" for group in port.groups]
    for floating, address in port.floating:
        lines.append(f"add element inet {table} floating {{ {floating} : {address} }}")
        lines += [f"add element inet {table} floated {{ {address} : {floating} }}"] if layout.routed else []
    return lines + _spoofing(table, port, f"tap_{name}")


def _spoofing(table: str, port: Port, chain: str) -> list[str]:
    """What may come out of a tap: its own MAC with its own addresses, in ARP too, and DHCP's first words."""
    own = ", ".join(port.addresses)
    rules = [
        f"ether saddr != {port.mac} drop",
        f"ether type arp arp saddr ether != {port.mac} drop",
        f"ether type arp arp saddr ip {{ {', '.join(filter(None, (own, '0.0.0.0')))} }} accept",
        "ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept",
        *([f"ether type ip ip saddr {{ {own} }} accept"] if own else []),
        "drop",
    ]
    return [
        f"add chain bridge {table} {chain}",
        f"flush chain bridge {table} {chain}",
        *(f"add rule bridge {table} {chain} {rule}" for rule in rules),
        f'add element bridge {table} taps {{ "{port.tap}" : goto {chain} }}',
    ]
