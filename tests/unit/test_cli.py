"""The nova-lite command: complete help, shared options, and every subcommand that needs no running service."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from nova_lite import __version__
from nova_lite.api.auth.tokens import TokenFile
from nova_lite.cli.completion import SHELLS
from nova_lite.cli.main import SUBCOMMANDS, main
from nova_lite.hv import guests

COUNTING = Path(guests.__path__[0]) / "counting.bin"
INTERACTIVE = Path(guests.__path__[0]) / "interactive.elf"


class NovaLite:
    """`nova-lite` on a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--state-path", str(self.state), *arguments], prog_name="nova-lite")

    def ok(self, *arguments: str) -> str:
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def nova_lite(tmp_path: Path) -> NovaLite:
    return NovaLite(tmp_path / "state")


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*path, name))


COMMANDS = dict(walk(main, ("nova-lite",)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_explains_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path[1:], "--help"], prog_name="nova-lite")
    assert result.exit_code == 0
    command = COMMANDS[path]
    assert command.help
    silent = [
        parameter.name for parameter in command.params if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_the_overview_names_every_subcommand() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    assert [name for name in SUBCOMMANDS if f"  {name} " not in text] == []


def test_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.strip() == f"nova-lite, version {__version__}"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["serv"])
    assert result.exit_code == 2
    assert "No such command 'serv'" in result.output


def test_a_broken_configuration_is_one_clear_line(tmp_path: Path) -> None:
    config = tmp_path / "nova-lite.conf"
    config.write_text("[api]\nworkers = many\n")
    result = CliRunner().invoke(main, ["--config-file", str(config), "token", "list"])
    assert result.exit_code == 1
    assert "workers" in result.output
    assert "Traceback" not in result.output


def test_the_state_path_may_come_from_environment_and_configuration(tmp_path: Path) -> None:
    config = tmp_path / "nova-lite.conf"
    config.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/from-file\n")
    CliRunner().invoke(main, ["--config-file", str(config), "token", "create"])
    assert (tmp_path / "from-file" / "tokens.yaml").exists()
    CliRunner(env={"NOVA_LITE_STATE_PATH": f"{tmp_path}/from-env"}).invoke(main, ["token", "create"])
    assert (tmp_path / "from-env" / "tokens.yaml").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts_are_complete(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell], prog_name="nova-lite").output
    assert "_NOVA_LITE_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_bash_is_told_the_subcommands() -> None:
    environment = {"_NOVA_LITE_COMPLETE": "bash_complete", "COMP_WORDS": "nova-lite to", "COMP_CWORD": "1"}
    assert CliRunner(env=environment).invoke(main, prog_name="nova-lite").output.split() == ["plain,token"]


def test_a_token_is_created_used_listed_and_revoked(nova_lite: NovaLite) -> None:
    secret = nova_lite.ok("token", "create", "-q", "--user", "ci", "--project", "demo", "--role", "reader").strip()
    record = TokenFile(nova_lite.state / "tokens.yaml").lookup(secret)
    assert record is not None
    assert (record.user_name, record.project_name, record.roles) == ("ci", "demo", ("reader",))
    (row,) = json.loads(nova_lite.ok("token", "list", "--json"))
    assert (row["id"], row["state"]) == (record.id, "valid")
    assert secret not in nova_lite.ok("token", "list")
    nova_lite.ok("token", "revoke", record.id)
    assert f"No token has the id '{record.id}'" in nova_lite("token", "revoke", record.id).output
    assert TokenFile(nova_lite.state / "tokens.yaml").lookup(secret) is None


def test_two_tokens_for_one_project_name_share_its_id(nova_lite: NovaLite) -> None:
    for user in ("alice", "bob"):
        nova_lite.ok("token", "create", "--user", user, "--project", "demo")
    first, second = TokenFile(nova_lite.state / "tokens.yaml").list()
    assert first.project_id == second.project_id
    assert first.user_id != second.user_id


def test_a_project_id_is_taken_as_it_is(nova_lite: NovaLite) -> None:
    project = "6f70656e737461636b20706172747921"
    nova_lite.ok("token", "create", "--project", project)
    assert TokenFile(nova_lite.state / "tokens.yaml").list()[0].project_id == project


@pytest.mark.parametrize("expires", ["30d", "2999-01-01T00:00:00Z", "90m"])
def test_a_token_may_end(nova_lite: NovaLite, expires: str) -> None:
    nova_lite.ok("token", "create", "--expires", expires)
    assert TokenFile(nova_lite.state / "tokens.yaml").list()[0].expires_at is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["token", "create", "--expires", "tomorrow"], "'tomorrow' is neither a duration"),
        (["token", "create", "--role", "a b"], "roles must be a list of names"),
        (["token", "revoke", "0123456789ab"], "There is no folder"),
        (["image", "list"], "There is no database"),
        (["image", "add", "x", "/nonexistent"], "does not exist"),
        (["image", "add", "x"], "Name one kernel"),
        (["image", "add", "x", __file__], "is of no format known here"),
        (["image", "add", "x", str(COUNTING), "--initrd", str(COUNTING)], "takes no initramfs"),
        (["image", "add", "x", str(COUNTING), "--disk", __file__], "bytes are no disk"),
        (["image", "add", "x", str(COUNTING), "--disk-format", "raw"], "--disk-format is said of a --disk"),
        (["image", "add", "x", str(COUNTING), "--property", "novalue"], "'novalue' is not NAME=VALUE"),
        (["vm", "info", "demo"], "No VM of this host is called 'demo'"),
        (["vm", "stop"], "Name the VMs to stop, or give --all"),
        (["policy", "check", "--rule", "nonsense:*"], "No rule matches 'nonsense:*'"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(nova_lite: NovaLite, arguments: list[str], message: str) -> None:
    result = nova_lite(*arguments)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_the_state_folder_is_for_its_owner_only(nova_lite: NovaLite) -> None:
    nova_lite.ok("token", "create")
    assert nova_lite.state.stat().st_mode & 0o777 == 0o700


def test_images_are_added_listed_and_removed(nova_lite: NovaLite) -> None:
    nova_lite.ok("db", "upgrade")
    flat = nova_lite.ok("image", "add", "mine", str(COUNTING), "--property", "os=none").strip()
    elf = nova_lite.ok("image", "add", "elf", str(INTERACTIVE), "--project", "demo", "--min-ram", "16").strip()
    rows = {row["id"]: row for row in json.loads(nova_lite.ok("image", "list", "--json"))}
    assert (rows[flat]["kernel_format"], rows[flat]["visibility"]) == ("flat16", "public")
    assert (rows[elf]["kernel_format"], rows[elf]["visibility"], rows[elf]["min_ram"]) == ("elf64", "private", 16)
    linux = COUNTING.with_name("interactive.elf")
    initrd = nova_lite.state / "initrd"
    initrd.write_bytes(b"070701")
    with_initrd = nova_lite.ok(
        "image", "add", "linux", "--kernel", str(linux), "--initrd", str(initrd), "--cmdline", "console=ttyS0"
    ).strip()
    shown = {row["id"]: row for row in json.loads(nova_lite.ok("image", "list", "--json"))}[with_initrd]
    assert (shown["kernel_format"], shown["initramfs"], shown["cmdline"]) == ("elf64", "initrd", "console=ttyS0")
    nova_lite.ok("image", "remove", with_initrd)
    nova_lite.ok("image", "remove", flat)
    assert [row["id"] for row in json.loads(nova_lite.ok("image", "list", "--json"))] == [elf]


def test_the_database_is_made_once_and_knows_its_version(nova_lite: NovaLite) -> None:
    first = nova_lite.ok("db", "upgrade")
    assert nova_lite.ok("db", "upgrade") == first
    assert "database 0020, program 0020" in nova_lite.ok("db", "version")


def test_status_says_what_does_not_run(nova_lite: NovaLite, tmp_path: Path) -> None:
    result = CliRunner(env={"OS_API__BIND_PORT": "1"}).invoke(
        main, ["--state-path", str(nova_lite.state), "status", "--json"]
    )
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert (facts["serve"], facts["agent"], facts["api"], facts["vms"]) == (None, None, None, {})


def test_no_vms_is_said(nova_lite: NovaLite) -> None:
    assert "No VMs in" in nova_lite.ok("vm", "list")


def test_policy_check_explains_an_outcome(nova_lite: NovaLite) -> None:
    refused = nova_lite("policy", "check", "--role", "reader", "--rule", "os_compute_api:servers:create")
    assert refused.exit_code == 1
    assert refused.stdout.startswith("refused  os_compute_api:servers:create")
    assert "- role:member" in refused.stdout
    allowed = nova_lite("policy", "check", "--role", "member", "--rule", "os_compute_api:servers:create")
    assert allowed.exit_code == 0
    assert "+ role:member" in allowed.stdout


def test_policy_check_knows_other_projects(nova_lite: NovaLite) -> None:
    rule = ("--rule", "os_compute_api:servers:show", "--role", "member", "--target-project", "other")
    assert nova_lite("policy", "check", *rule).exit_code == 1


def test_policy_list_shows_what_the_file_changes(nova_lite: NovaLite) -> None:
    nova_lite.ok("db", "upgrade")
    (nova_lite.state / "policy.yaml").write_text('"os_compute_api:servers:create": "role:admin"\n')
    (row,) = json.loads(nova_lite.ok("policy", "list", "--changed", "--json"))
    assert row == {"rule": "os_compute_api:servers:create", "check": "role:admin", "from": "policy.yaml"}
    assert nova_lite("policy", "check", "--role", "member", "--rule", row["rule"]).exit_code == 1


def test_a_broken_policy_file_is_named(nova_lite: NovaLite) -> None:
    nova_lite.ok("db", "upgrade")
    (nova_lite.state / "policy.yaml").write_text('"os_compute_api:servers:create": "role:admin and"\n')
    result = nova_lite("policy", "list")
    assert result.exit_code == 1
    assert "os_compute_api:servers:create" in result.output


def test_policy_sample_can_be_written_to_a_file(nova_lite: NovaLite, tmp_path: Path) -> None:
    nova_lite.ok("policy", "sample", "--output", str(tmp_path / "policy.yaml"))
    assert '#"os_compute_api:servers:create"' in (tmp_path / "policy.yaml").read_text()
