"""Shell completion of nova-lite-vmm: what the shells themselves make of the scripts."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from nova_lite.hv.vmm import completion
from nova_lite.hv.vmm.main import main


def complete(*words: str) -> list[str]:
    """What bash offers for the last word; an "=" is a word of its own, as bash cuts lines up."""
    quoted = " ".join(f"'{word}'" for word in ("nova-lite-vmm", *words))
    ask = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _nova_lite_vmm; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    command = ["bash", "--norc", "-c", f"{completion.script('bash')}\n{ask}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("--dis",), ["--disk"]),
        (("--fs",), []),
        (("--disk", "rea"), ["readonly="]),
        (("--disk", "path", "=", "x,reado"), ["x,readonly="]),
        (("--disk", "path", "=", "x,readonly", "=", "o"), ["on", "off"]),
        (("--disk", "image_type", "="), ["Raw", "Unknown", "Overlay"]),
        (("--serial", "t"), ["tty"]),
        (("--console", "so"), ["socket="]),
        (("--format", "bz"), ["bzimage"]),
        (("--completion", "z"), ["zsh"]),
        (("--cpus", "boot", "=", "4,topo"), ["4,topology="]),
    ],
)
def test_bash_offers_options_keys_and_values(words, offered):
    assert complete(*words) == offered


def test_bash_offers_files_where_a_path_belongs(tmp_path, monkeypatch):
    (tmp_path / "vmlinuz").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("--kernel", "vml") == ["vmlinuz"]
    assert complete("--disk", "path", "=", "vml") == ["vmlinuz"]


@pytest.mark.parametrize("shell", [shell for shell in completion.SHELLS if shutil.which(shell)])
def test_the_shell_reads_its_script(shell, capsys):
    assert main(["--completion", shell]) == 0
    script = capsys.readouterr().out
    subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)


def test_every_option_is_in_every_script():
    for shell in completion.SHELLS:
        script = completion.script(shell)
        for option in ("api-socket", "disk", "rate-limit-group", "debug-console", "firmware"):
            assert f"--{option}" in script or f"-l {option} " in script
