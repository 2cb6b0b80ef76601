"""Options of the real companions, Keystone and Glance; part of nova_lite.conf."""

from __future__ import annotations

from oslo_config import cfg


def _served(what: str, where: str, things: str) -> cfg.StrOpt:
    return cfg.StrOpt(
        "service",
        default="embedded",
        choices=[
            ("embedded", f"the service of {what} at {where}, over the {things} of this host"),
            ("none", f"no such service here, and none in the catalog; the Compute API has the {things} of this host"),
        ],
        help=f"Who answers {what}: none where clients are to ask another one.",
    )


IMAGE_OPTS = [
    cfg.StrOpt(
        "service",
        default="embedded",
        choices=[
            ("embedded", "the service of Image v2 at /image, over the images of this host"),
            ("glance", "a Glance, see group [glance]; with [api] auth_strategy = keystone; needs nova-lite[glance]"),
            ("none", "the images of this host, without a service of Image v2"),
        ],
        help="Where images are.",
    ),
]
NETWORK_OPTS = [_served("Network v2", "/network", "networks")]
VOLUME_OPTS = [_served("Volume v3", "/volume/v3", "volumes")]

GLANCE_OPTS = [
    cfg.StrOpt("endpoint_override", help="Where Glance is, without /v2; unset: what Keystone's catalog says."),
    cfg.StrOpt("region_name", help="The region in the catalog to look for it in."),
    cfg.ListOpt("valid_interfaces", default=["internal", "public"], help="Its interfaces, the wanted one first."),
]
#: keystoneauth's own options of that group, as far as they are wanted here; the client registers all of them.
GLANCE_SESSION_OPTS = [
    cfg.StrOpt(
        "auth_section",
        default="keystone_authtoken",
        help="The group that says how this service logs in to fetch images for servers and to upload images of them: a "
        "user that may do so with everybody's, as one with the role admin may.",
    ),
    cfg.StrOpt("cafile", help="PEM file of the authorities that Glance's certificate is checked by."),
    cfg.IntOpt("timeout", default=120, help="Seconds without a word after which a request has failed."),
]

#: keystonemiddleware's own options, as far as they are wanted here; it registers and reads all of them itself.
KEYSTONE_AUTHTOKEN_OPTS = [
    cfg.StrOpt("www_authenticate_uri", help="Where clients find Keystone: named in answers with status 401."),
    cfg.StrOpt("auth_url", help="Where this service finds Keystone."),
    cfg.StrOpt("auth_type", sample_default="password", help="How this service logs in to look at others' tokens."),
    cfg.StrOpt("username", help="Its user; wants a role that may validate tokens, such as service or admin."),
    cfg.StrOpt("password", secret=True, help="The user's password."),
    cfg.StrOpt("user_domain_name", help="The user's domain."),
    cfg.StrOpt("project_name", help="The project it logs in to."),
    cfg.StrOpt("project_domain_name", help="That project's domain."),
    cfg.StrOpt("interface", default="internal", help="Which of Keystone's endpoints in its catalog is asked."),
    cfg.StrOpt("cafile", help="PEM file of the authorities that Keystone's certificate is checked by."),
    cfg.IntOpt(
        "token_cache_time",
        default=300,
        help="Seconds that a good token is remembered; so long a revoked one may still open the API. -1 asks each "
        "time.",
    ),
    cfg.ListOpt("memcached_servers", help="host:port of memcached, to remember tokens for all workers together."),
    cfg.ListOpt("service_token_roles", default=["service"], help="Roles of which a service token must have one."),
    cfg.StrOpt("service_type", sample_default="compute", help="Needed for application credentials with access rules."),
]

#: Groups with what the libraries of the companions register by themselves.
DOCUMENTED = {
    "glance": [*GLANCE_OPTS, *GLANCE_SESSION_OPTS],
    "keystone_authtoken": KEYSTONE_AUTHTOKEN_OPTS,
}
