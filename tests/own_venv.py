"""A virtual environment for programs that tests run and that must not meddle with our own dependencies.

python -m tests.own_venv NAME makes that of tests/NAME: before pytest begins, whose time limits are a test's.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build"


def own_venv(name: str, requirements: Path, words: str) -> Path:
    """``build/<name>-venv``, made or made anew when its requirements have changed; its bin folder.

    :param words: said when it is made.
    """
    home = BUILD / f"{name}-venv"
    stamp, wanted = home / "stamp", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(words, flush=True)
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        stamp.write_text(wanted)
    return home / "bin"


if __name__ == "__main__":
    (NAME,) = sys.argv[1:]
    FILE = Path(__file__).parent / NAME / "requirements.txt"
    own_venv(NAME, FILE, f"Installing what tests/{NAME} runs (minutes, once)")
