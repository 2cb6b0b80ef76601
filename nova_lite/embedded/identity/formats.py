"""Formats of Identity v3, as far as it goes here; the facts are those of Keystone's API reference."""

from __future__ import annotations

from typing import Any

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_Schema = dict[str, Any]

_id = {"type": "string", "maxLength": 255}
_id_or_null = _id | {"type": ["string", "null"]}
_name = {"type": "string", "minLength": 1, "maxLength": 255}
_password = {"type": "string", "maxLength": 4096, "ext:secret": True}
_password_or_null = _password | {"type": ["string", "null"]}
_flag = {"type": "boolean"}
_text_or_null = {"type": ["string", "null"], "maxLength": 65535}
_time = {"type": "string", "format": "date-time"}
_tags = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255}, "maxItems": 80}
_free = {"type": "object"}
_default_domain = {"type": "string", "enum": ["default"]}


def _all_of(name: str, item: _Schema) -> _Schema:
    """A listing with the links that all of Keystone's have."""
    return closed({name: {"type": "array", "items": item}, "links": _free})


# -- tokens ------------------------------------------------------------------------------------------------

_domain = closed({"id": _id, "name": _name}, optional=["id", "name"])
_user_named = closed({"id": _id, "name": _name, "domain": _domain}, optional=["id", "name", "domain"])
_user_shown = closed(
    {"id": _id, "name": _name, "domain": _domain, "password": _password}, optional=["id", "name", "domain"]
)
_scope = {
    "anyOf": [
        {"const": "unscoped"},
        closed({"project": closed({"id": _id, "name": _name, "domain": _domain}, optional=["id", "name", "domain"])}),
        closed({"domain": _domain}),
        closed({"system": closed({"all": _flag})}),
    ]
}
authenticate_input_3_0 = closed(
    {
        "auth": closed(
            {
                "identity": closed(
                    {
                        "methods": {"type": "array", "items": _name, "maxItems": 10},
                        "password": closed({"user": _user_shown}),
                        "token": closed({"id": types.string}),
                        "application_credential": closed(
                            {"id": _id, "name": _name, "user": _user_named, "secret": _password},
                            optional=["id", "name", "user"],
                        ),
                    },
                    optional=["password", "token", "application_credential"],
                ),
                "scope": _scope,
            },
            optional=["scope"],
        )
    },
    mapping={
        "auth/identity/password/user/id": "user_id",
        "auth/identity/password/user/name": "user_name",
        "auth/identity/password/user/domain/id": "user_domain_id",
        "auth/identity/password/user/domain/name": "user_domain_name",
        "auth/identity/password/user/password": "password",
        "auth/identity/token/id": "token",
        "auth/identity/application_credential/id": "credential_id",
        "auth/identity/application_credential/name": "credential_name",
        "auth/identity/application_credential/secret": "credential_secret",
        "auth/identity/application_credential/user/id": "credential_user_id",
        "auth/identity/application_credential/user/name": "credential_user_name",
        "auth/identity/application_credential/user/domain/id": "credential_user_domain_id",
        "auth/identity/application_credential/user/domain/name": "credential_user_domain_name",
    },
)
authenticate_query_3_0 = types.lax_query({})

_service_brief = closed({"id": _id, "type": _name, "name": _name, "endpoints": {"type": "array", "items": _free}})
_catalog = {"type": "array", "items": _service_brief}
_owner = closed({"id": _id, "name": _name})
_in_domain = closed({"id": _id, "name": _name, "domain": _owner})
_token = closed(
    {
        "methods": {"type": "array", "items": _name},
        "user": closed({"id": _id, "name": _name, "domain": _owner, "password_expires_at": types.null}),
        "audit_ids": {"type": "array", "items": types.string},
        "expires_at": _time,
        "issued_at": _time,
        "project": _in_domain,
        "is_domain": _flag,
        "roles": {"type": "array", "items": _owner},
        "catalog": _catalog,
        "application_credential": closed({"id": _id, "name": _name, "restricted": _flag}),
    },
    optional=["project", "is_domain", "roles", "catalog", "application_credential"],
    mapping={
        "application_credential/id": "credential_id",
        "application_credential/name": "credential_name",
        "user/id": "user_id",
        "user/name": "user_name",
        "user/domain/id": "user_domain_id",
        "user/domain/name": "user_domain_name",
        "project/id": "project_id",
        "project/name": "project_name",
        "project/domain/id": "project_domain_id",
        "project/domain/name": "project_domain_name",
    },
)
authenticate_output_3_0 = wrapped("token", _token)
validate_output_3_0 = authenticate_output_3_0
validate_query_3_0 = types.lax_query({"nocatalog": types.last(types.string)})
check_query_3_0 = revoke_query_3_0 = validate_query_3_0
catalog_output_3_0 = closed({"catalog": _catalog, "links": _free})
own_domains_output_3_0 = _all_of("domains", _free)

# -- users -------------------------------------------------------------------------------------------------

_user_in: dict[str, _Schema] = {
    "name": _name,
    "password": _password_or_null,
    "email": _text_or_null | {"maxLength": 255},
    "enabled": _flag,
    "description": _text_or_null,
    "default_project_id": _id_or_null,
    "domain_id": _default_domain | {"ext:ignored": True},
    "options": {"type": "object", "maxProperties": 0, "ext:ignored": True},
}
_user_out = closed(
    {
        "id": _id,
        "name": _name,
        "enabled": _flag,
        "domain_id": _id,
        "email": types.string,
        "description": types.string,
        "default_project_id": _id,
        "options": _free,
        "password_expires_at": types.null,
        "links": _free,
    },
    optional=["email", "description", "default_project_id"],
)
create_user_input_3_0 = wrapped("user", closed(_user_in, optional=[name for name in _user_in if name != "name"]))
update_user_input_3_0 = wrapped("user", closed(_user_in, optional=list(_user_in)))
create_user_output_3_0 = show_user_output_3_0 = update_user_output_3_0 = wrapped("user", _user_out)
list_users_query_3_0 = types.lax_query(
    {"name": types.last(types.string), "enabled": types.last(types.boolean), "domain_id": types.last(types.string)}
)
list_users_output_3_0 = _all_of("users", _user_out)
change_password_input_3_0 = wrapped("user", closed({"original_password": _password, "password": _password}))

# -- application credentials -------------------------------------------------------------------------------

_credential_in: dict[str, _Schema] = {
    "name": _name,
    "secret": _password_or_null,
    "description": _text_or_null,
    "expires_at": {"type": ["string", "null"], "maxLength": 255},
    "unrestricted": {"type": ["boolean", "null"]},
    "roles": {"type": "array", "items": _free, "maxItems": 255},
    "access_rules": {"type": "array", "items": _free, "maxItems": 255},
}
_credential_out = {
    "id": _id,
    "name": _name,
    "description": _text_or_null,
    "user_id": _id,
    "project_id": _id,
    "system": types.null,
    "expires_at": {"type": ["string", "null"]},
    "unrestricted": _flag,
    "roles": {"type": "array", "items": _free},
    "links": _free,
}
create_application_credential_input_3_0 = wrapped(
    "application_credential", closed(_credential_in, optional=[name for name in _credential_in if name != "name"])
)
create_application_credential_output_3_0 = wrapped(
    "application_credential", closed(_credential_out | {"secret": types.string})
)
show_application_credential_output_3_0 = wrapped("application_credential", closed(_credential_out))
list_application_credentials_output_3_0 = _all_of("application_credentials", closed(_credential_out))
list_application_credentials_query_3_0 = types.lax_query({"name": types.last(types.string)})
delete_application_credential_output_3_0 = None

# -- projects ----------------------------------------------------------------------------------------------

_project_in: dict[str, _Schema] = {
    "name": _name | {"maxLength": 64},
    "description": _text_or_null,
    "enabled": _flag,
    "tags": _tags,
    "domain_id": _default_domain | {"ext:ignored": True},
    "parent_id": {"enum": ["default", None], "ext:ignored": True},
    "is_domain": {"const": False, "ext:ignored": True},
    "options": {"type": "object", "maxProperties": 0, "ext:ignored": True},
}
_project_out = closed(
    {
        "id": _id,
        "name": _name,
        "description": types.string,
        "enabled": _flag,
        "tags": _tags,
        "domain_id": _id,
        "parent_id": _id,
        "is_domain": _flag,
        "options": _free,
        "links": _free,
    }
)
create_project_input_3_0 = wrapped(
    "project", closed(_project_in, optional=[name for name in _project_in if name != "name"])
)
update_project_input_3_0 = wrapped("project", closed(_project_in, optional=list(_project_in)))
create_project_output_3_0 = update_project_output_3_0 = wrapped("project", _project_out)
_flags = ("parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids")
show_project_query_3_0 = types.lax_query({name: types.last(types.string) for name in _flags})
show_project_output_3_0 = wrapped(
    "project",
    _project_out
    | {"properties": _project_out["properties"] | {name: {} for name in ("parents", "subtree")}},
)
list_projects_query_3_0 = types.lax_query(
    {
        "name": types.last(types.string),
        "enabled": types.last(types.boolean),
        "domain_id": types.last(types.string),
        "parent_id": types.last(types.string),
        "is_domain": types.last(types.boolean),
        **{name: types.last(types.string) for name in ("tags", "tags-any", "not-tags", "not-tags-any")},
    },
    mapping={"tags-any": "tags_any", "not-tags": "not_tags", "not-tags-any": "not_tags_any"},
)
list_projects_output_3_0 = _all_of("projects", _project_out)
own_projects_output_3_0 = user_projects_output_3_0 = list_projects_output_3_0
own_projects_query_3_0 = own_domains_query_3_0 = user_projects_query_3_0 = types.lax_query({})

# -- roles and who has them --------------------------------------------------------------------------------

_role_in: dict[str, _Schema] = {
    "name": _name,
    "description": _text_or_null,
    "domain_id": types.null,
    "options": {"type": "object", "maxProperties": 0, "ext:ignored": True},
}
_role_out = closed(
    {
        "id": _id,
        "name": _name,
        "description": _text_or_null,
        "domain_id": types.null,
        "options": _free,
        "links": _free,
    }
)
create_role_input_3_0 = wrapped("role", closed(_role_in, optional=["description", "domain_id", "options"]))
update_role_input_3_0 = wrapped("role", closed(_role_in, optional=list(_role_in)))
create_role_output_3_0 = show_role_output_3_0 = update_role_output_3_0 = wrapped("role", _role_out)
list_roles_query_3_0 = types.lax_query({name: types.last(types.string) for name in ("name", "domain_id")})
list_roles_output_3_0 = _all_of("roles", _role_out)
list_grants_output_3_0 = list_roles_output_3_0
list_grants_query_3_0 = types.lax_query({})
list_assignments_query_3_0 = types.lax_query(
    {
        "user.id": types.last(types.string),
        "role.id": types.last(types.string),
        "scope.project.id": types.last(types.string),
        "scope.domain.id": types.last(types.string),
        "scope.system": types.last(types.string),
        "group.id": types.last(types.string),
        "include_names": types.last(types.string),
        "effective": types.last(types.string),
    },
    mapping={
        "user.id": "user_id",
        "role.id": "role_id",
        "scope.project.id": "project_id",
        "scope.domain.id": "scope_domain",
        "scope.system": "scope_system",
        "group.id": "group_id",
    },
)
list_assignments_output_3_0 = _all_of("role_assignments", _free)

# -- what there is one of ----------------------------------------------------------------------------------

_domain_out = closed(
    {
        "id": _id,
        "name": _name,
        "description": types.string,
        "enabled": _flag,
        "tags": _tags,
        "options": _free,
        "links": _free,
    }
)
list_domains_query_3_0 = types.lax_query({"name": types.last(types.string), "enabled": types.last(types.boolean)})
list_domains_output_3_0 = _all_of("domains", _domain_out)
show_domain_output_3_0 = wrapped("domain", _domain_out)
list_regions_output_3_0 = _all_of("regions", _free)
list_services_output_3_0 = _all_of("services", _free)
list_endpoints_output_3_0 = _all_of("endpoints", _free)
list_regions_query_3_0 = types.lax_query({})
list_services_query_3_0 = types.lax_query({name: types.last(types.string) for name in ("type", "name")})
list_endpoints_query_3_0 = types.lax_query(
    {name: types.last(types.string) for name in ("interface", "service_id", "region_id")}
)
show_region_output_3_0 = wrapped("region", _free)
show_service_output_3_0 = wrapped("service", _free)
show_endpoint_output_3_0 = wrapped("endpoint", _free)
list_groups_output_3_0 = user_groups_output_3_0 = _all_of("groups", _free)
list_groups_query_3_0 = user_groups_query_3_0 = types.lax_query({})
