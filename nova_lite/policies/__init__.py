"""Every policy rule with its default, one module per resource, named as the resource.

Entry point ``oslo.policy.policies``: the oslopolicy-* tools and ``nova_lite.api.policy`` read ``list_rules``.
"""

from __future__ import annotations

import importlib
import pkgutil

from oslo_policy import policy


def list_rules() -> list[policy.RuleDefault]:
    """All rules: the shared personas first, then each module's in alphabetical order of the modules.

    :raises ValueError: two modules register the same rule, or a module has no ``list_rules``.
    """
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    names = sorted(modules, key=lambda name: (name != "base", name))
    rules: list[policy.RuleDefault] = []
    owner: dict[str, str] = {}
    for name in names:
        module = importlib.import_module(f"{__name__}.{name}")
        if not hasattr(module, "list_rules"):
            raise ValueError(f"{module.__name__} has no list_rules(); every policy module needs one")
        for rule in module.list_rules():
            if rule.name in owner:
                raise ValueError(f"rule {rule.name!r} is registered by both {owner[rule.name]} and {name}")
            owner[rule.name] = name
            rules.append(rule)
    return rules
