"""``nova-lite policy``: what the rules are, what a caller may do and why."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import click
from oslo_config import cfg
from oslo_policy import _checks, generator
from oslo_policy import policy as oslo_policy

from nova_lite import policies
from nova_lite.api import auth
from nova_lite.api.policy import PolicyFileError, build_enforcer, read_policy_file
from nova_lite.cli import table
from nova_lite.cli.main import Settings, pass_settings


@click.group()
def policy() -> None:
    """Print, explain and compare policy rules.

    The defaults are in the code, under Nova's names; policy.yaml holds only what you change. It stands in
    /etc/nova-lite or in the state folder and is read again when it changes.
    """


@policy.command("sample")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [default: print]")
def sample(output: Path | None) -> None:
    """Print a policy.yaml with every rule, its default and its meaning, all commented out."""
    to_file = ["--output-file", str(output)] if output else []
    generator.generate_sample(["--namespace", "nova_lite", *to_file], cfg.ConfigOpts())


@policy.command("list")
@click.argument("pattern", default="*")
@click.option("--changed", is_flag=True, help="Only the rules that policy.yaml changes.")
@table.json_option
@pass_settings
def list_rules(settings: Settings, pattern: str, changed: bool, as_json: bool) -> None:
    """List the rules in force whose name matches PATTERN (with * and ?)."""
    _, rules, overrides = _in_force(settings)
    rows = [
        {"rule": name, "check": str(overrides.get(name, rule.check_str)), "from": _origin(name, overrides)}
        for name, rule in sorted(rules.items())
        if fnmatch.fnmatch(name, pattern) and (name in overrides or not changed)
    ]
    table.show(rows, ["rule", "check", "from"], as_json, "No rule matches.")


@policy.command("check")
@click.option("--rule", "pattern", default="*", help="Name of a rule, with * and ?.  [default: all]")
@click.option("--role", "roles", multiple=True, help="A role of the caller; may be repeated.")
@click.option("--user", default="user", show_default=True, help="The caller's user id.")
@click.option("--project", default="project", show_default=True, help="The caller's project id.")
@click.option("--target-project", help="Project of the object acted on.  [default: the caller's]")
@click.option("--target-user", help="User of the object acted on.  [default: the caller's]")
@pass_settings
def check(
    settings: Settings,
    pattern: str,
    roles: tuple[str, ...],
    user: str,
    project: str,
    target_project: str | None,
    target_user: str | None,
) -> None:
    """Tell whether a caller passes a rule; for a single rule also why.

    \b
    nova-lite policy check --role reader
    nova-lite policy check --role reader --rule os_compute_api:servers:create

    Exit code 1 when a single rule refuses the caller.
    """
    enforcer, rules, _ = _in_force(settings)
    names = sorted(name for name in rules if fnmatch.fnmatch(name, pattern))
    if not names:
        raise click.UsageError(f"No rule matches {pattern!r}; `nova-lite policy list` shows them.")
    expanded = auth.expand_roles(list(roles))
    credentials = {"roles": expanded, "user_id": user, "project_id": project}
    target = {"project_id": target_project or project, "user_id": target_user or user}
    if len(names) > 1:
        for name in names:
            click.echo(f"{_word(_passes(enforcer.rules[name], target, credentials, enforcer))}  {name}")
        return
    rule = enforcer.rules[names[0]]
    allowed = _passes(rule, target, credentials, enforcer)
    click.echo(f"{_word(allowed)}  {names[0]}")
    click.echo(f"caller: roles {', '.join(expanded) or '(none)'}; user {user}; project {project}")
    click.echo(f"target: project {target['project_id']}; user {target['user_id']}")
    _explain(rule, target, credentials, enforcer, 0)
    click.get_current_context().exit(0 if allowed else 1)


def _in_force(
    settings: Settings,
) -> tuple[oslo_policy.Enforcer, dict[str, oslo_policy.RuleDefault], dict[str, str]]:
    """An enforcer with the overrides applied, the defaults by name, and the overrides."""
    from nova_lite.api.app import policy_path  # the whole API: not for `policy sample`

    path = policy_path(settings.conf)
    try:
        overrides = read_policy_file(path)
        defaults = policies.list_rules()
        return build_enforcer(overrides, defaults), {rule.name: rule for rule in defaults}, overrides
    except PolicyFileError as error:
        hint = "The service refuses such a file and goes on with its last good rules."
        raise click.ClickException(f"{error}\n{hint}") from error


def _origin(name: str, overrides: dict[str, str]) -> str:
    return "policy.yaml" if name in overrides else "default"


def _passes(check: Any, target: dict[str, Any], credentials: dict[str, Any], enforcer: oslo_policy.Enforcer) -> bool:
    return bool(_checks._check(check, target, credentials, enforcer, None))


def _word(allowed: bool) -> str:
    return click.style("allowed", fg="green") if allowed else click.style("refused", fg="red")


def _explain(
    check: Any, target: dict[str, Any], credentials: dict[str, Any], enforcer: oslo_policy.Enforcer, depth: int
) -> None:
    """Print the check as a tree, each part with its own outcome."""
    mark = "+" if _passes(check, target, credentials, enforcer) else "-"
    parts: list[Any] = list(getattr(check, "rules", []))
    words = {"AndCheck": "all of", "OrCheck": "any of", "NotCheck": "not"}.get(type(check).__name__, str(check))
    click.echo(f"{'  ' * (depth + 1)}{mark} {words}")
    if type(check).__name__ == "NotCheck":
        parts = [check.rule]
    elif isinstance(check, _checks.RuleCheck):
        parts = [enforcer.rules[check.match]] if check.match in enforcer.rules else []
    for part in parts:
        _explain(part, target, credentials, enforcer, depth + 1)
