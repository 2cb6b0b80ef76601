"""What Nova once had and has removed: at these paths, and to these actions, it answers 410 Gone at every version.

Source: the routes of Nova's compute API whose controllers are marked as removed. docs/compatibility.md
lists them.
"""

from __future__ import annotations

from collections.abc import Mapping

from nova_lite.api.versions import Version

_METHODS = {
    "/os-agents": "GET POST",
    "/os-agents/{id}": "PUT DELETE",
    "/os-cells": "GET POST",
    "/os-cells/capacities": "GET",
    "/os-cells/detail": "GET",
    "/os-cells/info": "GET",
    "/os-cells/sync_instances": "POST",
    "/os-cells/{id}": "GET PUT DELETE",
    "/os-cells/{id}/capacities": "GET",
    "/os-certificates": "POST",
    "/os-certificates/{id}": "GET",
    "/os-cloudpipe": "GET POST",
    "/os-cloudpipe/{id}": "PUT",
    "/os-fixed-ips/{id}": "GET",
    "/os-fixed-ips/{id}/action": "POST",
    "/os-floating-ip-dns": "GET",
    "/os-floating-ip-dns/{id}": "PUT DELETE",
    "/os-floating-ip-dns/{id}/entries/{entry_id}": "GET PUT DELETE",
    "/os-floating-ips-bulk": "GET POST",
    "/os-floating-ips-bulk/{id}": "GET PUT",
    "/os-fping": "GET",
    "/os-fping/{id}": "GET",
    "/os-networks": "POST",
    "/os-networks/add": "POST",
    "/os-networks/{id}": "DELETE",
    "/os-networks/{id}/action": "POST",
    "/os-security-group-default-rules": "GET POST",
    "/os-security-group-default-rules/{id}": "GET DELETE",
    "/os-tenant-networks": "POST",
    "/os-tenant-networks/{id}": "DELETE",
    "/servers/{server_id}/consoles": "GET POST",
    "/servers/{server_id}/consoles/{id}": "GET DELETE",
    "/servers/{server_id}/os-virtual-interfaces": "GET",
}
PATHS: Mapping[str, frozenset[str]] = {path: frozenset(methods.split()) for path, methods in _METHODS.items()}
_LAST_WITH_VOLUMES_BOOT = Version(2, 102)
#: What was once another way to boot from a volume is another name of servers.
ALIASES = {
    "/os-volumes_boot": ("/servers", _LAST_WITH_VOLUMES_BOOT),
    "/os-volumes_boot/detail": ("/servers/detail", _LAST_WITH_VOLUMES_BOOT),
    "/os-volumes_boot/{server_id}": ("/servers/{server_id}", _LAST_WITH_VOLUMES_BOOT),
    "/os-volumes_boot/{server_id}/action": ("/servers/{server_id}/action", _LAST_WITH_VOLUMES_BOOT),
}
SERVER_ACTIONS = frozenset({"resetNetwork"})
MESSAGE = "This API is gone: it was removed from the Compute API."
