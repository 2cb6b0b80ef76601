"""Keypair: an ssh or x509 public key of a user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass
class Keypair:
    name: str
    user_id: str
    type: str
    public_key: str
    fingerprint: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: int = 0
    private_key: str | None = None  # only in the answer to the create that generated it; never stored

    def policy_target(self) -> dict[str, object]:
        return {"user_id": self.user_id}
