"""Tests of Tempest that log in to their servers: those chosen for `make tempest-ssh`."""

from __future__ import annotations

_CHOSEN = (
    "servers.test_create_server.ServersTestJSON",
    "servers.test_create_server.ServersV294TestFqdnHostnames",
    "servers.test_attach_interfaces.AttachInterfacesTestJSON.test_create_list_show_delete_interfaces_by_network_port",
    "servers.test_device_tagging",
    "servers.test_server_personality.ServerPersonalityTestJSON.test_create_server_with_personality",
    "volumes.test_attach_volume.AttachVolumeTestJSON.test_attach_detach_volume",
    "servers.test_server_actions.ServerActionsTestJSON.test_reboot_server_hard",
    "servers.test_server_actions.ServerActionsTestJSON.test_rebuild_server",
)
SSH_TESTS = rf"^tempest\.api\.compute\.({'|'.join(name.replace('.', chr(92) + '.') for name in _CHOSEN)})\b"
