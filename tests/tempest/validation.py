"""Tests of Tempest that log in to their servers: those chosen for `make tempest-ssh`."""

from __future__ import annotations

#: Below tempest.api.compute. All that look into a server, or want one that has booted before they go on.
_CHOSEN = (
    "admin.test_assisted_volume_snapshots",
    "admin.test_create_server",
    "servers.test_attach_interfaces",
    "servers.test_create_server",
    "servers.test_device_tagging",
    "servers.test_server_actions",
    "servers.test_server_personality",
    "servers.test_server_rescue",
    "servers.test_server_rescue_negative.ServerRescueNegativeTestJSON.test_rescued_vm_detach_volume",
    "volumes.test_attach_volume.AttachVolumeShelveTestJSON",
    "volumes.test_attach_volume.AttachVolumeTestJSON",
)
SSH_TESTS = rf"^tempest\.api\.compute\.({'|'.join(name.replace('.', chr(92) + '.') for name in _CHOSEN)})\b"
