"""Extensions: what Nova's API was once put together from; a list that has not changed since 2.1."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, schemas
from nova_lite.api import validation, wsgi

_NAMESPACE = "http://docs.openstack.org/compute/ext/fake_xml"
_UPDATED = "2014-12-03T00:00:00Z"

#: alias, name, what it was about. Nova lists all of them still, those of what it has removed among them.
_EXTENSIONS = """\
NMN Multinic Several networks for a server.
OS-DCF DiskConfig How the root disk is partitioned.
OS-EXT-AZ ExtendedAvailabilityZone The availability zone of a server.
OS-EXT-IMG-SIZE ImageSize Sizes in listings of images.
OS-EXT-IPS ExtendedIps The type of an address in a listing.
OS-EXT-IPS-MAC ExtendedIpsMac The MAC address beside an address in a listing.
OS-EXT-SRV-ATTR ExtendedServerAttributes Attributes of servers for administrators.
OS-EXT-STS ExtendedStatus Task state, VM state and power state of servers.
OS-FLV-DISABLED FlavorDisabled Whether a flavor is disabled.
OS-FLV-EXT-DATA FlavorExtraData More attributes of flavors.
OS-SCH-HNT SchedulerHints Hints to the scheduler with a new server.
OS-SRV-USG ServerUsage When a server was launched and terminated.
os-access-ips AccessIPs Access addresses of servers.
os-admin-actions AdminActions Server actions for administrators: resetNetwork, injectNetworkInfo, os-resetState.
os-admin-password AdminPassword Change of a server's administrator password.
os-agents Agents Builds of guest agents.
os-aggregates Aggregates Groups of hosts, for administrators.
os-assisted-volume-snapshots AssistedVolumeSnapshots Snapshots of volumes that Compute helps with.
os-attach-interfaces AttachInterfaces Network interfaces that come and go.
os-availability-zone AvailabilityZone Availability zones, with new servers and by themselves.
os-baremetal-ext-status BareMetalExtStatus Status of bare-metal nodes.
os-baremetal-nodes BareMetalNodes Bare-metal nodes, for administrators.
os-block-device-mapping BlockDeviceMapping Disks of a new server.
os-block-device-mapping-v2-boot BlockDeviceMappingV2Boot Disks of a new server, in the second form.
os-cell-capacities CellCapacities Capacities of cells.
os-cells Cells Neighbours and capabilities of cells.
os-certificates Certificates Certificates.
os-cloudpipe Cloudpipe VPN servers into the networks of projects.
os-cloudpipe-update CloudpipeUpdate Address and port of such a VPN server.
os-config-drive ConfigDrive Drives that hold a server's metadata.
os-console-auth-tokens ConsoleAuthTokens What a console's token leads to.
os-console-output ConsoleOutput Output of consoles, or its end.
os-consoles Consoles Interactive consoles.
os-create-backup CreateBackup Backups of servers.
os-create-server-ext Createserverext More about a server in the answer of old versions.
os-deferred-delete DeferredDelete Deletion that can be taken back.
os-evacuate Evacuate Rebuilding the servers of a failed host.
os-extended-evacuate-find-host ExtendedEvacuateFindHost Evacuation to a host that the scheduler finds.
os-extended-floating-ips ExtendedFloatingIps A fixed address for a floating one.
os-extended-hypervisors ExtendedHypervisors More attributes of hypervisors.
os-extended-networks ExtendedNetworks More attributes of networks.
os-extended-quotas ExtendedQuotas Removing quotas, and forcing them.
os-extended-rescue-with-image ExtendedRescueWithImage Rescue with an image of one's choice.
os-extended-services ExtendedServices Reasons for which services are disabled.
os-extended-services-delete ExtendedServicesDelete Removing services.
os-extended-status ExtendedStatus Task state, VM state and power state of servers.
os-extended-volumes ExtendedVolumes The volumes of a server.
os-fixed-ips FixedIPs Fixed addresses.
os-flavor-access FlavorAccess Who may use a private flavor.
os-flavor-extra-specs FlavorExtraSpecs Extra specs of flavors.
os-flavor-manage FlavorManage Creating and removing flavors.
os-flavor-rxtx FlavorRxtx The network factor of a flavor.
os-flavor-swap FlavorSwap The swap space of a flavor.
os-floating-ip-dns FloatingIpDns Names for floating addresses.
os-floating-ip-pools FloatingIpPools Pools of floating addresses.
os-floating-ips FloatingIps Floating addresses.
os-floating-ips-bulk FloatingIpsBulk Many floating addresses at once.
os-fping Fping Whether servers answer a ping.
os-hide-server-addresses HideServerAddresses Hiding the addresses of servers that are still being made.
os-hosts Hosts Hosts, for administrators.
os-hypervisor-status HypervisorStatus The status of hypervisors.
os-hypervisors Hypervisors Hypervisors, for administrators.
os-instance-actions InstanceActions What was done to a server, step by step.
os-instance_usage_audit_log OSInstanceUsageAuditLog The audit of usage, for administrators.
os-keypairs Keypairs Keys for logging in to servers.
os-lock-server LockServer Locking and unlocking servers.
os-migrate-server MigrateServer Moving servers to other hosts, cold and live.
os-migrations Migrations Moves of servers, past and present.
os-multiple-create MultipleCreate Several servers in one request.
os-networks Networks Networks, for administrators.
os-networks-associate NetworkAssociationSupport Which host or project a network is bound to.
os-pause-server PauseServer Pausing and unpausing servers.
os-personality Personality Files for a new server.
os-preserve-ephemeral-rebuild PreserveEphemeralOnRebuild Keeping the ephemeral disk in a rebuild.
os-quota-class-sets QuotaClasses Classes of quotas.
os-quota-sets Quotas Quotas of projects.
os-rescue Rescue Booting a server from another disk to mend its own.
os-security-group-default-rules SecurityGroupDefaultRules The rules that a new security group begins with.
os-security-groups SecurityGroups Security groups.
os-server-diagnostics ServerDiagnostics What the hypervisor knows of a server, for administrators.
os-server-external-events ServerExternalEvents What other services tell of servers.
os-server-group-quotas ServerGroupQuotas Quotas of server groups.
os-server-groups ServerGroups Groups of servers.
os-server-list-multi-status ServerListMultiStatus Several status values in one listing of servers.
os-server-password ServerPassword The encrypted password that a guest has left.
os-server-sort-keys ServerSortKeys The order of listings of servers.
os-server-start-stop ServerStartStop Starting and stopping servers.
os-services Services Services, for administrators.
os-shelve Shelve Shelving servers.
os-simple-tenant-usage SimpleTenantUsage What projects have used.
os-suspend-server SuspendServer Suspending and resuming servers.
os-tenant-networks OSTenantNetworks The networks of a project.
os-used-limits UsedLimits What is used of a project's limits.
os-used-limits-for-admin UsedLimitsForAdmin The same of any project, for administrators.
os-user-data UserData Data for a new server's first boot.
os-user-quotas UserQuotas Quotas of single users in a project.
os-virtual-interfaces VirtualInterfaces The network interfaces of a server.
os-volume-attachment-update VolumeAttachmentUpdate Changing which volume is attached.
os-volumes Volumes Volumes and their snapshots.
"""


def _extension(alias: str, name: str, description: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "links": [],
        "namespace": _NAMESPACE,
        "updated": _UPDATED,
    }


_LIST = [_extension(*line.split(" ", 2)) for line in _EXTENSIONS.splitlines()]
_BY_ALIAS = {extension["alias"]: extension for extension in _LIST}


class ExtensionParams(TypedDict):
    alias: str


class ExtensionsController(wsgi.Controller):
    resource = "extensions"

    @wsgi.route("GET", "/extensions", policy="os_compute_api:extensions")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.extensions.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List extensions: the parts that the API was once put together from."""
        return {"extensions": _LIST}

    @wsgi.route("GET", "/extensions/{alias}", policy="os_compute_api:extensions")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.extensions.show)
    def show(self, req: wsgi.Request, obj: None, params: ExtensionParams) -> dict[str, Any]:
        """Show an extension."""
        found = _BY_ALIAS.get(params["alias"])
        if found is None:
            raise exceptions.NotFound("The resource could not be found.")
        return found
