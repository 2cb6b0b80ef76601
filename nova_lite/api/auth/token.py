"""``token``: a file of hashed tokens (see tokens.py and ``nova-lite token``); the default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nova_lite.api.auth.tokens import TokenFile
from nova_lite.context import RequestContext


class TokenAuth:
    def __init__(self, path: str | Path, expand_roles: Callable[[list[str]], list[str]]) -> None:
        self._file = TokenFile(Path(path))
        self._expand_roles = expand_roles

    def __call__(self, token: str | None, request_id: str, global_request_id: str | None) -> RequestContext | None:
        record = self._file.lookup(token) if token else None
        if record is None:
            return None
        return RequestContext(
            user_id=record.user_id,
            user_name=record.user_name,
            project_id=record.project_id,
            project_name=record.project_name,
            roles=self._expand_roles(list(record.roles)),
            request_id=request_id,
            global_request_id=global_request_id,
        )
