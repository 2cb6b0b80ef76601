"""``nova-lite-vmm --completion SHELL``: the script that makes a shell complete options, their keys and values."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Any

from nova_lite.hv.vmm import option_values, options

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_nova_lite_vmm() {
    local option= key= word before i
    word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    for ((i = COMP_CWORD - 1; i > 0; i--)); do
        [[ ${COMP_WORDS[i]} == --* ]] && { option=${COMP_WORDS[i]}; break; }
    done
    # The shell takes "=" for a word of its own.
    if [[ $word == = ]]; then
        key=$before word=
    elif [[ $before == = ]]; then
        key=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "%(options)s" -- "$word"))
        return
    fi
    if [[ -n $key && $word != *,* ]]; then
        case $option:${key##*,} in
%(values)s
            *) COMPREPLY=($(compgen -f -- "$word")) ;;
        esac
        return
    fi
    case $option in
%(keys)s
        %(files)s) COMPREPLY=($(compgen -f -- "$word")); return ;;
        *) COMPREPLY=($(compgen -W "%(options)s" -- "$word")); return ;;
    esac
    local head=
    [[ $word == *,* ]] && head=${word%%,*},
    COMPREPLY=($(compgen -P "$head" -W "$key" -- "${word##*,}"))
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2> /dev/null
}
complete -F _nova_lite_vmm nova-lite-vmm
"""


def script(shell: str) -> str:
    """The script for one of ``SHELLS``, to be put where that shell looks for such."""
    if shell == "fish":
        return "".join(_fish())
    bash = _bash()
    return bash if shell == "bash" else f"#compdef nova-lite-vmm\nautoload -U +X bashcompinit && bashcompinit\n{bash}"


def _bash() -> str:
    names: list[str] = []
    files: list[str] = []
    keys: list[str] = []
    values: list[str] = []
    for action in options.parser()._actions:
        if action.help == argparse.SUPPRESS:
            continue
        option = max(action.option_strings, key=len)
        names.append(option)
        words = _words(option)
        if words:
            keys.append(f'        {option}) key={shlex.quote(" ".join(words))} ;;')
        elif action.nargs != 0:
            choices = _choices(action)
            line = f'        {option}) COMPREPLY=($(compgen -W {shlex.quote(" ".join(choices))} -- "$word")); return ;;'
            (keys if choices else files).append(line if choices else option)
    for option, schema in _schemas().items():
        for key, (_, value) in option_values.keys(schema).items():
            if found := " ".join(_values(value)):
                values.append(f'            {option}:{key}) COMPREPLY=($(compgen -W "{found}" -- "$word")) ;;')
    return _BASH % {
        "options": " ".join(sorted(names)),
        "values": "\n".join(values),
        "keys": "\n".join(keys),
        "files": "|".join(files),
    }


def _fish() -> list[str]:
    lines = []
    for action in options.parser()._actions:
        if action.help == argparse.SUPPRESS:
            continue
        option = max(action.option_strings, key=len)
        line = f"complete -c nova-lite-vmm -l {option.removeprefix('--')}"
        for short in action.option_strings:
            if not short.startswith("--"):
                line += f" -s {short.removeprefix('-')}"
        words = _words(option) or _choices(action)
        if action.nargs != 0:
            line += f" -x -a {shlex.quote(' '.join(words))}" if words else " -r"
        about = re.split(r"[.:;] ", str(action.help).replace("%%", "%"))[0]
        lines.append(f"{line} -d {shlex.quote(about)}\n")
    return lines


def _schemas() -> dict[str, dict[str, Any]]:
    """The options of a machine that take keys, with the schema of each."""
    return {f"--{name}": schema for name, _, schema, _ in options.machine_options() if "properties" in schema}


def _words(option: str) -> list[str]:
    """What may begin the option's value, or follow a comma in it."""
    schema = _schemas().get(option)
    if schema is None:
        return []
    modes = [f"{mode}=" if mode in schema["properties"] else mode for mode in option_values.modes(schema)]
    return modes + [f"{key}=" for key in option_values.keys(schema)]


def _values(schema: dict[str, Any]) -> list[str]:
    if schema.get("type") == "boolean":
        return ["on", "off"]
    return [str(choice) for choice in schema.get("enum", ())]


def _choices(action: argparse.Action) -> list[str]:
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    return action.metavar.split("|") if isinstance(action.metavar, str) and "|" in action.metavar else []
