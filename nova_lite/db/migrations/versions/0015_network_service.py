"""What the Network service has beyond cards of servers: floating IPs, routers, names and descriptions."""

import sqlalchemy as sa
from alembic import op

from nova_lite.db.times import UtcDateTime

revision = "0015"
down_revision = "0014"

_TEXTS = {
    "networks": ("description",),
    "subnets": ("name", "description"),
    "ports": ("name", "description", "device_owner"),
    "security_group_rules": ("description",),
}


def upgrade() -> None:
    for table, columns in _TEXTS.items():
        for column in columns:
            op.add_column(table, sa.Column(column, sa.String(255), nullable=False, server_default=sa.text("''")))
    op.add_column("networks", sa.Column("external", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("subnets", sa.Column("enable_dhcp", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("subnets", sa.Column("created_at", UtcDateTime()))
    op.add_column("ports", sa.Column("owner_id", sa.String(36)))
    op.create_index("ix_ports_owner_id", "ports", ["owner_id"])
    op.add_column(
        "security_group_rules", sa.Column("ethertype", sa.String(4), nullable=False, server_default="IPv4")
    )
    op.create_table(
        "routers",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("external_network_id", sa.String(36)),
        sa.PrimaryKeyConstraint("id", name="pk_routers"),
        sa.ForeignKeyConstraint(
            ["external_network_id"], ["networks.id"], name="fk_routers_external_network_id_networks"
        ),
    )
    op.create_table(
        "floating_ips",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("description", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("own_port_id", sa.String(36), nullable=False),
        sa.Column("port_id", sa.String(36)),
        sa.Column("fixed_ip_address", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_floating_ips"),
        sa.UniqueConstraint("own_port_id", name="uq_floating_ips_own_port_id"),
        sa.UniqueConstraint("port_id", "fixed_ip_address", name="uq_floating_ips_port_id_fixed_ip_address"),
        sa.ForeignKeyConstraint(["own_port_id"], ["ports.id"], name="fk_floating_ips_own_port_id_ports"),
        sa.ForeignKeyConstraint(["port_id"], ["ports.id"], name="fk_floating_ips_port_id_ports"),
    )
