"""Consoles that a client may connect to: tokens, and the URLs that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.console import page
from nova_lite.console.urls import base_url
from nova_lite.context import RequestContext
from nova_lite.db import console_tokens
from nova_lite.db.console_tokens import ConsoleAuth
from nova_lite.db.engine import Database

SERIAL = "serial"
SERIAL_PAGE = "serial-html5"  # named as Nova names its pages for other protocols; only 3.x knows it


@dataclass(frozen=True)
class ConsoleURL:
    """Where a client finds a console, until ``expires_at``."""

    url: str
    expires_at: datetime


def make(database: Database, base: str, instance_uuid: str, host: str, console_type: str, seconds: int) -> ConsoleURL:
    """A URL at the proxy ``base``, with a new token: of the WebSocket, or of the page that uses it."""
    with database.write() as connection:
        token, expires_at = console_tokens.create(connection, instance_uuid, console_type, host, seconds)
    return ConsoleURL(page.url(base, token) if console_type == SERIAL_PAGE else f"{base}?token={token}", expires_at)


class ConsoleVerbs:
    """/servers/{id}/remote-consoles and /os-console-auth-tokens."""

    conf: cfg.ConfigOpts
    database: Database

    def create_console(
        self, context: RequestContext, instance: objects.Instance, protocol: str, console_type: str
    ) -> ConsoleURL:
        """A URL with a token that opens the server's serial console for ``[consoleauth] token_ttl`` seconds: by
        WebSocket for the type ``serial``, in a browser for ``serial-html5``.

        Invalid for every other type, as there is no graphical adapter, and when serial consoles are switched off;
        Conflict while the server has no host.
        """
        available = protocol == SERIAL and console_type in (SERIAL, SERIAL_PAGE)
        if not available or not self.conf.serial_console.enabled:
            raise exceptions.Invalid(f"Unavailable console type {console_type}.")
        if not instance.host or instance.task_state == "scheduling":
            raise exceptions.Conflict(f"Instance {instance.uuid} is not ready")
        base, seconds = base_url(self.conf), self.conf.consoleauth.token_ttl
        return make(self.database, base, instance.uuid, instance.host, console_type, seconds)

    def find_console(self, context: RequestContext, token: str) -> ConsoleAuth:
        """What a token opens. NotFound when it opens nothing."""
        with self.database.read() as connection:
            found = console_tokens.find(connection, token)
        if found is None:
            raise exceptions.NotFound("Token not found")
        return found
