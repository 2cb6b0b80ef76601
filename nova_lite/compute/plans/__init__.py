"""What the agent does for each verb: one file per family of verbs, each with its ``PLANS`` by the verb's name.

A plan is data, so that one function (``work.Work.run``) is the only way through them.
"""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute.plans import devices, images, life, power, shelve
from nova_lite.compute.plans.base import Plan

PLANS: dict[str, Plan] = {**life.PLANS, **power.PLANS, **devices.PLANS, **images.PLANS, **shelve.PLANS}


def plan_of(operation: objects.Operation) -> Plan | None:
    """None for a verb that this host does not know."""
    if operation.action == "reboot" and operation.args.get("hard"):
        return power.REBOOT_HARD
    if operation.action == "delete" and operation.args.get("soft"):
        return life.SOFT_DELETE
    if operation.action == "shelve" and operation.args.get("offload"):
        return shelve.AND_OFFLOAD if operation.args.get("image_id") else shelve.VOLUME_BACKED
    return PLANS.get(operation.action)
