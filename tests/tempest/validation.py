"""Tests of Tempest that log in to their servers: those chosen for `make tempest-ssh`."""

from __future__ import annotations

import re

#: Below tempest.api.compute: what `make tempest` cannot run without ssh, and what looks into servers that were changed.
_CHOSEN = (
    "admin.test_assisted_volume_snapshots",
    "admin.test_create_server",
    "servers.test_attach_interfaces",
    "servers.test_create_server",
    "servers.test_device_tagging",
    "servers.test_server_actions.ServerActionsTestJSON.test_reboot_server_hard",
    "servers.test_server_actions.ServerActionsTestJSON.test_rebuild_server",
    "servers.test_server_personality.ServerPersonalityTestJSON.test_create_server_with_personality",
    "volumes.test_attach_volume.AttachVolumeTestJSON.test_attach_detach_volume",
)
SSH_TESTS = rf"^tempest\.api\.compute\.({'|'.join(map(re.escape, _CHOSEN))})\b"
