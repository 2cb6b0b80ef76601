"""Small companions of the Compute API, so that one command gives a cloud that a client can use as it stands.

Each runs on the Compute API's own pipeline: the same declarations, schemas, policy and error handling. Each is off by
one setting.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from nova_lite.embedded.mount import WSGI, Mounts

if TYPE_CHECKING:  # the pipeline's own package imports this one
    from nova_lite.api.policy import PolicyEngine

#: Those that a group ``[name] service`` switches; the module of each is that of the same name here.
SWITCHED = ("image", "network", "volume")
#: Where clients find each, below the root.
PATHS = {"identity": "/identity/v3", "image": "/image", "network": "/network", "volume": "/volume/v3"}


def wanted(conf: cfg.ConfigOpts) -> list[str]:
    """The companions that are on. None beside ``noauth2``, which is for tests of the Compute API."""
    if conf.api.auth_strategy == "noauth2":
        return []
    own = ["identity"] if conf.api.auth_strategy == "token" and conf.identity.enabled else []
    return own + [name for name in SWITCHED if conf[name].service == "embedded"]


def beside(conf: cfg.ConfigOpts, engine: PolicyEngine, compute: Any, make: Callable[[Any], WSGI]) -> WSGI:
    """The Compute API with the companions that ``conf`` wants.

    :param make: the Compute API, given the strategy that tells callers' tokens (None for what ``conf`` names).
    """
    names = wanted(conf)
    if not names:
        return make(None)
    from nova_lite.api import auth

    mounted: dict[str, WSGI] = {}
    if "identity" in names:
        from nova_lite.embedded.identity import app as identity_app

        identity = identity_app.connect(conf, compute.database)
        strategy = auth.strategy(conf, identity.tokens)
        mounted["/identity"] = identity_app.build(conf, engine, strategy, identity)
    else:
        strategy = auth.strategy(conf)
    for name in SWITCHED:
        if name in names:
            app = importlib.import_module(f"nova_lite.embedded.{name}.app")
            mounted[f"/{name}"] = app.build(conf, engine, strategy, compute)
    return Mounts(make(strategy), mounted, conf.api.endpoint_url)
