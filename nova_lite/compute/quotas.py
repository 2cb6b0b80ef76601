"""Quotas: what a project may have, what it has, and how many servers of a size still fit."""

from __future__ import annotations

from oslo_config import cfg
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db import server_groups as db_server_groups
from nova_lite.db.engine import Database

RESOURCES = (
    *("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"),
    *("injected_files", "injected_file_content_bytes"),
)


class QuotaVerbs:
    """GET /limits."""

    conf: cfg.ConfigOpts
    database: Database

    def quota_limits(self, context: RequestContext, project_id: str | None = None) -> dict[str, int]:
        """The limit of each of ``RESOURCES`` for a project (all have the same); -1 is unlimited."""
        return {name: int(self.conf.quota[name]) for name in RESOURCES}

    def usage(self, context: RequestContext, project_id: str | None = None) -> dict[str, int]:
        """What a project (the caller's by default) has now: {"instances", "cores", "ram" (MiB), "server_groups"}."""
        with self.database.read() as connection:
            used = db_instances.project_usage(connection, project_id or str(context.project_id))
            groups = db_server_groups.count(connection, project_id or str(context.project_id))
        return {name: used[name] for name in ("instances", "cores", "ram")} | {"server_groups": groups}


def fitting_count(
    connection: Connection,
    conf: cfg.ConfigOpts,
    project_id: str,
    flavor: objects.Flavor,
    min_count: int,
    max_count: int,
) -> int:
    """The most servers of that flavor, up to ``max_count``, that the project's quota still allows.

    The caller holds the project's lock. OverQuota, in Nova's words, when fewer than ``min_count`` fit.
    """
    used = db_instances.project_usage(connection, project_id)
    each = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.memory_mb}
    limits = {name: conf.quota[name] for name in each if conf.quota[name] >= 0}
    count = max_count
    for name, limit in limits.items():
        if each[name] > 0:
            count = min(count, (limit - used[name]) // each[name])
    if count >= min_count:
        return count
    over = sorted(name for name in limits if used[name] + max_count * each[name] > limits[name])
    asked = {name: str(max_count * each[name]) for name in each}
    asked["instances"] = str(min_count) if min_count == max_count else f"{min_count}-{max_count}"
    names = ", ".join(over)
    raise exceptions.OverQuota(
        f"Quota exceeded for {names}: Requested {', '.join(asked[name] for name in over)}, "
        f"but already used {', '.join(str(used[name]) for name in over)} "
        f"of {', '.join(str(limits[name]) for name in over)} {names}"
    )


def check_injected_files(conf: cfg.ConfigOpts, files: list[dict[str, str]]) -> None:
    """OverQuota, in Nova's words, for too many files, a path or a content (base64) that is too long; Invalid for one
    that lacks either."""
    for number, file in enumerate(files):
        for name in ("path", "contents"):
            if name not in file:
                raise exceptions.Invalid(f"Bad personality format: missing '{name}' in personality[{number}]")
    longest = {
        "injected_file_path_length": max((len(file["path"]) for file in files), default=0),
        "injected_file_content_bytes": max((len(file["contents"]) for file in files), default=0),
    }
    if 0 <= conf.quota.injected_files < len(files):
        raise exceptions.OverQuota("Personality file limit exceeded")
    for name, what in (("injected_file_path_length", "path"), ("injected_file_content_bytes", "content")):
        if 0 <= conf.quota[name] < longest[name]:
            raise exceptions.OverQuota(f"Personality file {what} exceeds maximum {conf.quota[name]}")
