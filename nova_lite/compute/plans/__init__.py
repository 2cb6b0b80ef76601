"""What the agent does for each verb: one file per family of verbs, each with its ``PLANS`` by the verb's name.

A plan is data, so that one function (``work.Work.run``) is the only way through them.
"""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute.plans import devices, images, life, power, rebuild, rescue, resize, shelve
from nova_lite.compute.plans.base import Plan

_FAMILIES = (life, power, devices, images, rebuild, resize, rescue, shelve)
PLANS: dict[str, Plan] = {name: plan for family in _FAMILIES for name, plan in family.PLANS.items()}


def plan_of(operation: objects.Operation) -> Plan | None:
    """None for a verb that this host does not know."""
    if operation.action == "reboot" and operation.args.get("hard"):
        return power.REBOOT_HARD
    if operation.action == "delete" and operation.args.get("soft"):
        return life.SOFT_DELETE
    if operation.action == "shelve" and operation.args.get("offload"):
        return shelve.AND_OFFLOAD if operation.args.get("image_id") else shelve.VOLUME_BACKED
    return PLANS.get(operation.action)
