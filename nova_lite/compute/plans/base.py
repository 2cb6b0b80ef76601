"""What a plan is: the steps of an operation on its host, and what the server is when they are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.server_host import Host
from nova_lite.db.engine import Connection
from nova_lite.hv.driver import PowerState

Columns = dict[str, Any]
Step = Callable[[Host, objects.Instance, objects.Operation], None]

ACTIVE: Columns = {"vm_state": "active", "power_state": int(PowerState.RUNNING)}
STOPPED: Columns = {"vm_state": "stopped", "power_state": int(PowerState.SHUTDOWN)}
PAUSED: Columns = {"vm_state": "paused", "power_state": int(PowerState.PAUSED)}
SUSPENDED: Columns = {"vm_state": "suspended", "power_state": int(PowerState.SHUTDOWN)}
CRASHED: Columns = {"vm_state": "error", "power_state": int(PowerState.CRASHED)}


@dataclass(frozen=True)
class Plan:
    """``verb`` says which task states are its own; ``event`` is the name that instance actions show.

    Every step can be run again after the agent has died in or behind it. ``task_states``: what the server shows from a
    step on, by the step's name.

    ``outcome``: the server's columns when all is done; None where it is then deleted, {} where it stays what it is,
    whether this succeeds or not; a function of the server as it then is where they depend on that. ``ended`` writes
    what else comes of it, in the same transaction. ``failed`` mends what can be mended after a failure and says what
    the server is then; without it, it is what its machine is.
    """

    verb: states.Verb
    event: str
    steps: tuple[tuple[str, Step], ...]
    outcome: Columns | None | Callable[[objects.Instance, objects.Operation], Columns]
    ended: Callable[[Connection, objects.Operation, bool], None] | None = None
    failed: Callable[[Host, objects.Instance, objects.Operation], Columns] | None = None
    task_states: Mapping[str, str] = field(default_factory=dict)
