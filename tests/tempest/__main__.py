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

from nova_lite.disks import debian
from tests.own_venv import own_venv
from tests.tempest import results, settings
from tests.tempest.cloud import accounts, cloud
from tests.tempest.validation import SSH_TESTS

ROOT = Path(__file__).parents[2]
LINUX = ROOT / "build" / "tempest-linux"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
IN_A_NAMESPACE = "NOVA_LITE_TEMPEST_NETNS"
ALL = r"^tempest\.api\.compute\."


def main() -> int:
    parser = argparse.ArgumentParser(prog="make tempest", description=__doc__)
    parser.add_argument("tests", nargs="?", help="regular expression of test names")
    parser.add_argument("--driver", choices=("kvm", "fake"), default="kvm")
    parser.add_argument("--credentials", choices=("dynamic", "accounts"), default="dynamic")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--ssh", action="store_true", help="Linux in the servers, and tests that log in to it")
    parser.add_argument("--box", action="store_true", help="run in a QEMU machine with a real kvm-amd (tests/nested)")
    arguments = parser.parse_args()
    arguments.tests = arguments.tests or (SSH_TESTS if arguments.ssh else ALL)
    signal.signal(signal.SIGTERM, _interrupt)
    bin_ = own_venv("tempest", REQUIREMENTS, "Installing Tempest (a quarter of a minute)")
    build = ROOT / "build" / ("tempest-ssh" if arguments.ssh else "tempest")
    if arguments.ssh:
        have_linux()
    if arguments.box:
        return in_a_box(build)
    into_a_network_namespace()
    started = time.monotonic()
    code = run(arguments, bin_, build)
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    print(f"{minutes} min {seconds} s; results.subunit, results.xml and logs are in {build.relative_to(ROOT)}")
    return code


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def have_linux() -> None:
    """The servers' image is in ``LINUX``, made now if it was not."""

    def tell(percent: int, what: str) -> None:
        if percent < 100:
            print(f"Making the servers' Linux: {what} ({percent} %)", flush=True)

    debian.built(debian.busybox(), LINUX, tell)


def in_a_box(build: Path) -> int:
    """The same command in a box, whose results come to the same place."""
    build.mkdir(parents=True, exist_ok=True)
    box = [str(ROOT / "tests/nested/kvmbox"), "--memory", "4096", "--timeout", "3000", "--share", str(build)]
    box += ["--env", f"{IN_A_NAMESPACE}=1"]  # nobody else is there
    given = [argument for argument in sys.argv[1:] if argument != "--box"]
    return subprocess.run([*box, sys.executable, "-m", "tests.tempest", *given], cwd=ROOT, check=False).returncode


def into_a_network_namespace() -> None:
    """Root's servers get real networks: in a namespace of their own, so that nothing of this machine is touched."""
    if os.geteuid() != 0 or os.environ.get(IN_A_NAMESPACE):
        return
    os.environ[IN_A_NAMESPACE] = "1"
    inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m", "tests.tempest", *sys.argv[1:]]
    os.execvp("unshare", ["unshare", "--net", *inside])


def run(arguments: argparse.Namespace, bin_: Path, build: Path) -> int:
    """The exit code: 0 when tests ran and none failed."""
    for path in build.iterdir() if build.exists() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    build.mkdir(parents=True, exist_ok=True)
    conf, given = build / "tempest.conf", None
    with cloud(arguments.driver, LINUX if arguments.ssh else None) as made:
        try:
            if arguments.credentials == "accounts":
                given = build / "accounts.yaml"
                given.write_text(yaml.safe_dump(accounts(made, 2 * arguments.concurrency)))
            settings.write(conf, made, accounts_file=given, lock_path=build / "locks", ssh=arguments.ssh)
            print(f"A cloud with the {arguments.driver} driver is ready at {made.url}", flush=True)
            command = [str(bin_ / "tempest"), "run", "--config-file", str(conf), "--regex", arguments.tests]
            tempest(
                [*command, "--concurrency", str(arguments.concurrency)], {"PATH": f"{bin_}:{os.environ['PATH']}"}, build
            )
        finally:
            shutil.copy(made.serving.log, build / "serve.log")
    found = collect(bin_, build)
    print(found.summary())
    return 0 if found.passed and not found.failed else 1


def tempest(command: Sequence[str], environment: Mapping[str, str], build: Path) -> None:
    """Run it in a session of its own, whose processes all end with this function."""
    process = subprocess.Popen(
        command,
        cwd=build,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with open(build / "output.txt", "w", encoding="utf-8") as kept:
            results.progress(process.stdout, kept)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def collect(bin_: Path, build: Path) -> results.Results:
    """Results of the run, kept as subunit and as JUnit."""
    stream = subprocess.run([str(bin_ / "stestr"), "last", "--subunit"], cwd=build, capture_output=True, check=False)
    (build / "results.subunit").write_bytes(stream.stdout)
    junit = subprocess.run([str(bin_ / "subunit2junitxml")], input=stream.stdout, capture_output=True, check=False)
    (build / "results.xml").write_bytes(junit.stdout)
    return results.read(build / "results.xml")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has ended.", file=sys.stderr)
        sys.exit(130)
