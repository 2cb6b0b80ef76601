"""`make tempest [TESTS=regex]`: starts a cloud, runs Tempest's tests of the Compute API against it, counts."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.own_venv import own_venv
from tests.tempest import results, settings
from tests.tempest.cloud import accounts, cloud

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "tempest"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
ALL = r"^tempest\.api\.compute\."


def main() -> int:
    parser = argparse.ArgumentParser(prog="make tempest", description=__doc__)
    parser.add_argument("tests", nargs="?", default=ALL, help="regular expression of test names")
    parser.add_argument("--driver", choices=("kvm", "fake"), default="kvm")
    parser.add_argument("--credentials", choices=("dynamic", "accounts"), default="dynamic")
    parser.add_argument("--concurrency", type=int, default=2)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    bin_ = own_venv("tempest", REQUIREMENTS, "Installing Tempest (a quarter of a minute)")
    into_a_network_namespace()
    started = time.monotonic()
    code = run(arguments, bin_)
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    print(f"{minutes} min {seconds} s; results.subunit, results.xml and logs are in {BUILD.relative_to(ROOT)}")
    return code


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def into_a_network_namespace() -> None:
    """Root's servers get real networks: in a namespace of their own, so that nothing of this machine is touched."""
    if os.geteuid() != 0 or os.environ.get("NOVA_LITE_TEMPEST_NETNS"):
        return
    os.environ["NOVA_LITE_TEMPEST_NETNS"] = "1"
    inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m", "tests.tempest", *sys.argv[1:]]
    os.execvp("unshare", ["unshare", "--net", *inside])


def run(arguments: argparse.Namespace, bin_: Path) -> int:
    """The exit code: 0 when tests ran and none failed."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    conf, given = BUILD / "tempest.conf", None
    with cloud(arguments.driver) as made:
        try:
            if arguments.credentials == "accounts":
                given = BUILD / "accounts.yaml"
                given.write_text(yaml.safe_dump(accounts(made.serving.state, 2 * arguments.concurrency)))
            settings.write(conf, made, accounts_file=given, lock_path=BUILD / "locks")
            print(f"A cloud with the {arguments.driver} driver is ready at {made.url}", flush=True)
            command = [str(bin_ / "tempest"), "run", "--config-file", str(conf), "--regex", arguments.tests]
            tempest([*command, "--concurrency", str(arguments.concurrency)], {"PATH": f"{bin_}:{os.environ['PATH']}"})
        finally:
            shutil.copy(made.serving.log, BUILD / "serve.log")
    found = collect(bin_)
    print(found.summary())
    return 0 if found.passed and not found.failed else 1


def tempest(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run it in a session of its own, whose processes all end with this function."""
    process = subprocess.Popen(
        command,
        cwd=BUILD,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with open(BUILD / "output.txt", "w", encoding="utf-8") as kept:
            results.progress(process.stdout, kept)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def collect(bin_: Path) -> results.Results:
    """Results of the run, kept as subunit and as JUnit."""
    stream = subprocess.run([str(bin_ / "stestr"), "last", "--subunit"], cwd=BUILD, capture_output=True, check=False)
    (BUILD / "results.subunit").write_bytes(stream.stdout)
    junit = subprocess.run([str(bin_ / "subunit2junitxml")], input=stream.stdout, capture_output=True, check=False)
    (BUILD / "results.xml").write_bytes(junit.stdout)
    return results.read(BUILD / "results.xml")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has ended.", file=sys.stderr)
        sys.exit(130)
