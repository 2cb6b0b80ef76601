"""Every benchmark, one after another: a line of JSON each, as it prints it. Exit code 1 when one misses its target.

    python -m bench [NAME …]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The modules here that are programs of their own."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if "\ndef main(" in path.read_text())


def main() -> int:
    chosen = sys.argv[1:] or names()
    if unknown := [name for name in chosen if name not in names()]:
        print(f"no benchmark is called {unknown[0]!r}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    return max(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
