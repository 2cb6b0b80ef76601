"""``noauth2``: the token itself says who the caller is. For tests only.

Nova's and Placement's form: ``admin`` is an administrator of project ``admin``; ``user:project`` is that user there
with the member role. Ours adds ``user:project:role,role``, so that a test can be anyone, also nobody
(``user:project:``).
"""

from __future__ import annotations

from collections.abc import Callable

from nova_lite.context import RequestContext


class NoAuth2:
    def __init__(self, expand_roles: Callable[[list[str]], list[str]]) -> None:
        self._expand_roles = expand_roles

    def __call__(self, token: str | None, request_id: str, global_request_id: str | None) -> RequestContext | None:
        if not token:
            return None
        user, _, rest = token.partition(":")
        project, given, roles = rest.partition(":")
        names = [role for role in roles.split(",") if role] if given else (["admin"] if user == "admin" else ["member"])
        return RequestContext(
            user_id=user,
            project_id=project or user,
            roles=self._expand_roles(names),
            request_id=request_id,
            global_request_id=global_request_id,
        )
