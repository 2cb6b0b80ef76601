"""Quotas: what a project and a user in it may have, what they have, and how many servers of a size still fit.

A limit is what was set for the user, else for the project, else for the quota class ``default``, else the option of
group ``[quota]`` (nova/quota.py, DbQuotaDriver). -1 is unlimited.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oslo_config import cfg
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db import quotas as db_quotas
from nova_lite.db import server_groups as db_server_groups
from nova_lite.db.engine import Database

DEFAULT_CLASS = "default"
# What Nova's API calls a limit, by the option that holds its default.
_OPTIONS = {
    **{name: name for name in ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups")},
    **{name: name for name in ("server_group_members", "injected_files", "injected_file_content_bytes")},
    "injected_file_path_bytes": "injected_file_path_length",
}
# Of nova-network's days: they can be set and are shown until 2.35, and limit nothing.
NETWORK_RESOURCES = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
RESOURCES = (*_OPTIONS, *NETWORK_RESOURCES)
_PROJECT_ONLY = {"fixed_ips", "floating_ips"}
_COUNTED = ("instances", "cores", "ram")


class QuotaVerbs:
    """/limits, /os-quota-sets, /os-quota-class-sets."""

    conf: cfg.ConfigOpts
    database: Database

    def quota_limits(
        self, context: RequestContext, project_id: str | None = None, user_id: str | None = None
    ) -> dict[str, int]:
        """The limit of each of ``RESOURCES`` for a project (the caller's by default), or for a user in it."""
        with self.database.read() as connection:
            return limits_of(connection, self.conf, project_id or str(context.project_id), user_id)

    def usage(
        self, context: RequestContext, project_id: str | None = None, user_id: str | None = None
    ) -> dict[str, int]:
        """What a project (the caller's by default) has now, or a user in it: {"instances", "cores", "ram" (MiB),
        "server_groups"}."""
        with self.database.read() as connection:
            return _used_of_all(connection, project_id or str(context.project_id), user_id)

    def quota_class(self, context: RequestContext, name: str = DEFAULT_CLASS) -> dict[str, int]:
        """The limits of a quota class; a class that nobody has set has the configured ones."""
        with self.database.read() as connection:
            return _configured(self.conf) | db_quotas.of_class(connection, name)

    def set_quota_class(self, context: RequestContext, name: str, limits: Mapping[str, int]) -> dict[str, int]:
        """Change limits of a quota class; only the class ``default`` counts. Returns all of its limits."""
        _check_length("quota_class_name", name)
        with self.database.write() as connection:
            self.database.lock(connection, "quota-classes")
            db_quotas.set_class(connection, name, dict(limits))
        return self.quota_class(context, name)

    def quota_details(
        self, context: RequestContext, project_id: str, user_id: str | None = None
    ) -> dict[str, dict[str, int]]:
        """{resource: {"limit", "in_use", "reserved"}}. Of what is no sum over a project (files, keypairs …) nothing
        counts as used; nothing is ever reserved."""
        limits = self.quota_limits(context, project_id, user_id)
        used = self.usage(context, project_id, user_id)
        return {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}

    def set_quotas(
        self,
        context: RequestContext,
        project_id: str,
        limits: Mapping[str, int],
        user_id: str | None = None,
        force: bool = False,
    ) -> dict[str, int]:
        """Set limits of a project, or of a user in it. Returns all limits as they now are.

        :param force: also below what is used, and above what the project has left for the user.
        :raises Invalid: names the limit that is too small or, for a user, too large.
        """
        _check_length("project_id", project_id)
        _check_length("user_id", user_id or "")
        with self.database.write() as connection:
            self.database.lock(connection, f"quota:{project_id}")
            if not force:
                bounds = _bounds(connection, self.conf, project_id, user_id)
                for name, limit in limits.items():
                    _check_bounds(name, limit, *bounds[name])
            own = {name: limit for name, limit in limits.items() if user_id and name not in _PROJECT_ONLY}
            db_quotas.set_limits(connection, project_id, user_id or "", own)
            whole = {name: limit for name, limit in limits.items() if name not in own}
            db_quotas.set_limits(connection, project_id, "", whole)
        return self.quota_limits(context, project_id, user_id)

    def delete_quotas(self, context: RequestContext, project_id: str, user_id: str | None = None) -> None:
        """Back to the defaults: for a user in a project, or for the project and everyone in it."""
        with self.database.write() as connection:
            db_quotas.delete(connection, project_id, user_id)


def limits_of(
    connection: Connection, conf: cfg.ConfigOpts, project_id: str, user_id: str | None = None
) -> dict[str, int]:
    """The limit of each of ``RESOURCES`` for a project, or for a user in it; -1 is unlimited."""
    limits, own = _limits_of_both(connection, conf, project_id, user_id or "")
    return own if user_id else limits


def _limits_of_both(
    connection: Connection, conf: cfg.ConfigOpts, project_id: str, user_id: str
) -> tuple[dict[str, int], dict[str, int]]:
    own = db_quotas.of_project(connection, project_id)
    limits = _configured(conf) | db_quotas.of_class(connection, DEFAULT_CLASS) | own.get("", {})
    return limits, limits | own.get(user_id, {})


def _configured(conf: cfg.ConfigOpts) -> dict[str, int]:
    return {name: int(conf.quota[option]) for name, option in _OPTIONS.items()} | dict.fromkeys(NETWORK_RESOURCES, -1)


def _used(connection: Connection, project_id: str, user_id: str | None = None) -> dict[str, int]:
    used = db_instances.project_usage(connection, project_id, user_id)
    return {name: used[name] for name in _COUNTED}


def _used_of_all(connection: Connection, project_id: str, user_id: str | None) -> dict[str, int]:
    groups = db_server_groups.count(connection, project_id, user_id)
    return _used(connection, project_id, user_id) | {"server_groups": groups}


def _check_length(name: str, value: str) -> None:
    if len(value) > 255:
        raise exceptions.Invalid(f"{name} has {len(value)} characters, more than 255.")


def _bounds(
    connection: Connection, conf: cfg.ConfigOpts, project_id: str, user_id: str | None
) -> dict[str, tuple[float, float]]:
    """The least and the greatest limit that may be set for each resource without force.

    For a project: no less than its users' limits together, nor than what is used. For a user: no less than they use,
    no more than what the project's limit leaves beside the other users' limits.
    """
    own = db_quotas.of_project(connection, project_id)
    limits = limits_of(connection, conf, project_id)
    used = _used_of_all(connection, project_id, user_id)
    bounds: dict[str, tuple[float, float]] = {}
    for name, limit in limits.items():
        given = sum(of_user.get(name, 0) for user, of_user in own.items() if user and user != user_id)
        in_use = used.get(name, 0)
        if user_id:
            bounds[name] = (in_use, _finite_or_inf(limit) - given)
        else:
            bounds[name] = (max(given, in_use) if limit >= 0 else in_use, math.inf)
    return bounds


def _finite_or_inf(limit: int) -> float:
    return math.inf if limit < 0 else limit


def _check_bounds(name: str, limit: int, minimum: float, maximum: float) -> None:
    if _finite_or_inf(limit) < minimum:
        raise exceptions.Invalid(
            f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved {minimum}."
        )
    if _finite_or_inf(limit) > maximum:
        raise exceptions.Invalid(f"Quota limit {limit} for {name} must be less than or equal to {maximum}.")


# ---- what the verbs of other resources ask ---------------------------------------------------------------


def fitting_count(
    connection: Connection,
    conf: cfg.ConfigOpts,
    project_id: str,
    flavor: objects.Flavor,
    min_count: int,
    max_count: int,
    user_id: str | None = None,
) -> int:
    """The most servers of that flavor, up to ``max_count``, that the quotas of project and user still allow.

    The caller holds the project's lock. OverQuota, in Nova's words, when fewer than ``min_count`` fit.
    """
    each = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.memory_mb}
    count = max_count
    for limits, whose in scopes(connection, conf, project_id, user_id):
        used = _used(connection, project_id, whose)
        fits = [(limits[name] - used[name]) // each[name] for name in each if limits[name] >= 0 and each[name] > 0]
        count = min([count, *fits])
        if count < min_count:
            over = [name for name in each if 0 <= limits[name] < used[name] + max_count * each[name]]
            asked = {name: str(max_count * each[name]) for name in each}
            asked["instances"] = str(min_count) if min_count == max_count else f"{min_count}-{max_count}"
            raise _over_quota(over, asked, used, limits)
    return count


def check_more(
    connection: Connection, conf: cfg.ConfigOpts, instance: objects.Instance, more: Mapping[str, int]
) -> None:
    """OverQuota when the server's project or user may not have that much ``more`` ({"cores", "ram" (MiB)}): resize.

    What is less is no matter. The caller holds the lock ``quota:<project>``.
    """
    wanted = {name: amount for name, amount in more.items() if amount > 0}
    for limits, whose in scopes(connection, conf, instance.project_id, instance.user_id):
        used = _used(connection, instance.project_id, whose)
        over = [name for name, amount in wanted.items() if 0 <= limits[name] < used[name] + amount]
        if over:
            raise _over_quota(over, {name: str(wanted[name]) for name in over}, used, limits)


def scopes(
    connection: Connection, conf: cfg.ConfigOpts, project_id: str, user_id: str | None
) -> Iterator[tuple[dict[str, int], str | None]]:
    """What a sum is held against: (limits, None) of the project, and (limits, user) where the user has limits of their
    own."""
    limits, own = _limits_of_both(connection, conf, project_id, user_id or "")
    yield limits, None
    if own != limits:
        yield own, user_id


def _over_quota(
    over: Iterable[str], asked: Mapping[str, str], used: Mapping[str, Any], limits: Mapping[str, int]
) -> exceptions.OverQuota:
    over = sorted(over)
    names = ", ".join(over)
    return exceptions.OverQuota(
        f"Quota exceeded for {names}: Requested {', '.join(asked[name] for name in over)}, "
        f"but already used {', '.join(str(used[name]) for name in over)} "
        f"of {', '.join(str(limits[name]) for name in over)} {names}"
    )


def check_metadata_items(limits: Mapping[str, int], count: int) -> None:
    """OverQuota, in Nova's words, when a server or an image would have too many metadata items."""
    if 0 <= limits["metadata_items"] < count:
        raise exceptions.OverQuota(f"Maximum number of metadata items exceeds {limits['metadata_items']}")


def check_injected_files(limits: Mapping[str, int], files: list[dict[str, str]]) -> None:
    """OverQuota, in Nova's words, for too many files, a path or a content (base64) that is too long; Invalid for one
    that lacks either."""
    for number, file in enumerate(files):
        for name in ("path", "contents"):
            if name not in file:
                raise exceptions.Invalid(f"Bad personality format: missing '{name}' in personality[{number}]")
    longest = {
        "injected_file_path_bytes": max((len(file["path"]) for file in files), default=0),
        "injected_file_content_bytes": max((len(file["contents"]) for file in files), default=0),
    }
    if 0 <= limits["injected_files"] < len(files):
        raise exceptions.OverQuota("Personality file limit exceeded")
    for name, what in (("injected_file_path_bytes", "path"), ("injected_file_content_bytes", "content")):
        if 0 <= limits[name] < longest[name]:
            raise exceptions.OverQuota(f"Personality file {what} exceeds maximum {limits[name]}")
