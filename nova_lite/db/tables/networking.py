"""Networks, ports, security groups, routers, floating addresses."""

from __future__ import annotations

import sqlalchemy as sa

from nova_lite.db.tables.base import Json, metadata
from nova_lite.db.times import UtcDateTime

networks = sa.Table(
    "networks",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255)),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("description", sa.String(255), nullable=False, server_default=sa.text("''")),
    # Where floating IPs come from; no server has a card on it.
    sa.Column("external", sa.Boolean, nullable=False, server_default=sa.false()),
)

subnets = sa.Table(
    "subnets",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column(
        "network_id", sa.String(36), sa.ForeignKey("networks.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("cidr", sa.String(64), nullable=False),
    sa.Column("gateway_ip", sa.String(64), nullable=False),
    # What is allotted unasked, as numbers, and the last that was: addresses come round as late as can be.
    sa.Column("pool_start", sa.BigInteger, nullable=False),
    sa.Column("pool_end", sa.BigInteger, nullable=False),
    sa.Column("last_allotted", sa.BigInteger, nullable=False),
    sa.Column("dns_servers", Json, nullable=False),
    sa.Column("name", sa.String(255), nullable=False, server_default=sa.text("''")),
    sa.Column("description", sa.String(255), nullable=False, server_default=sa.text("''")),
    sa.Column("enable_dhcp", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("created_at", UtcDateTime),
)

ports = sa.Table(
    "ports",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("network_id", sa.String(36), sa.ForeignKey("networks.id"), nullable=False, index=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("mac_address", sa.String(17), nullable=False, unique=True),
    sa.Column("device_id", sa.String(36), sa.ForeignKey("instances.uuid"), index=True),
    sa.Column("device_index", sa.Integer, nullable=False),
    sa.Column("tag", sa.String(255)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # Kept when its server goes, as it was there before; and whether the VM has had it since it was last started.
    sa.Column("preserve", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("plugged", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("name", sa.String(255), nullable=False, server_default=sa.text("''")),
    sa.Column("description", sa.String(255), nullable=False, server_default=sa.text("''")),
    # Ports that are no cards: of routers (their gateway addresses) and of floating IPs.
    sa.Column("device_owner", sa.String(255), nullable=False, server_default=sa.text("''")),
    sa.Column("owner_id", sa.String(36), index=True),
)

fixed_ips = sa.Table(
    "fixed_ips",
    metadata,
    sa.Column("port_id", sa.String(36), sa.ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("subnet_id", sa.String(36), sa.ForeignKey("subnets.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # the address: one port has it
    sa.Column("ip_address", sa.String(64), nullable=False, index=True),
)

security_groups = sa.Table(
    "security_groups",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "name"),
)

security_group_rules = sa.Table(
    "security_group_rules",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column(
        "security_group_id",
        sa.String(36),
        sa.ForeignKey("security_groups.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("protocol", sa.String(8)),
    sa.Column("port_range_min", sa.Integer),
    sa.Column("port_range_max", sa.Integer),
    sa.Column("remote_ip_prefix", sa.String(64)),
    sa.Column("remote_group_id", sa.String(36), sa.ForeignKey("security_groups.id")),
    sa.Column("ethertype", sa.String(4), nullable=False, server_default="IPv4"),
    sa.Column("description", sa.String(255), nullable=False, server_default=sa.text("''")),
)

port_security_groups = sa.Table(
    "port_security_groups",
    metadata,
    sa.Column("port_id", sa.String(36), sa.ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("security_group_id", sa.String(36), sa.ForeignKey("security_groups.id"), primary_key=True),
)

routers = sa.Table(
    "routers",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("external_network_id", sa.String(36), sa.ForeignKey("networks.id")),
)

floating_ips = sa.Table(
    "floating_ips",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # The port on the external network that has the address, and the one that it leads to.
    sa.Column("own_port_id", sa.String(36), sa.ForeignKey("ports.id"), nullable=False, unique=True),
    sa.Column("port_id", sa.String(36), sa.ForeignKey("ports.id")),
    sa.Column("fixed_ip_address", sa.String(64)),
    sa.UniqueConstraint("port_id", "fixed_ip_address"),
)
