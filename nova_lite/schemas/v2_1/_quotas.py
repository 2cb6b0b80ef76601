"""The limits that quota sets and quota classes share, by version."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import without

_set_limit = {
    "type": ["integer", "string"],
    "pattern": "^-?[0-9]+$",
    "minimum": -1,
    "maximum": types.MAX_INT,
    "ext:type": "integer",
}
_limit = {"type": "integer", "minimum": -1}

_names = (
    *("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"),
    *("injected_files", "injected_file_content_bytes", "injected_file_path_bytes"),
    *("fixed_ips", "floating_ips", "security_groups", "security_group_rules"),
)
_network = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
_files = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")

# Named by what they hold: everything, without the network's limits, and without those of injected files too.
SETTABLE: dict[str, types.Schema] = dict.fromkeys(_names, _set_limit)
SETTABLE_NO_NETWORK = without(SETTABLE, *_network)
SETTABLE_NO_FILES = without(SETTABLE_NO_NETWORK, *_files)

LIMITS: dict[str, types.Schema] = dict.fromkeys(_names, _limit)
LIMITS_NO_NETWORK = without(LIMITS, *_network)
LIMITS_NO_FILES = without(LIMITS_NO_NETWORK, *_files)
