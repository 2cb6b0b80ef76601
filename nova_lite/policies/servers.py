"""Policy of servers: Nova's rules for the operations that exist here."""

from __future__ import annotations

from typing import Any

from oslo_policy import policy

from nova_lite.policies import base

_INDEX = {"method": "GET", "path": "/servers"}
_DETAIL = {"method": "GET", "path": "/servers/detail"}
_SHOW = {"method": "GET", "path": "/servers/{server_id}"}
_CREATE = {"method": "POST", "path": "/servers"}
_UPDATE = {"method": "PUT", "path": "/servers/{server_id}"}


def _rule(name: str, check_str: str, description: str, *operations: Any) -> policy.RuleDefault:
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=check_str,
        description=description,
        operations=list(operations),
        scope_types=["project"],
    )


def _action(name: str) -> dict[str, str]:
    return {"method": "POST", "path": f"/servers/{{server_id}}/action ({name})"}


_RULES = [
    _rule(
        "os_compute_api:servers:index",
        base.PROJECT_READER_OR_ADMIN,
        "List servers with their names and ids.",
        _INDEX,
    ),
    _rule(
        "os_compute_api:servers:detail",
        base.PROJECT_READER_OR_ADMIN,
        "List servers with everything about them.",
        _DETAIL,
    ),
    _rule(
        "os_compute_api:servers:index:get_all_tenants",
        base.ADMIN,
        "List the servers of every project (all_tenants).",
        _INDEX,
    ),
    _rule(
        "os_compute_api:servers:detail:get_all_tenants",
        base.ADMIN,
        "List the servers of every project with everything about them (all_tenants).",
        _DETAIL,
    ),
    _rule(
        "os_compute_api:servers:allow_all_filters",
        base.ADMIN,
        "Filter a listing by any attribute. Without it, filters that are not open to everyone are ignored.",
        _INDEX,
        _DETAIL,
    ),
    _rule(
        "os_compute_api:servers:show",
        base.PROJECT_READER_OR_ADMIN,
        "Show a server.",
        _SHOW,
    ),
    _rule(
        "os_compute_api:servers:show:flavor-extra-specs",
        base.PROJECT_READER_OR_ADMIN,
        "Show the extra specs in a server's embedded flavor (from 2.47).",
        _DETAIL,
        _SHOW,
        _UPDATE,
    ),
    _rule(
        "os_compute_api:servers:show:host_status",
        base.ADMIN,
        """Show the state of a server's host, whatever it is (from 2.16; in updates from 2.75).

To show it only while it is UNKNOWN, open os_compute_api:servers:show:host_status:unknown-only instead.
""",
        _DETAIL,
        _SHOW,
        _UPDATE,
    ),
    _rule(
        "os_compute_api:servers:show:host_status:unknown-only",
        base.ADMIN,
        """Show the state of a server's host only while it is UNKNOWN.

Asked only if os_compute_api:servers:show:host_status does not pass: an operator may keep that one for
administrators and open this one, so that users can tell a silent host from a broken server.
""",
        _DETAIL,
        _SHOW,
        _UPDATE,
    ),
    _rule(
        "os_compute_api:servers:create",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Create a server.",
        _CREATE,
    ),
    _rule(
        "os_compute_api:servers:create:forced_host",
        base.ADMIN,
        "Create a server on a given host and node, named as zone:host:node in availability_zone.",
        _CREATE,
    ),
    _rule(
        "compute:servers:create:requested_destination",
        base.ADMIN,
        "Create a server on a given host or hypervisor_hostname, if that has room for it (from 2.74).",
        _CREATE,
    ),
    _rule(
        "os_compute_api:servers:create:attach_volume",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Create a server with block devices of one's own choice.",
        _CREATE,
    ),
    _rule(
        "os_compute_api:servers:create:attach_network",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Create a server with networks.",
        _CREATE,
    ),
    _rule(
        "os_compute_api:servers:create:trusted_certs",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Create a server with the ids of trusted image certificates (from 2.63).",
        _CREATE,
    ),
    _rule(
        "os_compute_api:servers:create:zero_disk_flavor",
        base.PROJECT_MEMBER_OR_ADMIN,
        """Boot an image with a flavor whose disk is 0: the root disk is as large as the image.

Nova leaves this to administrators, as such a disk is not counted before it fills the host. Here images may have no
disk at all, and the flavors that ship are of that kind: set it to rule:context_is_admin for Nova's way.
""",
        _CREATE,
    ),
    _rule(
        "os_compute_api:servers:delete",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Delete a server.",
        {"method": "DELETE", "path": "/servers/{server_id}"},
    ),
    _rule(
        "os_compute_api:servers:update",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Change a server's name, description, addresses or host name.",
        _UPDATE,
    ),
    _rule(
        "os_compute_api:servers:reboot",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Reboot a server.",
        _action("reboot"),
    ),
    _rule(
        "os_compute_api:servers:start",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Start a stopped server.",
        _action("os-start"),
    ),
    _rule(
        "os_compute_api:servers:stop",
        base.PROJECT_MEMBER_OR_ADMIN,
        "Stop a server.",
        _action("os-stop"),
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
