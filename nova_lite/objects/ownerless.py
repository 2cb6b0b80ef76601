"""What belongs to no project: flavors, hosts, services. Who may act on it depends on the caller's roles alone."""

from __future__ import annotations


class Ownerless:
    """Policy is asked before such an object is looked for: who may not act on any learns of none whether it exists."""

    def policy_target(self) -> dict[str, object]:
        return {}
