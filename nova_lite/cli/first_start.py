"""What the first `nova-lite serve` leaves in the state folder for a person: an admin token and a clouds.yaml."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from nova_lite.api.auth.tokens import TokenFile
from nova_lite.cli.token import identity

CLOUD = "nova-lite"

# admin_token is keystoneauth's plugin for a fixed endpoint and token: no Keystone is asked for anything.
# openstackclient wants an Identity v3 at hand even where it asks it nothing (`openstack server list`): it is told
# that there is one, and where, so that it does not look for it.
_CLOUDS = """\
# For openstacksdk and openstackclient: export OS_CLIENT_CONFIG_FILE={path} OS_CLOUD={cloud}
# Written once by `nova-lite serve`; change it as you like.
clouds:
  {cloud}:
    auth_type: admin_token
    auth:
      endpoint: {endpoint}
      token: {token}
    identity_api_version: "3"
    identity_endpoint_override: {endpoint}
    # compute_default_microversion: "2.96"
"""


def create_admin_token(tokens: TokenFile) -> str:
    """A token of user admin in project admin that may do everything."""
    token, _ = tokens.create(
        user_id=identity("user", "admin"),
        user_name="admin",
        project_id=identity("project", "admin"),
        project_name="admin",
        roles=["admin"],
        description="made by the first `nova-lite serve`",
    )
    return token


def write_clouds(path: Path, base_url: str, token: str) -> None:
    """Write a clouds.yaml that only the owner can read."""
    text = _CLOUDS.format(path=path, cloud=CLOUD, endpoint=f"{base_url}/v2.1", token=token)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".clouds-")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def endpoint_differs(path: Path, base_url: str) -> str | None:
    """The endpoint that clouds.yaml names, when it is not where this service listens."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        endpoint = str(document["clouds"][CLOUD]["auth"]["endpoint"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return None  # it is the user's file by now and may have any form
    return endpoint if urlsplit(endpoint).netloc != urlsplit(base_url).netloc else None
