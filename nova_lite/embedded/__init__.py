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
    by_keystone = conf.api.auth_strategy == "keystone"
    if not by_keystone and not (conf.identity.enabled and conf.api.auth_strategy == "token"):
        return make(None)
    from nova_lite.api import auth
    from nova_lite.embedded.identity import app as identity_app
    from nova_lite.embedded.image import app as image_app
    from nova_lite.embedded.network import app as network_app
    from nova_lite.embedded.volume import app as volume_app

    mounted: dict[str, WSGI] = {}
    if by_keystone:
        strategy = auth.strategy(conf)
    else:
        identity = identity_app.connect(conf, compute.database)
        strategy = auth.strategy(conf, identity.tokens)
        mounted["/identity"] = identity_app.build(conf, engine, strategy, identity)
    if conf.image.service == "embedded":
        mounted["/image"] = image_app.build(conf, engine, strategy, compute)
    mounted["/network"] = network_app.build(conf, engine, strategy, compute)
    mounted["/volume"] = volume_app.build(conf, engine, strategy, compute)
    return Mounts(make(strategy), mounted)
