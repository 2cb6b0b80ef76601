"""The embedded Identity service, under Keystone's rule names."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_OWN_USER = f"({base.ADMIN}) or user_id:%(user_id)s"
_OWN_PROJECT = f"({base.ADMIN}) or project_id:%(project_id)s"
_SUBJECT_OR_ADMIN = _OWN_USER
_SUBJECT_OR_SERVICE = f"({base.SERVICE_ROLE}) or user_id:%(user_id)s"

_RULES = [
    policy.DocumentedRuleDefault(
        name="identity:authenticate",
        check_str=base.RULE_ANY,
        description="Get a token.",
        operations=[{"method": "POST", "path": "/identity/v3/auth/tokens"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:validate_token",
        check_str=_SUBJECT_OR_SERVICE,
        description="Show a token other than one's own.",
        operations=[{"method": "GET", "path": "/identity/v3/auth/tokens"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:check_token",
        check_str=_SUBJECT_OR_SERVICE,
        description="Check a token other than one's own.",
        operations=[{"method": "HEAD", "path": "/identity/v3/auth/tokens"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:revoke_token",
        check_str=_SUBJECT_OR_ADMIN,
        description="Revoke a token other than one's own.",
        operations=[{"method": "DELETE", "path": "/identity/v3/auth/tokens"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_auth_catalog",
        check_str=base.RULE_ANY,
        description="Show the catalog.",
        operations=[{"method": "GET", "path": "/identity/v3/auth/catalog"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_auth_projects",
        check_str=base.RULE_ANY,
        description="List the projects that one can get a token for.",
        operations=[{"method": "GET", "path": "/identity/v3/auth/projects"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_auth_domains",
        check_str=base.RULE_ANY,
        description="List the domains that one can get a token for.",
        operations=[{"method": "GET", "path": "/identity/v3/auth/domains"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_users",
        check_str=base.ADMIN,
        description="List users.",
        operations=[{"method": "GET", "path": "/identity/v3/users"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:create_user",
        check_str=base.ADMIN,
        description="Create a user.",
        operations=[{"method": "POST", "path": "/identity/v3/users"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_user",
        check_str=_OWN_USER,
        description="Show a user.",
        operations=[{"method": "GET", "path": "/identity/v3/users/{user_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:update_user",
        check_str=base.ADMIN,
        description="Change a user.",
        operations=[{"method": "PATCH", "path": "/identity/v3/users/{user_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:delete_user",
        check_str=base.ADMIN,
        description="Delete a user.",
        operations=[{"method": "DELETE", "path": "/identity/v3/users/{user_id}"}],
        scope_types=["project"],
    ),
    *(
        policy.DocumentedRuleDefault(
            name=f"identity:{verb}_application_credential{'s' if verb == 'list' else ''}",
            check_str="user_id:%(user_id)s" if verb == "create" else _OWN_USER,
            description=description,
            operations=[
                {
                    "method": method,
                    "path": "/identity/v3/users/{user_id}/application_credentials"
                    + ("/{application_credential_id}" if one else ""),
                }
            ],
            scope_types=["project"],
        )
        for verb, method, one, description in (
            ("list", "GET", False, "List a user's application credentials."),
            ("create", "POST", False, "Create an application credential of one's own."),
            ("get", "GET", True, "Show an application credential."),
            ("delete", "DELETE", True, "Delete an application credential."),
        )
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_projects",
        check_str=base.ADMIN,
        description="List projects.",
        operations=[{"method": "GET", "path": "/identity/v3/projects"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:create_project",
        check_str=base.ADMIN,
        description="Create a project.",
        operations=[{"method": "POST", "path": "/identity/v3/projects"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_project",
        check_str=_OWN_PROJECT,
        description="Show a project.",
        operations=[{"method": "GET", "path": "/identity/v3/projects/{project_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:update_project",
        check_str=base.ADMIN,
        description="Change a project.",
        operations=[{"method": "PATCH", "path": "/identity/v3/projects/{project_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:delete_project",
        check_str=base.ADMIN,
        description="Delete a project.",
        operations=[{"method": "DELETE", "path": "/identity/v3/projects/{project_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_roles",
        check_str=base.RULE_ANY,
        description="List roles.",
        operations=[{"method": "GET", "path": "/identity/v3/roles"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:create_role",
        check_str=base.ADMIN,
        description="Create a role.",
        operations=[{"method": "POST", "path": "/identity/v3/roles"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_role",
        check_str=base.RULE_ANY,
        description="Show a role.",
        operations=[{"method": "GET", "path": "/identity/v3/roles/{role_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:update_role",
        check_str=base.ADMIN,
        description="Change a role.",
        operations=[{"method": "PATCH", "path": "/identity/v3/roles/{role_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:delete_role",
        check_str=base.ADMIN,
        description="Delete a role.",
        operations=[{"method": "DELETE", "path": "/identity/v3/roles/{role_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:change_password",
        check_str=base.RULE_ANY,
        description="Change a password by showing the present one.",
        operations=[{"method": "POST", "path": "/identity/v3/users/{user_id}/password"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_user_projects",
        check_str=_OWN_USER,
        description="List the projects in which a user has a role.",
        operations=[{"method": "GET", "path": "/identity/v3/users/{user_id}/projects"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_grants",
        check_str=base.ADMIN,
        description="List the roles of a user in a project.",
        operations=[{"method": "GET", "path": "/identity/v3/projects/{project_id}/users/{user_id}/roles"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:check_grant",
        check_str=base.ADMIN,
        description="Check a role of a user in a project.",
        operations=[{"method": "HEAD", "path": "/identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:create_grant",
        check_str=base.ADMIN,
        description="Give a role of a user in a project.",
        operations=[{"method": "PUT", "path": "/identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:revoke_grant",
        check_str=base.ADMIN,
        description="Take away a role of a user in a project.",
        operations=[{"method": "DELETE", "path": "/identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_role_assignments",
        check_str=base.ADMIN,
        description="List who has which role where.",
        operations=[{"method": "GET", "path": "/identity/v3/role_assignments"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_domains",
        check_str=base.RULE_ANY,
        description="List domains.",
        operations=[{"method": "GET", "path": "/identity/v3/domains"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:get_domain",
        check_str=base.RULE_ANY,
        description="Show a domain.",
        operations=[{"method": "GET", "path": "/identity/v3/domains/{domain_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_regions",
        check_str=base.RULE_ANY,
        description="List regions.",
        operations=[{"method": "GET", "path": "/identity/v3/regions"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_services",
        check_str=base.ADMIN,
        description="List the services in the catalog.",
        operations=[{"method": "GET", "path": "/identity/v3/services"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="identity:list_endpoints",
        check_str=base.ADMIN,
        description="List the endpoints in the catalog.",
        operations=[{"method": "GET", "path": "/identity/v3/endpoints"}],
        scope_types=["project"],
    ),
    *(
        policy.DocumentedRuleDefault(
            name=f"identity:{name}",
            check_str=check,
            description=description,
            operations=[{"method": "GET", "path": f"/identity/v3/{path}"}],
            scope_types=["project"],
        )
        for name, check, path, description in (
            ("get_region", base.RULE_ANY, "regions/{region_id}", "Show a region."),
            ("get_service", base.ADMIN, "services/{service_id}", "Show a service in the catalog."),
            ("get_endpoint", base.ADMIN, "endpoints/{endpoint_id}", "Show an endpoint in the catalog."),
            ("list_groups", base.ADMIN, "groups", "List groups of users."),
            ("list_groups_for_user", _OWN_USER, "users/{user_id}/groups", "List the groups that a user is in."),
        )
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
