"""Policy of the server attributes that only operators see."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-extended-server-attributes",
        check_str=base.ADMIN,
        description="""Show a server's extended attributes.

They are ``OS-EXT-SRV-ATTR:host``, ``hypervisor_hostname`` and ``instance_name``, and from 2.3
``reservation_id``, ``launch_index``, ``hostname``, ``kernel_id``, ``ramdisk_id``,
``root_device_name`` and ``user_data``. Updates answer with them from 2.75.
From 2.90 every caller sees ``hostname``, whatever this rule says. 3.x has the same attributes
without the prefix.
""",
        operations=[
            {"method": "GET", "path": "/servers/{server_id}"},
            {"method": "GET", "path": "/servers/detail"},
            {"method": "PUT", "path": "/servers/{server_id}"},
        ],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
