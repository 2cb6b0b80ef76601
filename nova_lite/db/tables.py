"""Every table. Rows that belong to a host name it, so that more hosts can share one database.

A change here needs a migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from nova_lite.db.times import UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rowids in INTEGER columns only; PostgreSQL gets the wide type, and JSON that it can search.
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# Words for words the condition of an index: a query that is to use it must have just these, not parameters.
OUTSTANDING = sa.text("state IN ('pending', 'running')")


def _id() -> sa.Column[int]:
    return sa.Column("id", Serial, primary_key=True, autoincrement=True)


instances = sa.Table(
    "instances",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("display_name", sa.String(255), nullable=False),
    sa.Column("hostname", sa.String(255), nullable=False),
    sa.Column("flavor", Json, nullable=False),
    sa.Column("image_ref", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("vm_state", sa.String(32), nullable=False),
    sa.Column("task_state", sa.String(64)),
    sa.Column("power_state", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("launched_at", UtcDateTime),
    sa.Column("terminated_at", UtcDateTime),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("display_description", sa.Text),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("tags", Json, nullable=False),
    sa.Column("image_properties", Json, nullable=False),
    sa.Column("key_name", sa.String(255)),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("pinned_availability_zone", sa.String(255)),
    sa.Column("config_drive", sa.Boolean, nullable=False),
    sa.Column("user_data", sa.Text),
    sa.Column("access_ip_v4", sa.String(64)),
    sa.Column("access_ip_v6", sa.String(64)),
    sa.Column("disk_config", sa.String(16), nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("locked_by", sa.String(16)),
    sa.Column("locked_reason", sa.Text),
    sa.Column("reservation_id", sa.String(64), nullable=False),
    sa.Column("launch_index", sa.Integer, nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("root_device_name", sa.String(64)),
    sa.Column("kernel_id", sa.String(64), nullable=False),
    sa.Column("ramdisk_id", sa.String(64), nullable=False),
    sa.Column("scheduler_hints", Json, nullable=False),
    sa.Column("trusted_image_certificates", Json),
    sa.Column("fault_code", sa.Integer),
    sa.Column("fault_message", sa.Text),
    sa.Column("fault_created", UtcDateTime),
    sa.Column("fault_details", sa.Text),
    # Repeated from the flavor, for sums (quota, capacity) and filters.
    sa.Column("flavor_id", sa.String(255), nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("root_gb", sa.Integer, nullable=False),
    sa.Column("keypair", Json),
    sa.Column("injected_files", Json, nullable=False, server_default="[]"),
    sa.Column("system_metadata", Json, nullable=False, server_default="{}"),
    sa.Index(None, "project_id", "deleted", "created_at"),
    sa.Index(None, "deleted", "created_at"),
    sa.Index(None, "host", "deleted"),
    sa.Index(None, "updated_at"),
)

operations = sa.Table(
    "operations",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("request_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255)),
    sa.Column("project_id", sa.String(255)),
    sa.Column("start_time", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("message", sa.Text),
    sa.Column("args", Json, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Index(None, "instance_uuid", "id"),
    # What is to be done stays quick to find, however long the history grows.
    sa.Index(
        "ix_operations_outstanding",
        "host",
        "id",
        sqlite_where=OUTSTANDING,
        postgresql_where=OUTSTANDING,
    ),
)

operation_events = sa.Table(
    "operation_events",
    metadata,
    _id(),
    sa.Column("operation_id", Serial, sa.ForeignKey("operations.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255)),
    sa.Column("start_time", UtcDateTime, nullable=False),
    sa.Column("finish_time", UtcDateTime),
    sa.Column("result", sa.String(16)),
    sa.Column("details", sa.Text),
    sa.Column("traceback", sa.Text),
)

flavors = sa.Table(
    "flavors",
    metadata,
    _id(),
    sa.Column("flavorid", sa.String(255), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("root_gb", sa.Integer, nullable=False),
    sa.Column("ephemeral_gb", sa.Integer, nullable=False),
    sa.Column("swap", sa.Integer, nullable=False),
    sa.Column("rxtx_factor", sa.Float, nullable=False),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

flavor_extra_specs = sa.Table(
    "flavor_extra_specs",
    metadata,
    sa.Column("flavor_id", Serial, sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)

flavor_projects = sa.Table(
    "flavor_projects",
    metadata,
    sa.Column("flavor_id", Serial, sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", sa.String(255), primary_key=True),
)

keypairs = sa.Table(
    "keypairs",
    metadata,
    _id(),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.String(255), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
)

services = sa.Table(
    "services",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("binary", sa.String(64), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)),
    sa.Column("forced_down", sa.Boolean, nullable=False),
    sa.Column("last_seen_up", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
    sa.UniqueConstraint("host", "binary"),
)

compute_nodes = sa.Table(
    "compute_nodes",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("host", sa.String(255), nullable=False, unique=True),
    sa.Column("host_ip", sa.String(64), nullable=False),
    sa.Column("hypervisor_type", sa.String(64), nullable=False),
    sa.Column("hypervisor_version", sa.Integer, nullable=False),
    sa.Column("kvm_kind", sa.String(16), nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("local_gb", sa.Integer, nullable=False),
    sa.Column("cpu_info", Json, nullable=False),
    sa.Column("uptime", sa.String(255)),
    sa.Column("disk_available_least", sa.Integer),  # GiB that are free in truth, when its agent last said so
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

images = sa.Table(
    "images",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("kernel", sa.String(255), nullable=False),
    sa.Column("kernel_format", sa.String(16), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("visibility", sa.String(16), nullable=False),
    sa.Column("project_id", sa.String(255)),
    sa.Column("min_disk", sa.Integer, nullable=False),
    sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("cmdline", sa.Text, nullable=False),
    sa.Column("properties", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("initramfs", sa.String(255)),
    sa.Column("disk", sa.String(255)),
    sa.Column("disk_format", sa.String(16)),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("os_hash_algo", sa.String(16)),
    sa.Column("os_hash_value", sa.String(128)),
    sa.Column("data", sa.String(255)),
    sa.Column("checksum", sa.String(32)),
    sa.Column("container_format", sa.String(16)),
    sa.Column("protected", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("os_hidden", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("tags", Json, nullable=False, server_default="[]"),
)

block_device_mapping = sa.Table(
    "block_device_mapping",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False, index=True),
    sa.Column("source_type", sa.String(16), nullable=False),
    sa.Column("destination_type", sa.String(16), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("boot_index", sa.Integer, nullable=False),
    sa.Column("device_name", sa.String(64), nullable=False),
    sa.Column("guest_format", sa.String(255)),
    sa.Column("image_id", sa.String(36), index=True),
    sa.Column("delete_on_termination", sa.Boolean, nullable=False),
    sa.Column("tag", sa.String(255)),
    sa.Column("volume_id", sa.String(36), index=True, unique=True),
    sa.Column("attachment_id", sa.String(36)),
)

volumes = sa.Table(
    "volumes",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("image_id", sa.String(36), index=True),
    sa.Column("user_id", sa.String(255)),
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("image_metadata", Json, nullable=False, server_default="{}"),
    sa.Column("snapshot_id", sa.String(36)),
    sa.Column("source_volid", sa.String(36)),
    sa.Column("said_bootable", sa.Boolean),
)

volume_snapshots = sa.Table(
    "volume_snapshots",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("volume_id", sa.String(36), nullable=False, index=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255)),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("image_id", sa.String(36), index=True),
    sa.Column("image_metadata", Json, nullable=False, server_default="{}"),
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

migrations = sa.Table(
    "migrations",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False, index=True),
    sa.Column("migration_type", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("source_compute", sa.String(255), nullable=False),
    sa.Column("dest_compute", sa.String(255)),
    sa.Column("dest_host", sa.String(255)),
    sa.Column("old_flavor_id", sa.Integer),
    sa.Column("new_flavor_id", sa.Integer),
    sa.Column("user_id", sa.String(255)),
    sa.Column("project_id", sa.String(255)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "created_at", "id"),
)

console_auth_tokens = sa.Table(
    "console_auth_tokens",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column(
        "instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("console_type", sa.String(32), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

server_groups = sa.Table(
    "server_groups",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False, index=True),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("policy", sa.String(32), nullable=False),
    sa.Column("rules", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

server_group_members = sa.Table(
    "server_group_members",
    metadata,
    # A server is in one group at most.
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), primary_key=True),
    sa.Column(
        "group_id", Serial, sa.ForeignKey("server_groups.id", ondelete="CASCADE"), nullable=False, index=True
    ),
)

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

identity_projects = sa.Table(
    "identity_projects",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("tags", Json, nullable=False),
)

identity_users = sa.Table(
    "identity_users",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("password_hash", sa.String(255)),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("email", sa.String(255)),
    sa.Column("description", sa.Text),
    sa.Column("default_project_id", sa.String(64)),
    # Tokens that were issued before do not count any more.
    sa.Column("tokens_valid_after", UtcDateTime, nullable=False),
)

identity_roles = sa.Table(
    "identity_roles",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("description", sa.Text),
)

identity_assignments = sa.Table(
    "identity_assignments",
    metadata,
    *(
        sa.Column(
            f"{kind}_id",
            sa.String(64),
            sa.ForeignKey(f"identity_{kind}s.id", ondelete="CASCADE"),
            primary_key=True,
            index=kind != "user",  # the key begins with the user
        )
        for kind in ("user", "project", "role")
    ),
)

identity_revocations = sa.Table(
    "identity_revocations",
    metadata,
    sa.Column("audit_id", sa.String(32), primary_key=True),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

aggregates = sa.Table(
    "aggregates",
    metadata,
    _id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime),
)

aggregate_hosts = sa.Table(
    "aggregate_hosts",
    metadata,
    sa.Column("aggregate_id", Serial, sa.ForeignKey("aggregates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True, index=True),
)

quotas = sa.Table(
    "quotas",
    metadata,
    sa.Column("project_id", sa.String(255), primary_key=True),
    sa.Column("user_id", sa.String(255), primary_key=True),  # empty: of the whole project
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

quota_classes = sa.Table(
    "quota_classes",
    metadata,
    sa.Column("class_name", sa.String(255), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

changes = sa.Table(
    "changes",
    metadata,
    _id(),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("instance_uuid", sa.String(36), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("vm_state", sa.String(32)),
    sa.Column("task_state", sa.String(64)),
    sa.Column("power_state", sa.Integer),
    sa.Column("operation_uuid", sa.String(36)),
    sa.Column("action", sa.String(64)),
    sa.Column("state", sa.String(16)),
    sa.Column("message", sa.Text),
    sa.Column("request_id", sa.String(255)),
    sqlite_autoincrement=True,  # a number is never given twice: clients go on from the last one that they saw
)
