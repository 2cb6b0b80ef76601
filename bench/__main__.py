"""Every benchmark, one after another: a line of JSON each, as it prints it. Exit code 1 when one misses its target.

    python -m bench [--nested] [NAME …]

Those that boot Linux (linux_…) take minutes in an emulated machine and run only when they are named or with --nested,
which stands for all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NESTED = "linux_"


def names() -> list[str]:
    """The modules here that are programs of their own."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if "\ndef main(" in path.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}")
    parser.add_argument("--nested", action="store_true", help=f"those that boot Linux ({NESTED}…), and no others")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in names()]:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(names())}")
    chosen = given.names or [name for name in names() if name.startswith(NESTED) == given.nested]
    return max(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
