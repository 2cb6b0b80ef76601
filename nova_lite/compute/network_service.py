"""The Network service's verbs in one object: what the embedded Network service and Compute's old proxies call."""

from __future__ import annotations

from nova_lite.compute.network_verbs import NetworkVerbs
from nova_lite.compute.router_verbs import RouterVerbs
from nova_lite.compute.security_group_verbs import SecurityGroupVerbs
from nova_lite.compute.server_addresses import ServerAddressVerbs
from nova_lite.db import floating_ips as db_floating_ips
from nova_lite.db import networks as db_networks
from nova_lite.db import routers as db_routers
from nova_lite.db import security_groups as db_groups


class NetworkService(NetworkVerbs, SecurityGroupVerbs, RouterVerbs, ServerAddressVerbs):
    """Every verb takes the caller's context first and raises ``nova_lite.exceptions`` only."""

    def used(self, project_id: str) -> dict[str, int]:
        """How many of each kind a project has, by the names of ``limits``."""
        with self.database.read() as connection:
            own = [one for one in db_networks.list_(connection, bare=True) if one.project_id == project_id]
            groups = db_groups.list_(connection, project_id)
            return {
                "network": len(own),
                "subnet": sum(1 for one in own if one.subnet_id),
                "port": len(db_networks.all_ports(connection, project_id)),
                "router": len(db_routers.list_(connection, project_id)),
                "floatingip": len(db_floating_ips.list_(connection, project_id)),
                "security_group": len(groups),
                "security_group_rule": sum(len(group.rules) for group in groups),
            }
