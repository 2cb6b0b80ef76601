"""What the verbs of the Network service share: who sees what, whose it becomes, how much there may be of it."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from nova_lite.compute.network_errors import OverQuota, PolicyNotAuthorized
from nova_lite.compute.node_client import NodeClient
from nova_lite.compute.refreshing import put_in_force
from nova_lite.context import RequestContext
from nova_lite.db.engine import Database

#: Neutron's names of what is counted per project, with how many of each there may be ([network] quota_*).
QUOTAS = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")


class NetworkBase:
    """``conf``: all options; those of group ``[network]`` are read."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, agent: NodeClient) -> None:
        self.conf, self.database, self.agent = conf, database, agent

    def limits(self) -> dict[str, int]:
        """How many of each kind a project may have; -1 is unlimited."""
        return {name: getattr(self.conf.network, f"quota_{name}") for name in QUOTAS}

    def _within(self, kind: str, used: int) -> None:
        """One more may be made where there are ``used``, counted in this transaction. OverQuota."""
        limit = self.limits()[kind]
        if 0 <= limit <= used:
            raise OverQuota(kind)

    def _put_in_force(self, what: str) -> None:
        put_in_force(self.agent, what)


def sees(context: RequestContext, found: Any) -> bool:
    """Whether something of a project exists for the caller."""
    return bool(context.is_admin) or found.project_id == context.project_id


def scope_of(context: RequestContext) -> str | None:
    """Whose things a listing shows; None for everybody's."""
    return None if context.is_admin else str(context.project_id)


def owner_of(context: RequestContext, wanted: str | None, rule: str) -> str:
    """The project that something new belongs to; only an administrator makes it for another."""
    if wanted and wanted != context.project_id and not context.is_admin:
        raise PolicyNotAuthorized(rule)
    return str(wanted or context.project_id)
