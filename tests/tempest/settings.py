"""tempest.conf: what there is in the cloud, and which of Tempest's features the product has."""

from __future__ import annotations

import configparser
from pathlib import Path

from nova_lite.api.versions import MAX_2
from tests.tempest.cloud import Cloud

#: What one machine cannot have is False, with the reason that docs/compatibility.md gives at length.
_COMPUTE_FEATURES = {
    "disk_config": True,
    "hostname_fqdn_sanitization": True,
    "console_output": True,
    "resize": True,
    "pause": True,
    "shelve": True,
    "suspend": True,
    "rescue": True,
    "stable_rescue": True,
    "snapshot": True,
    "interface_attach": True,
    "config_drive": True,
    "metadata_service": True,
    "serial_console": True,
    "personality": True,
    "enable_instance_password": True,
    "cold_migration": False,  # one host
    "live_migration": False,
    "change_password": False,  # no agent in the guest
    "vnc_console": False,  # VMs have no display
    "spice_console": False,
    "ide_bus": False,  # disks are virtio's
    "attach_encrypted_volume": False,
    "swap_volume": False,
    "volume_multiattach": False,
    "unified_limits": False,  # limits are in nova-lite's own quotas
}
_TIMEOUT = "120"  # seconds until something that is waited for has failed; everything here takes a few
_TIMEOUT_IN_A_BOX = "300"


def write(path: Path, cloud: Cloud, *, accounts_file: Path | None, lock_path: Path, ssh: bool) -> None:
    """:param accounts_file: users to take; None: Tempest makes users and projects for each class of tests.
    :param ssh: Tempest logs in to the servers and looks around there.
    """
    timeout = _TIMEOUT_IN_A_BOX if ssh else _TIMEOUT
    public = {"public_network_id": cloud.public_network, "floating_network_name": "public"}
    if cloud.public_network is None:
        public = {}
    options: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_dir": path.parent, "log_file": "tempest.log", "debug": True},
        "oslo_concurrency": {"lock_path": lock_path},
        "auth": {
            "use_dynamic_credentials": accounts_file is None,
            # Ranges of networks on one host do not overlap, and a test makes the network that would be its own.
            "create_isolated_networks": False,
            "admin_username": "admin",
            "admin_project_name": "admin",
            "admin_password": cloud.admin_password,
            "admin_domain_name": "Default",
        }
        | ({"test_accounts_file": accounts_file} if accounts_file else {}),
        "identity": {"auth_version": "v3", "uri_v3": f"{cloud.url}/identity/v3", "region": "RegionOne"},
        "identity-feature-enabled": {"api_v2": False, "api_v3": True},
        "compute": {
            "image_ref": cloud.images[0],
            "image_ref_alt": cloud.images[1],
            "flavor_ref": cloud.flavors[0],
            "flavor_ref_alt": cloud.flavors[1],
            "min_microversion": "2.1",
            "max_microversion": MAX_2,
            "min_compute_nodes": 1,
            "build_timeout": timeout,
            "build_interval": 1,
            "fixed_network_name": "private",
            "hypervisor_type": "KVM",
            "volume_device_name": "vdb",
        },
        "compute-feature-enabled": dict(_COMPUTE_FEATURES),
        "image": {"build_timeout": timeout, "disk_formats": "raw,qcow2", "container_formats": "bare"},
        "image-feature-enabled": {"import_image": False},
        "network": {
            "build_timeout": timeout,
            "project_network_cidr": "10.100.0.0/16",
            "project_network_mask_bits": 28,
        }
        | public,
        "network-feature-enabled": {"ipv6": False, "floating_ips": cloud.public_network is not None},
        "validation": {
            "run_validation": ssh,
            "connect_method": "fixed",
            "network_for_ssh": "private",
            "image_ssh_user": "root",
            "image_alt_ssh_user": "root",
            "ssh_timeout": timeout,
        },
        "volume": {"build_timeout": timeout, "volume_size": 1, "catalog_type": "block-storage"},
        "volume-feature-enabled": {"snapshot": True, "backup": False, "multi_backend": False},
        "service_available": {
            "nova": True,
            "glance": "image" in cloud.catalog,
            "neutron": "network" in cloud.catalog,
            "cinder": bool({"block-storage", "volumev3"} & cloud.catalog),
            "swift": False,
            "horizon": False,
        },
    }
    parser = configparser.ConfigParser(interpolation=None)
    for group, values in options.items():
        parser[group] = {name: str(value) for name, value in values.items()}
    with open(path, "w", encoding="utf-8") as file:
        parser.write(file)
