"""Small companions of the Compute API, so that one command gives a cloud that a client can use as it stands.

Each runs on the Compute API's own pipeline: the same declarations, schemas, policy and error handling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from nova_lite.embedded.mount import WSGI, Mounts

if TYPE_CHECKING:  # the pipeline's own package imports this one
    from nova_lite.api.policy import PolicyEngine


def beside(conf: cfg.ConfigOpts, engine: PolicyEngine, compute: Any, make: Callable[[Any], WSGI]) -> WSGI:
    """The Compute API with the companions that ``conf`` wants.

    :param make: the Compute API, given the strategy that tells callers' tokens (None for what ``conf`` names).
    """
    if not (conf.identity.enabled and conf.api.auth_strategy == "token"):
        return make(None)
    from nova_lite.api import auth
    from nova_lite.embedded.identity import app as identity_app
    from nova_lite.embedded.image import app as image_app
    from nova_lite.embedded.network import app as network_app
    from nova_lite.embedded.volume import app as volume_app

    identity = identity_app.connect(conf, compute.database)
    strategy = auth.strategy(conf, identity.tokens)
    return Mounts(
        make(strategy),
        {
            "/identity": identity_app.build(conf, engine, strategy, identity),
            "/image": image_app.build(conf, engine, strategy, compute),
            "/network": network_app.build(conf, engine, strategy, compute),
            "/volume": volume_app.build(conf, engine, strategy, compute),
        },
    )
