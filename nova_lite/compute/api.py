"""The compute API: every verb a controller may call, on flat parameters and objects.

A verb that changes a server writes its new task state and a row of the journal in one transaction and then pokes the
agent; when it returns, the work is on disk. Verbs raise ``nova_lite.exceptions`` only.

``API`` is put together from one class per resource; each lives in the module of that name:

=====================  ===========================================================================================
``admin_actions.py``   ``reset_state inject_network_info change_password``
``aggregates.py``      ``list_aggregates get_aggregate create_aggregate update_aggregate delete_aggregate
                       set_aggregate_metadata add_host_to_aggregate remove_host_from_aggregate cache_images``
``create.py``          ``create``, ``parse_availability_zone``
``deletion.py``        ``delete force_delete restore``
``diagnostics.py``     ``diagnostics trigger_crash_dump``
``flavors.py``         ``list_flavors get_flavor create_flavor update_flavor delete_flavor set_extra_specs
                       delete_extra_spec add_flavor_access remove_flavor_access``
``keypairs.py``        ``list_keypairs get_keypair create_keypair delete_keypair``
``image_listing.py``   ``list_images get_image``
``image_changes.py``   ``register_image update_image delete_image set_image_active``
``image_data.py``      ``upload_image download_image``
``hosts.py``           ``list_services get_service update_service delete_service list_hypervisors get_hypervisor
                       availability_zones service_of_host host_resources``
``interfaces.py``      ``ports port_of attach_interface detach_interface groups_of_server groups_named_in
                       add_security_group remove_security_group``
``locks.py``           ``lock unlock is_expected_locked_by``
``migrations.py``      ``list_migrations migration_of live_migrate force_complete abort_migration``
``operations.py``      ``list_operations get_operation find_operation`` (instance actions)
``quotas.py``          ``quota_limits usage quota_details set_quotas delete_quotas quota_class set_quota_class``
``server_metadata.py`` ``update_metadata delete_metadata add_tag replace_tags delete_tag delete_tags
                       clear_server_password``
``server_groups.py``   ``list_server_groups get_server_group create_server_group delete_server_group
                       groups_of_instance``
``shelve.py``          ``shelve shelve_offload unshelve``
``rebuild.py``         ``rebuild``
``rescue.py``          ``rescue unrescue``
``resize.py``          ``resize confirm_resize revert_resize migrate``
``snapshots.py``       ``create_image``
``usage.py``           ``project_usages usage_audits``
``external_events.py`` ``take_event``
``volume_service.py``  ``list_volumes get_volume create_volume update_volume extend_volume delete_volume …``
``volume_snapshots.py``  ``list_volume_snapshots get_volume_snapshot create_volume_snapshot …``
``volumes.py``         ``volume_attachments volume_attachment attach_volume detach_volume …``
this one               everything else on servers
=====================  ===========================================================================================
"""

from __future__ import annotations

import builtins
from typing import Any

from oslo_config import cfg

from nova_lite import conf as conf_module
from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.admin_actions import AdminVerbs
from nova_lite.compute.aggregates import AggregateVerbs
from nova_lite.compute.consoles import ConsoleVerbs
from nova_lite.compute.create import CreateVerbs, canonical_address, disk_config_of
from nova_lite.compute.deletion import DeleteVerbs
from nova_lite.compute.diagnostics import DiagnosticsVerbs
from nova_lite.compute.external_events import ExternalEventVerbs
from nova_lite.compute.flavors import FlavorVerbs
from nova_lite.compute.hosts import HostVerbs
from nova_lite.compute.image_data import ImageDataVerbs
from nova_lite.compute.image_listing import ImageVerbs
from nova_lite.compute.interfaces import InterfaceVerbs
from nova_lite.compute.keypairs import KeypairVerbs
from nova_lite.compute.locks import LockVerbs
from nova_lite.compute.migrations import MigrationVerbs
from nova_lite.compute.network_service import NetworkService
from nova_lite.compute.node_client import NodeClient
from nova_lite.compute.operations import OperationVerbs
from nova_lite.compute.quotas import QuotaVerbs
from nova_lite.compute.rebuild import RebuildVerbs
from nova_lite.compute.rescue import RescueVerbs
from nova_lite.compute.resize import ResizeVerbs
from nova_lite.compute.server_groups import ServerGroupVerbs
from nova_lite.compute.server_metadata import MetadataVerbs
from nova_lite.compute.shelve import ShelveVerbs
from nova_lite.compute.snapshots import SnapshotVerbs
from nova_lite.compute.usage import UsageVerbs
from nova_lite.compute.volume_snapshots import VolumeSnapshotVerbs
from nova_lite.compute.volumes import VolumeVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db import migration_records
from nova_lite.db import operations as db_operations
from nova_lite.db.changes import Doorbell
from nova_lite.db.engine import Database
from nova_lite.db.times import now

UNSET: Any = object()  # "this parameter was not given", where None is a value


def connect(conf: cfg.ConfigOpts) -> API:
    """An API on the configured database and this host's agent; brings the database up to date first."""
    paths = conf_module.paths(conf)
    paths.make()
    url = conf.database.connection or f"sqlite:///{paths.database}"
    database = Database(url, on_changes=Doorbell(paths.doorbell))
    database.upgrade()
    agent = NodeClient(paths.agent_socket)
    if conf.image.service == "glance":
        from nova_lite.glance.verbs import GlanceAPI  # with it comes openstacksdk

        return GlanceAPI(conf, database, agent)
    return API(conf, database, agent)


class API(
    AggregateVerbs,
    ExternalEventVerbs,
    UsageVerbs,
    CreateVerbs,
    FlavorVerbs,
    KeypairVerbs,
    ImageVerbs,
    ImageDataVerbs,
    HostVerbs,
    InterfaceVerbs,
    OperationVerbs,
    QuotaVerbs,
    ServerGroupVerbs,
    ConsoleVerbs,
    LockVerbs,
    VolumeVerbs,
    VolumeSnapshotVerbs,
    SnapshotVerbs,
    AdminVerbs,
    MetadataVerbs,
    ShelveVerbs,
    DeleteVerbs,
    DiagnosticsVerbs,
    RebuildVerbs,
    ResizeVerbs,
    RescueVerbs,
    MigrationVerbs,
):
    """One per API worker; used by all its threads."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, agent: NodeClient) -> None:
        self.conf = conf
        self.database = database
        self.agent = agent
        self.network = NetworkService(conf, database, agent)

    # -- reading servers ---------------------------------------------------------------------------------------

    def get(self, context: RequestContext, server_id: str) -> objects.Instance:
        """The server of that uuid. NotFound when it does not exist, is deleted or belongs to a stranger."""
        return self._visible(context, server_id, deleted=False)

    def get_instance_any(self, context: RequestContext, server_id: str) -> objects.Instance:
        """As ``get``, and deleted servers too (instance actions from 2.21 on)."""
        return self._visible(context, server_id, deleted=True)

    def _visible(self, context: RequestContext, server_id: str, deleted: bool) -> objects.Instance:
        with self.database.read() as connection:
            instance = db_instances.get(connection, server_id)
        if instance is None or (instance.deleted and not deleted):
            raise exceptions.InstanceNotFound(server_id)
        if not context.is_admin and instance.project_id != context.project_id:
            raise exceptions.InstanceNotFound(server_id)
        return instance

    def list(
        self,
        context: RequestContext,
        *,
        filters: dict[str, Any] | None = None,
        sort: builtins.list[tuple[str, str]] | None = None,
        limit: int | None = None,
        marker: str | None = None,
        all_projects: bool = False,
    ) -> builtins.list[objects.Instance]:
        """Servers that match, of the caller's project unless ``all_projects``.

        :param filters: see ``nova_lite.db.instance_filters.FILTERS`` for the names. Without ``deleted``: live servers
            only, or live and deleted ones when ``changes_since`` or ``changes_before`` is given.
        :param sort: (key, "asc" or "desc"), most important first; newest first when empty. Ties go by id.
        :param marker: uuid of the last server of the previous page. Invalid when there is none.
        """
        wanted = dict(filters or {})
        if not all_projects:
            if context.project_id:
                wanted["project_id"] = context.project_id
            else:
                wanted["user_id"] = context.user_id
        if wanted.get("deleted") is None and not wanted.keys() & {"changes_since", "changes_before"}:
            wanted["deleted"] = False
        with self.database.read() as connection:
            return db_instances.list_(connection, wanted, sort or [], limit, marker)

    def console_output(
        self, context: RequestContext, instance: objects.Instance, length: int | None = None
    ) -> str:
        """The last ``length`` lines of the console (all that is kept when None; "" for 0 or less).

        Conflict while the server waits to be scheduled or has no host; Unavailable when the agent does not answer.
        """
        if not instance.host or instance.task_state == "scheduling":
            raise exceptions.Conflict(f"Instance {instance.uuid} is not ready")
        if length is not None and length <= 0:
            return ""
        params = {"uuid": instance.uuid, "length": length}
        output = self._ask_agent(instance, "Server.consoleOutput", params)["output"]
        return str(output)

    # -- changing servers --------------------------------------------------------------------------------------

    def update(
        self,
        context: RequestContext,
        instance: objects.Instance,
        *,
        name: str = UNSET,
        description: str | None = UNSET,
        access_ip_v4: str | None = UNSET,
        access_ip_v6: str | None = UNSET,
        hostname: str = UNSET,
        disk_config: str = UNSET,
        pinned_availability_zone: str | None = UNSET,
    ) -> objects.Instance:
        """Change what describes a server; the server itself does not notice. Returns it as it now is.

        Conflict when ``pinned_availability_zone`` is neither None nor the zone that it is in or pinned to.
        """
        changes: dict[str, Any] = {
            "display_name": name,
            "display_description": description,
            "access_ip_v4": canonical_address(access_ip_v4) if access_ip_v4 is not UNSET else UNSET,
            "access_ip_v6": canonical_address(access_ip_v6) if access_ip_v6 is not UNSET else UNSET,
            "hostname": hostname,
            "disk_config": disk_config,
            "pinned_availability_zone": pinned_availability_zone,
        }
        changes = {column: value for column, value in changes.items() if value is not UNSET}
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            if "disk_config" in changes:
                disk_config_of(current.image_properties, current.image_ref, changes["disk_config"])
            zone = changes.get("pinned_availability_zone")
            if zone is not None:
                _check_pin(current, zone)
            if changes:
                db_instances.update(connection, current.uuid, {**changes, "updated_at": now()})
            updated = db_instances.get(connection, current.uuid)
        assert updated is not None  # the row is locked by this transaction
        return updated

    def start(self, context: RequestContext, instance: objects.Instance) -> None:
        """Power on a stopped server. Conflict in any other state or when it is locked."""
        self._accept(context, instance, states.START)

    def stop(self, context: RequestContext, instance: objects.Instance) -> None:
        """Power off an active server or one in error. Conflict in any other state or when it is locked."""
        self._accept(context, instance, states.STOP)

    def pause(self, context: RequestContext, instance: objects.Instance) -> None:
        """Hold the vCPUs of an active server."""
        self._accept(context, instance, states.PAUSE)

    def unpause(self, context: RequestContext, instance: objects.Instance) -> None:
        """Let a paused server run on."""
        self._accept(context, instance, states.UNPAUSE)

    def suspend(self, context: RequestContext, instance: objects.Instance) -> None:
        """Save an active server's memory on disk and free the host of it."""
        self._accept(context, instance, states.SUSPEND)

    def resume(self, context: RequestContext, instance: objects.Instance) -> None:
        """Let a suspended server go on where it was."""
        self._accept(context, instance, states.RESUME)

    def reboot(self, context: RequestContext, instance: objects.Instance, hard: bool) -> None:
        """Soft: reset an active machine. Hard: a new VM process, also for stopped, paused or failed servers."""
        self._accept(context, instance, states.REBOOT_HARD if hard else states.REBOOT, {"hard": hard})

    def evacuate(
        self,
        context: RequestContext,
        instance: objects.Instance,
        host: str | None = None,
        force: bool | None = None,
        stay_stopped: bool = False,
    ) -> None:
        """Rebuild a server of a failed host on another host.

        Invalid while the compute service of its host is up, when ``host`` is its own host, or when ``force`` comes
        without ``host``; NotFound when no compute service runs on ``host``. Images and consoles are local to a host
        here, so no other host can take it: the operation ends failed with "No valid host was found." and the server
        keeps its state.

        :param stay_stopped: leave it stopped there, whatever it was before; else it goes on as it was.
        """
        if force and not host:
            raise exceptions.Invalid("Can't force to a non-provided destination")
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            services = {service.host: service for service in self._services(connection, "nova-compute")}
            if host is not None and host not in services:
                raise exceptions.NotFound(f"Compute host {host} not found.")
            if host is not None and host == current.host:
                raise exceptions.Invalid("The target host can't be the same one.")
            states.check(states.EVACUATE, current)
            source = services.get(current.host)
            if source is not None and source.state == "up":
                raise exceptions.Invalid(f"Compute service of {current.host} is still in use.")
            reason = "No valid host was found. There are not enough hosts available."
            args = {"host": host, "force": force, "stay_stopped": stay_stopped}
            operation_id = self._journal(
                connection, context, current, states.EVACUATE, args, state="failed", message=reason
            )
            db_operations.record_event(connection, operation_id, "conductor_rebuild_instance", None, "Error", reason)
            migration_records.insert(
                connection,
                instance_uuid=current.uuid,
                migration_type="evacuation",
                status="error",
                source_compute=current.host,
                dest_compute=host,
                user_id=context.user_id,
                project_id=context.project_id,
            )
            db_instances.update(
                connection,
                current.uuid,
                {"task_state": current.task_state, "updated_at": now(), **db_instances.fault_columns(500, reason)},
            )


def _check_pin(instance: objects.Instance, zone: str) -> None:
    pinned = instance.pinned_availability_zone
    if pinned is not None and zone != pinned:
        raise exceptions.Conflict(
            "Cannot change pinned availability zone directly. "
            "Unpin first by setting pinned_availability_zone to null."
        )
    if pinned is None and zone != instance.availability_zone:
        raise exceptions.Conflict(
            "Server can only be pinned to its current availability zone "
            f"'{instance.availability_zone}', but '{zone}' was requested."
        )
