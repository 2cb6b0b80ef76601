"""What users note about a server: metadata and tags; and the password that its guest left for its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import quotas, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db.times import now

MAX_TAGS = 50
#: Where the password is among what the service notes for itself.
PASSWORD = "password"


class MetadataVerbs(AcceptingVerbs):
    """/servers/{id}/metadata, /servers/{id}/tags, /servers/{id}/os-server-password. Done when they return."""

    conf: cfg.ConfigOpts

    def update_metadata(
        self, context: RequestContext, instance: objects.Instance, items: dict[str, str], replace: bool
    ) -> dict[str, str]:
        """Add these items to a server's metadata, or let it have no others (``replace``); all of it.

        :raises OverQuota: that would be too many.
        :raises Conflict: the server's state does not allow it, or it is locked.
        """

        def change(current: objects.Instance) -> dict[str, Any]:
            states.check_lock(current, bool(context.is_admin))
            states.check(states.UPDATE_METADATA, current)
            updated = items if replace else current.metadata | items
            quotas.check_metadata_items(limits, len(updated))
            return {"metadata": updated}

        with self.database.read() as connection:
            limits = quotas.limits_of(connection, self.conf, instance.project_id, instance.user_id)
        return self._changed(instance, change).metadata

    def delete_metadata(self, context: RequestContext, instance: objects.Instance, key: str) -> None:
        """Remove one item; NotFound when there is none of that key, Conflict as for ``update_metadata``."""

        def change(current: objects.Instance) -> dict[str, Any]:
            if key not in current.metadata:
                raise exceptions.NotFound("Metadata item was not found")
            states.check_lock(current, bool(context.is_admin))
            states.check(states.DELETE_METADATA, current)
            return {"metadata": {name: value for name, value in current.metadata.items() if name != key}}

        self._changed(instance, change)

    def add_tag(self, context: RequestContext, instance: objects.Instance, tag: str) -> bool:
        """Give a server a tag; False when it had it. Invalid when it has as many as it may have."""
        states.check(states.UPDATE_TAG, instance)
        if len(instance.tags) >= MAX_TAGS:
            raise exceptions.Invalid(f"The number of tags exceeded the per-server limit {MAX_TAGS}")

        def change(current: objects.Instance) -> dict[str, Any]:
            return {"tags": _tags([*current.tags, tag])}

        if tag in instance.tags:
            return False
        self._changed(instance, change)
        return True

    def replace_tags(self, context: RequestContext, instance: objects.Instance, tags: list[str]) -> list[str]:
        """Let a server have these tags and no others; what it has now."""
        states.check(states.UPDATE_TAGS, instance)
        return self._changed(instance, lambda current: {"tags": _tags(tags)}).tags

    def delete_tag(self, context: RequestContext, instance: objects.Instance, tag: str) -> None:
        """Take a tag away; NotFound when the server has it not."""
        states.check(states.DELETE_TAG, instance)

        def change(current: objects.Instance) -> dict[str, Any]:
            if tag not in current.tags:
                raise exceptions.NotFound(f"Instance {current.uuid} has no tag '{tag}'")
            return {"tags": [one for one in current.tags if one != tag]}

        self._changed(instance, change)

    def delete_tags(self, context: RequestContext, instance: objects.Instance) -> None:
        """Take all tags away."""
        states.check(states.DELETE_TAGS, instance)
        self._changed(instance, lambda current: {"tags": []})

    def clear_server_password(self, context: RequestContext, instance: objects.Instance) -> None:
        """Forget the password that the guest left; it may then leave another one."""

        def change(current: objects.Instance) -> dict[str, Any]:
            notes = {name: value for name, value in current.system_metadata.items() if name != PASSWORD}
            return {"system_metadata": notes}

        self._changed(instance, change)

    def _changed(
        self, instance: objects.Instance, change: Callable[[objects.Instance], dict[str, Any]]
    ) -> objects.Instance:
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            db_instances.update(connection, current.uuid, {**change(current), "updated_at": now()})
            changed = db_instances.get(connection, current.uuid)
        assert changed is not None  # the row is held by this transaction
        return changed


def _tags(tags: Iterable[str]) -> list[str]:
    return sorted(set(tags))
