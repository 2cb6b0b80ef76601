"""What the agent asks for by itself: servers whose time is over are deleted for good, or leave the host.

It accepts these as requests are accepted, into the journal; what becomes of them is seen in instance actions.
"""

from __future__ import annotations

import logging
import uuid as uuidlib
from collections.abc import Callable
from datetime import datetime, timedelta

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.deletion import DeleteVerbs
from nova_lite.compute.shelve import ShelveVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db.engine import Database
from nova_lite.db.times import now

LOG = logging.getLogger(__name__)

_RECLAIM_SECONDS = 60  # between looks, as Nova's periodic tasks


class Housekeeping(DeleteVerbs, ShelveVerbs):
    """``wake`` is called when there is work."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, wake: Callable[[], None]) -> None:
        self.conf, self.database, self._wake = conf, database, wake

    def pauses(self) -> list[tuple[float, Callable[[], None]]]:
        """What is to be looked for, each with the seconds between two looks; empty when no option asks for any."""
        reclaim, offload = self.conf.compute.reclaim_instance_interval, self.conf.compute.shelved_offload_time
        wanted: list[tuple[float, Callable[[], None]]] = []
        if reclaim > 0:
            wanted.append((min(_RECLAIM_SECONDS, reclaim), self.reclaim))
        if offload > 0:
            wanted.append((min(self.conf.compute.shelved_poll_interval, offload), self.offload))
        return wanted

    def reclaim(self) -> None:
        """Delete for good what was deleted long enough ago."""
        for instance in self._due("soft-delete", states.DELETED_AT, self.conf.compute.reclaim_instance_interval):
            LOG.info("Server %s was deleted long enough ago; it is reclaimed", instance.uuid)
            self._try(self.force_delete, instance)

    def offload(self) -> None:
        """Take the servers from this host that have been shelved long enough."""
        for instance in self._due("shelved", states.SHELVED_AT, self.conf.compute.shelved_offload_time):
            LOG.info("Server %s has been shelved long enough; it leaves this host", instance.uuid)
            self._try(self.shelve_offload, instance)

    def _due(self, vm_state: str, since: str, seconds: int) -> list[objects.Instance]:
        wanted = {"host": self.conf.host, "vm_state": [vm_state], "deleted": False}
        with self.database.read() as connection:
            found = db_instances.list_(connection, wanted, [], None, None)
        before = now() - timedelta(seconds=seconds)
        return [
            instance
            for instance in found
            if instance.task_state is None
            and datetime.fromisoformat(instance.system_metadata.get(since, now().isoformat())) <= before
        ]

    def _try(self, verb: Callable[[RequestContext, objects.Instance], None], instance: objects.Instance) -> None:
        request_id = f"req-{uuidlib.uuid4()}"
        try:
            verb(RequestContext(is_admin=True, request_id=request_id, project_id=instance.project_id), instance)
        except (exceptions.Conflict, exceptions.NotFound) as error:
            LOG.info("Server %s is left alone: %s", instance.uuid, error)

    def _poke(self, host: str) -> None:
        self._wake()
