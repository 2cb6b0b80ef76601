"""Server groups: servers that are to be placed together or apart, and the quotas on them."""

from __future__ import annotations

import uuid as uuidlib
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import quotas
from nova_lite.context import RequestContext
from nova_lite.db import server_groups as db_server_groups
from nova_lite.db.engine import Connection, Database


class ServerGroupVerbs:
    """/os-server-groups."""

    conf: cfg.ConfigOpts
    database: Database

    def list_server_groups(
        self, context: RequestContext, *, all_projects: bool = False, limit: int, offset: int = 0
    ) -> list[objects.ServerGroup]:
        """The project's groups, or everyone's, the oldest first."""
        project_id = None if all_projects else str(context.project_id)
        with self.database.read() as connection:
            return db_server_groups.list_(connection, project_id, limit, offset)

    def get_server_group(self, context: RequestContext, group_id: str) -> objects.ServerGroup:
        """NotFound when there is none of that uuid, or it is a stranger's."""
        with self.database.read() as connection:
            return visible_group(connection, context, group_id)

    def create_server_group(
        self, context: RequestContext, *, name: str, policy: str, rules: dict[str, int] | None = None
    ) -> objects.ServerGroup:
        """:raises Invalid: rules for a policy that has none.
        :raises OverQuota: the project has as many groups as it may.
        """
        group = objects.ServerGroup(
            uuid=str(uuidlib.uuid4()),
            name=name,
            project_id=str(context.project_id),
            user_id=str(context.user_id),
            policy=policy,
            rules=dict(rules or {}),
        )
        with self.database.write() as connection:
            self.database.lock(connection, f"quota:{group.project_id}")
            for limits, user_id in quotas.scopes(connection, self.conf, group.project_id, group.user_id):
                if not 0 <= limits["server_groups"] <= db_server_groups.count(connection, group.project_id, user_id):
                    continue
                raise exceptions.OverQuota("Quota exceeded, too many server groups.")
            if rules and policy != "anti-affinity":
                raise exceptions.Invalid("Only anti-affinity policy supports rules.")
            db_server_groups.insert(connection, group)
        return group

    def delete_server_group(self, context: RequestContext, group: objects.ServerGroup) -> None:
        """Its servers stay where they are. NotFound when somebody was quicker."""
        with self.database.write() as connection:
            if not db_server_groups.delete(connection, group):
                raise exceptions.ServerGroupNotFound(group.uuid)

    def groups_of_instance(self, instance: objects.Instance) -> list[str]:
        """The uuids of the groups that a server is in."""
        with self.database.read() as connection:
            return db_server_groups.of_server(connection, instance.uuid)


def visible_group(connection: Connection, context: RequestContext, group_id: str) -> objects.ServerGroup:
    """The group, as far as the caller may know of it. NotFound otherwise."""
    group = db_server_groups.get(connection, group_id)
    if group is None or not (context.is_admin or group.project_id == context.project_id):
        raise exceptions.ServerGroupNotFound(group_id)
    return group


def group_of_hint(
    connection: Connection, context: RequestContext, hints: Mapping[str, Any]
) -> objects.ServerGroup | None:
    """The group that a new server asks for. Invalid when there is none of that uuid for the caller."""
    given = hints.get("group")
    wanted = given if isinstance(given, list) else [given] if given else []
    if len(wanted) > 1:
        raise exceptions.Invalid("Invalid scheduler hint group: a server can be in one group.")
    if not wanted:
        return None
    try:
        return visible_group(connection, context, str(wanted[0]))
    except exceptions.ServerGroupNotFound as error:
        raise exceptions.Invalid(str(error)) from error


def join(connection: Connection, group: objects.ServerGroup, instances: list[objects.Instance], most: int) -> None:
    """Make new servers members. OverQuota when their user has more than ``most`` (-1: any number) in the group then.

    The caller holds the lock of the project's quota.
    """
    used = db_server_groups.count_members(connection, group, instances[0].user_id)
    if 0 <= most < used + len(instances):
        raise exceptions.OverQuota("Quota exceeded, too many servers in group")
    db_server_groups.add_members(connection, group, [instance.uuid for instance in instances])
