"""Policy of resize, its confirmation and its way back."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base


def _rule(name: str, action: str, description: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"os_compute_api:servers:{name}",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description=description,
        operations=[{"method": "POST", "path": f"/servers/{{server_id}}/action ({action})"}],
        scope_types=["project"],
    )


_RULES = [
    _rule("resize", "resize", "Give a server another flavor."),
    _rule("confirm_resize", "confirmResize", "Keep a resized server as it is now."),
    _rule("revert_resize", "revertResize", "Make a resized server what it was."),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
