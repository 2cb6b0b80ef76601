"""ServerGroup: servers of a project that are to be placed by one policy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ServerGroup:
    """``policy`` is affinity, anti-affinity, soft-affinity or soft-anti-affinity; ``rules`` may have
    "max_server_per_host" with anti-affinity; ``members`` are the uuids of its servers, the oldest first."""

    uuid: str
    name: str
    project_id: str
    user_id: str
    policy: str
    rules: dict[str, int] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    id: int = 0

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.project_id, "user_id": self.user_id}
