"""Every table. Rows that belong to a host name it, so that more hosts can share one database.

A change here needs a migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from nova_lite.db.tables.administration import (
    aggregate_hosts,
    aggregates,
    compute_nodes,
    flavor_extra_specs,
    flavor_projects,
    flavors,
    keypairs,
    quota_classes,
    quotas,
    services,
)
from nova_lite.db.tables.base import OUTSTANDING, Json, Serial, metadata
from nova_lite.db.tables.identity import (
    identity_application_credentials,
    identity_assignments,
    identity_projects,
    identity_revocations,
    identity_roles,
    identity_users,
)
from nova_lite.db.tables.networking import (
    fixed_ips,
    floating_ips,
    networks,
    port_security_groups,
    ports,
    routers,
    security_group_rules,
    security_groups,
    subnets,
)
from nova_lite.db.tables.servers import (
    changes,
    console_auth_tokens,
    instances,
    migrations,
    operation_events,
    operations,
    server_group_members,
    server_groups,
)
from nova_lite.db.tables.storage import (
    block_device_mapping,
    images,
    volume_snapshots,
    volumes,
)

__all__ = [
    "Json",
    "OUTSTANDING",
    "Serial",
    "aggregate_hosts",
    "aggregates",
    "block_device_mapping",
    "changes",
    "compute_nodes",
    "console_auth_tokens",
    "fixed_ips",
    "flavor_extra_specs",
    "flavor_projects",
    "flavors",
    "floating_ips",
    "identity_application_credentials",
    "identity_assignments",
    "identity_projects",
    "identity_revocations",
    "identity_roles",
    "identity_users",
    "images",
    "instances",
    "keypairs",
    "metadata",
    "migrations",
    "networks",
    "operation_events",
    "operations",
    "port_security_groups",
    "ports",
    "quota_classes",
    "quotas",
    "routers",
    "security_group_rules",
    "security_groups",
    "server_group_members",
    "server_groups",
    "services",
    "subnets",
    "volume_snapshots",
    "volumes",
]
