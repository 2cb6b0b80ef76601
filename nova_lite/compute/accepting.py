"""How a verb is accepted: the server's row held, its journal row written in the same transaction, the agent woken."""

from __future__ import annotations

import logging
import uuid as uuidlib
from typing import Any

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.node_client import NodeClient, NodeError, NodeUnavailable
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now

LOG = logging.getLogger(__name__)


class AcceptingVerbs:
    """Base of the verbs that change a server."""

    database: Database
    agent: NodeClient

    def _lock_row(self, connection: Connection, instance: objects.Instance) -> objects.Instance:
        """The server as it is now, held against other writers until the transaction ends."""
        current = db_instances.get(connection, instance.uuid, for_update=True)
        if current is None or current.deleted:
            raise exceptions.InstanceNotFound(instance.uuid)
        return current

    def _journal(
        self,
        connection: Connection,
        context: RequestContext,
        instance: objects.Instance,
        verb: states.Verb,
        args: dict[str, Any],
        state: str = "pending",
        message: str | None = None,
    ) -> int:
        """Write the task state that ``verb`` begins with and its journal row; the row's id.

        Conflict when it is work and the server has no host that could do it.
        """
        if state == "pending" and not instance.host:
            raise exceptions.Conflict(f"Instance {instance.uuid} is not ready")
        if verb.task_state is not None:
            db_instances.update(
                connection, instance.uuid, {"task_state": verb.task_state, "updated_at": now()}
            )
        return db_operations.insert(
            connection,
            {
                "uuid": str(uuidlib.uuid4()),
                "instance_uuid": instance.uuid,
                "action": verb.action,
                "host": instance.host,
                "state": state,
                "request_id": context.request_id,
                "user_id": context.user_id,
                "project_id": context.project_id,
                "message": message,
                "args": args,
            },
        )

    def _accept(
        self,
        context: RequestContext,
        instance: objects.Instance,
        verb: states.Verb,
        args: dict[str, Any] | None = None,
    ) -> None:
        """Check the server's lock and state, then write its task state and a journal row; poke the agent."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(verb, current)
            self._journal(connection, context, current, verb, args or {})
        self._poke(current.host)

    def _ask_agent(self, instance: objects.Instance, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What the agent of its host answers; Unavailable when it does not, Conflict when it has no such VM."""
        try:
            return self.agent.call(method, params)
        except NodeUnavailable as error:
            raise exceptions.Unavailable(
                f"Compute service of {instance.host} is unavailable at this time."
            ) from error
        except NodeError as error:
            if error.name == "ServerNotFound":
                raise exceptions.Conflict(f"Instance {instance.uuid} is not ready") from error
            raise exceptions.Unavailable(str(error)) from error

    def _poke(self, host: str) -> None:
        """Wake the agent; it also looks by itself every few seconds, so a failure is only logged."""
        if not host:
            return
        try:
            self.agent.call("Agent.wake", {})
        except NodeError as error:
            LOG.warning("The agent of %s could not be woken (%s); its work waits.", host, error)
