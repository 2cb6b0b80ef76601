"""Security groups and their rules, for the Network service and for microversions that have them in Compute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from nova_lite import exceptions, objects
from nova_lite.compute import group_rules, networks
from nova_lite.compute.network_base import NetworkBase, owner_of, scope_of, sees
from nova_lite.compute.network_errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupInUse,
    SecurityGroupNotFound,
    SecurityGroupRuleExists,
    SecurityGroupRuleNotFound,
)
from nova_lite.context import RequestContext
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection


class SecurityGroupVerbs(NetworkBase):
    """/v2.0/security-groups and /v2.0/security-group-rules. What they change is in force when they return."""

    def list_groups(self, context: RequestContext, all_projects: bool = True) -> list[objects.SecurityGroup]:
        """The caller's project's, of which the default one is made now if it was not there.

        :param all_projects: an administrator sees everybody's.
        """
        self._make_default(context.project_id)
        with self.database.read() as connection:
            return db_groups.list_(connection, scope_of(context) if all_projects else str(context.project_id))

    def _make_default(self, project_id: str | None) -> None:
        if project_id is None:
            return
        with self.database.read() as connection:
            found = db_groups.find(connection, project_id, db_groups.DEFAULT)
        if found is None:
            with self.database.write() as connection:
                networks.groups_of(self.database, connection, project_id, None)

    def get_group(self, context: RequestContext, group_id: str) -> objects.SecurityGroup:
        """SecurityGroupNotFound also for a stranger's."""
        with self.database.read() as connection:
            return _group(connection, context, group_id)

    def create_group(
        self, context: RequestContext, *, name: str, description: str = "", project_id: str | None = None
    ) -> objects.SecurityGroup:
        """Conflict: the project has one of that name. OverQuota."""
        owner = owner_of(context, project_id, "create_security_group:tenant_id")
        self._make_default(owner)
        with self.database.read() as connection:
            own = db_groups.list_(connection, owner)
        self._within("security_group", len(own))
        made = group_rules.add_group(self.database, owner, name, description)
        return self.get_group(context, made.id)

    def update_group(
        self, context: RequestContext, group: objects.SecurityGroup, values: dict[str, Any]
    ) -> objects.SecurityGroup:
        """:param values: ``name`` and ``description``. The default one keeps its name."""
        if group.name == db_groups.DEFAULT and values.get("name", group.name) != group.name:
            raise SecurityGroupCannotUpdateDefault
        try:
            with self.database.write() as connection:
                if values:
                    db_groups.update(connection, group.id, values)
        except sa.exc.IntegrityError as error:
            message = f"Security group {values['name']} already exists in project {group.project_id}."
            raise exceptions.Conflict(message) from error
        return replace(group, **values)

    def delete_group(self, context: RequestContext, group: objects.SecurityGroup) -> None:
        """With rules of others that name it. SecurityGroupInUse while a port is in it; the default one stays."""
        if group.name == db_groups.DEFAULT and not context.is_admin:
            raise SecurityGroupCannotRemoveDefault
        with self.database.write() as connection:
            self.database.lock(connection, f"security-groups:{group.project_id}")
            _group(connection, context, group.id)
            if db_groups.is_used(connection, group.id):
                raise SecurityGroupInUse(group.id)
            db_groups.delete(connection, group.id)
        self._put_in_force("The group is deleted")

    def list_group_rules(self, context: RequestContext) -> list[objects.SecurityGroupRule]:
        found = self.list_groups(context)
        return [replace(rule, project_id=group.project_id) for group in found for rule in group.rules]

    def get_group_rule(self, context: RequestContext, rule_id: str) -> objects.SecurityGroupRule:
        """SecurityGroupRuleNotFound also for a stranger's."""
        with self.database.read() as connection:
            found = db_groups.get_rule(connection, rule_id)
        if found is None or not sees(context, found):
            raise SecurityGroupRuleNotFound(rule_id)
        return found

    def create_group_rule(self, context: RequestContext, group_id: str, **facts: Any) -> objects.SecurityGroupRule:
        """:param facts: as for ``group_rules.checked_rule``."""
        with self.database.write() as connection:
            group = _group(connection, context, group_id)
            self.database.lock(connection, f"security-groups:{group.project_id}")
            if facts.get("remote_group"):
                facts["remote_group"] = _group(connection, context, facts["remote_group"]).id
            rule = group_rules.checked_rule(group.id, **facts)
            for other in group.rules:
                if replace(other, id=rule.id, description=rule.description) == rule:
                    raise SecurityGroupRuleExists(other.id)
            everything = sum(len(one.rules) for one in db_groups.list_(connection, group.project_id))
            self._within("security_group_rule", everything)
            db_groups.insert_rule(connection, rule)
        self._put_in_force("The rule is made")
        return replace(rule, project_id=group.project_id)

    def delete_group_rule(self, context: RequestContext, rule: objects.SecurityGroupRule) -> None:
        with self.database.write() as connection:
            if not db_groups.delete_rule(connection, rule.id):
                raise SecurityGroupRuleNotFound(rule.id)
        self._put_in_force("The rule is deleted")


def _group(connection: Connection, context: RequestContext, group_id: str) -> objects.SecurityGroup:
    found = db_groups.get(connection, group_id)
    if found is None or not sees(context, found):
        raise SecurityGroupNotFound(group_id)
    return found
