"""The limits that a quota set and a quota class take, by their flat names."""

from __future__ import annotations

from typing import TypedDict


class Limits(TypedDict, total=False):
    """-1 is unlimited."""

    instances: int
    cores: int
    ram: int
    metadata_items: int
    key_pairs: int
    server_groups: int
    server_group_members: int
    injected_files: int
    injected_file_content_bytes: int
    injected_file_path_bytes: int
    fixed_ips: int
    floating_ips: int
    security_groups: int
    security_group_rules: int
