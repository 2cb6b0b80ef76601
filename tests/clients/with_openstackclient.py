"""python-openstackclient, a file of commands in one process: each must end as its line says, and without a trace."""

import contextlib
import io
import shlex
import sys
import traceback

from openstackclient import shell


def run(line):
    """Status, standard output and standard error of one command."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = shell.main(shlex.split(line))
        except SystemExit as end:
            status = end.code
        except Exception:
            traceback.print_exc()
            status = 255
    return status, out.getvalue(), errors.getvalue()


names = {}
wrong = []
for line in sys.stdin:
    line = line.strip()
    if not line or line.startswith("#"):
        continue
    name, _, rest = line.partition(":=")
    command = rest if rest else line
    refused = command.startswith("!")
    for known, value in names.items():
        command = command.replace(f"${known}", value)
    status, out, errors = run(command.removeprefix("!"))
    if rest:
        names[name.strip()] = out.split()[-1] if out.strip() else ""
    if bool(status) != refused or "Traceback" in errors or "HTTP 500" in errors or ": 500:" in errors:
        wrong.append(f"{command}\n{out[-500:]}{errors[-1000:]}")
if wrong:
    sys.exit("\n".join(wrong))
print("all is well")
