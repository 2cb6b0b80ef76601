"""Operation: one accepted request in the journal; os-instance-actions is a view on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Event:
    """One step of an operation. ``result`` is None while it runs, then Success or Error."""

    name: str
    start_time: datetime
    finish_time: datetime | None = None
    result: str | None = None
    details: str | None = None
    traceback: str | None = None
    host: str | None = None


@dataclass
class Operation:
    """``state``: pending (accepted, on disk), running (claimed by the agent), done, failed."""

    id: int
    uuid: str
    instance_uuid: str
    action: str
    host: str
    state: str
    request_id: str
    user_id: str
    project_id: str
    start_time: datetime
    updated_at: datetime | None = None
    message: str | None = None
    args: dict[str, object] = field(default_factory=dict)
    attempts: int = 0
    events: list[Event] = field(default_factory=list)
