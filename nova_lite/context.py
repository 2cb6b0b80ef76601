"""The caller of one request: who, in which project, with which roles."""

from __future__ import annotations

from typing import Any

from oslo_context import context as oslo_context


class RequestContext(oslo_context.RequestContext):  # type: ignore[misc]
    """oslo.context's RequestContext with ``overwrite`` off: a context is handed on, never found in a thread.

    ``user_id``, ``project_id``, ``roles``, ``is_admin``, ``request_id`` ('req-' and a uuid) and
    ``global_request_id``.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("overwrite", False)
        super().__init__(**kwargs)
