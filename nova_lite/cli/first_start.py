"""What the first `nova-lite serve` leaves in the state folder for a person: an admin token and a clouds.yaml."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from nova_lite.api.auth.tokens import TokenFile
from nova_lite.cli.token import identity
from nova_lite.db.engine import Database
from nova_lite.embedded import PATHS
from nova_lite.embedded.identity import bootstrap

CLOUD = "nova-lite"

# admin_token is keystoneauth's plugin for a fixed endpoint and token: no Keystone is asked for anything.
# openstackclient wants an Identity v3 at hand even where it asks it nothing (`openstack server list`): it is told
# that there is one, and where, so that it does not look for it.
_CLOUDS_BY_PASSWORD = """\
# For openstacksdk and openstackclient: export OS_CLIENT_CONFIG_FILE={path} OS_CLOUD={cloud}
# Written once by `nova-lite serve`; change it as you like.
clouds:
  {cloud}:
    auth_type: password
    auth:
      auth_url: {root}/identity/v3
      username: admin
      password: {password}
      project_name: admin
      user_domain_id: default
      project_domain_id: default
    identity_api_version: "3"
    region_name: {region}
    # compute_default_microversion: "2.96"
"""

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
{overrides}    # compute_default_microversion: "2.96"
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


def create_admin(database: Database) -> str | None:
    """User admin of project admin in the embedded Identity service, with the ids of the token file; the password.

    None when there are users already.
    """
    ids = {"project": identity("project", "admin"), "user": identity("user", "admin")}
    ids |= {name: identity("role", name) for name in bootstrap.ROLES}
    password = secrets.token_urlsafe(18)
    return password if bootstrap.bootstrap(database, ids, password) else None


def clouds_by_token(path: Path, base_url: str, token: str, companions: Sequence[str]) -> str:
    """:param companions: those that are on (``embedded.wanted``): no catalog says where they are."""
    kinds = {"volume": "block_storage"}
    overrides = "".join(
        f"    {kinds.get(name, name)}_endpoint_override: {base_url}{PATHS[name]}\n"
        for name in companions
        if name != "identity"
    )
    return _CLOUDS.format(path=path, cloud=CLOUD, endpoint=f"{base_url}/v2.1", token=token, overrides=overrides)


def clouds_by_password(path: Path, base_url: str, password: str, region: str) -> str:
    return _CLOUDS_BY_PASSWORD.format(path=path, cloud=CLOUD, root=base_url, password=password, region=region)


def write_clouds(path: Path, text: str) -> None:
    """Write a clouds.yaml that only the owner can read."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".clouds-")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def endpoint_differs(path: Path, base_url: str) -> str | None:
    """The endpoint that clouds.yaml names, when it is not where this service listens."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        auth = document["clouds"][CLOUD]["auth"]
        endpoint = str(auth.get("endpoint") or auth["auth_url"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None  # it is the user's file by now and may have any form
    return endpoint if urlsplit(endpoint).netloc != urlsplit(base_url).netloc else None
