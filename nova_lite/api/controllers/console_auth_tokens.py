"""Console tokens: which server's console a token opens."""

from __future__ import annotations

from typing import Any, TypedDict
from urllib.parse import urlsplit

from nova_lite import exceptions, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.times import rfc3339
from nova_lite.console.urls import base_url


class TokenParams(TypedDict):
    console_token: str


class ConsoleAuthTokensController(wsgi.Controller):
    resource = "console_auth_tokens"

    @wsgi.route(
        "GET",
        "/os-console-auth-tokens/{console_token}",
        v3="/console-auth-tokens/{console_token}",
        policy="os_compute_api:os-console-auth-tokens",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.console_auth_tokens.show)
    def show(self, req: wsgi.Request, obj: None, params: TokenParams) -> dict[str, Any]:
        """Show what a console token opens.

        ``host`` and ``port`` are the serial proxy's: a server's own end is a UNIX socket, which only the proxy on its
        host can reach. 404 when the token is unknown or expired, or its server is deleted. Before 2.31 always 400:
        only RDP consoles could be asked for then.
        """
        if req.version < (2, 31):
            raise exceptions.Invalid("Console tokens can be shown from microversion 2.31 on.")
        found = self.compute.find_console(req.context, params["console_token"])
        proxy = urlsplit(base_url(self.compute.conf))
        return {
            "instance_uuid": found.instance_uuid,
            "type": found.console_type,
            "host": proxy.hostname,
            "port": proxy.port or (443 if proxy.scheme == "wss" else 80),
            "internal_access_path": None,
            "expires_at": rfc3339(found.expires_at),
        }
