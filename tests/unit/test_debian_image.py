"""`nova-lite image build debian|busybox` with a stand-in for mmdebstrap, which would need a mirror and minutes.

What it is asked for, what its hooks make of a tree, the cache.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nova_lite.cli.main import main
from nova_lite.disks import debian

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin") is None,
    reason="needs root and mke2fs (Debian: e2fsprogs)",
)

#: Makes a small tree in place of Debian, then does with the hooks what mmdebstrap does.
_STAND_IN = r"""#!/bin/sh
set -eu
here=$(dirname "$0")
printf '%s\n' "$@" >"$here/arguments"
cat >"$here/sources"
[ ! -e "$here/broken" ] || { echo "I: running apt-get update..." >&2; echo "E: no such suite" >&2; exit 25; }
root=$(mktemp -d)
cd "$root"
mkdir -p boot etc/cloud/cloud.cfg.d etc/apt/sources.list.d etc/ssh usr/share proc sys dev tmp run var/log
mkdir -p var/lib/apt/lists mnt
echo kernel >boot/vmlinuz-6; echo initramfs >boot/initrd.img-6
echo old >etc/machine-id; echo secret >etc/ssh/ssh_host_ed25519_key; echo list >var/lib/apt/lists/big
mount -t tmpfs none proc; echo host >proc/host
echo "I: downloading packages with apt..." >&2
for argument; do
    case $argument in
    --essential-hook=*) sh -c "${argument#*=}" exec "$root" ;;
    --extract-hook=*) . "$here/unpacked"; sh -c "${argument#*=}" exec "$root" ;;
    --customize-hook=*) echo "I: running --customize-hook in shell" >&2; sh -c "${argument#*=}" exec "$root" ;;
    esac
done
umount proc
rm -rf "$root"
"""
#: What the packages of the small Linux would leave in the tree, with a busybox of the few words that are needed.
_UNPACKED = r"""
mkdir -p bin sbin usr/bin usr/sbin lib64 lib/modules/6/kernel
cp -L /bin/true usr/sbin/dropbear
for name in dropbearkey dbclient lsblk; do cp usr/sbin/dropbear usr/bin/$name; done
for name in blkid mke2fs resize2fs; do cp usr/sbin/dropbear sbin/$name; done
cp -L /lib64/ld-linux-x86-64.so.2 lib64/
mkdir -p lib/x86_64-linux-gnu
cp -L "$(ldconfig -p | sed -n 's/.*libc.so.6 (libc6,x86-64.* => //p' | head -n 1)" lib/x86_64-linux-gnu/libc.so.6
cat >bin/busybox <<'END'
#!/bin/sh
case $1 in
--list) printf '%s\n' sh mount busybox mkfs lsblk reboot ;;
depmod)
    printf 'kernel/fs/isofs.ko: kernel/drivers/cdrom.ko\nkernel/drivers/cdrom.ko:\n' >"$3/lib/modules/6/modules.dep"
    printf 'kernel/virtio_blk.ko: kernel/virtio-ring.ko.gone kernel/virtio.ko\n' >>"$3/lib/modules/6/modules.dep"
    printf 'kernel/virtio.ko:\n' >>"$3/lib/modules/6/modules.dep" ;;
cpio) sort; cat modules/order ;;
esac
END
chmod +x bin/busybox
mkdir -p lib/modules/6/kernel/fs lib/modules/6/kernel/drivers
echo kernel/drivers/virtio_pci.ko >lib/modules/6/modules.builtin
for name in virtio virtio_blk fs/isofs drivers/cdrom; do echo module >lib/modules/6/kernel/$name.ko; done
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in, which comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mmdebstrap").write_text(_STAND_IN)
    (folder / "mmdebstrap").chmod(0o755)
    (folder / "unpacked").write_text(_UNPACKED)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}:/usr/sbin:/sbin")
    return folder


def on_disk(disk: Path, path: str) -> str:
    """A file of an ext4 image; "" where there is none."""
    done = subprocess.run(["debugfs", "-R", f"cat {path}", str(disk)], capture_output=True, text=True, check=True)
    return done.stdout


def listed(disk: Path, path: str) -> set[str]:
    done = subprocess.run(["debugfs", "-R", f"ls -p {path}", str(disk)], capture_output=True, text=True, check=True)
    return {line.split("/")[5] for line in done.stdout.splitlines() if line.startswith("/")} - {".", ".."}


def test_the_disk_is_a_new_machines(stand_in: Path, tmp_path: Path) -> None:
    stages: list[tuple[int, str]] = []
    recipe = debian.Recipe("trixie", "http://mirror.example/debian", 64, ("curl",))
    made = debian.built(recipe, tmp_path / "cache", lambda percent, what: stages.append((percent, what)))
    assert (made.kernel.read_text(), made.initramfs.read_text()) == ("kernel\n", "initramfs\n")
    assert made.disk.stat().st_size == 64 << 20
    assert made.disk.stat().st_mode & 0o777 == 0o600
    assert on_disk(made.disk, "/etc/fstab").startswith("/dev/vda / ext4 ")
    assert on_disk(made.disk, "/etc/machine-id") == on_disk(made.disk, "/etc/resolv.conf") == ""
    assert listed(made.disk, "/etc/ssh") == listed(made.disk, "/proc") == set()
    assert "datasource_list: [ConfigDrive, OpenStack, None]" in on_disk(
        made.disk, "/etc/cloud/cloud.cfg.d/90_nova-lite.cfg"
    )
    assert on_disk(made.disk, "/etc/apt/sources.list").splitlines() == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://deb.debian.org/debian-security trixie-security main",
    ]
    assert "virtio_blk" in on_disk(made.disk, "/usr/share/initramfs-tools/modules.d/nova-lite")
    percents = [percent for percent, _ in stages]
    assert percents == sorted(percents) and percents[-1] == 100 and len(percents) > 2
    arguments = (stand_in / "arguments").read_text()
    assert "cloud-init,openssh-server" in arguments and ",curl\n" in arguments
    assert (stand_in / "sources").read_text() == "deb http://mirror.example/debian trixie main\n"


def test_the_small_linux_has_its_programs_their_libraries_and_the_drivers_of_these_machines(
    stand_in: Path, tmp_path: Path
) -> None:
    made = debian.built(debian.busybox("trixie"), tmp_path / "cache", lambda *_: None)
    assert made.kernel.read_text() == "kernel\n"
    *files, first, second, third, fourth = gzip.decompress(made.initramfs.read_bytes()).decode().splitlines()
    assert (first, second, third, fourth) == ("virtio.ko", "virtio_blk.ko", "cdrom.ko", "isofs.ko")
    assert {"./init", "./bin/busybox", "./modules/virtio_blk.ko"} <= set(files)
    assert {"busybox", "sh", "dropbear", "lsblk", "sudo", "curl", "mkfs.ext4"} <= listed(made.disk, "/bin")
    assert "libc.so.6" in listed(made.disk, "/lib") and listed(made.disk, "/lib64") == {"ld-linux-x86-64.so.2"}
    assert on_disk(made.disk, "/etc/passwd") == "root:*:0:0:root:/root:/bin/sh\n"
    assert "VERSION_CODENAME=trixie" in on_disk(made.disk, "/etc/os-release")
    scripts = listed(made.disk, "/etc/init.d")
    assert scripts == {"start", "end", "device", "card", "lease", "metadata", "user-data"}
    for script in scripts:  # a shell understands each
        text = on_disk(made.disk, f"/etc/init.d/{script}")
        assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0, script
    arguments = (stand_in / "arguments").read_text()
    assert "--variant=extract\n" in arguments and "dropbear-bin" in arguments


def test_the_same_wishes_come_from_the_cache(stand_in: Path, tmp_path: Path) -> None:
    cache, recipe = tmp_path / "cache", debian.Recipe(size=64)
    first = debian.built(recipe, cache, lambda *_: None)
    (stand_in / "broken").touch()
    assert debian.built(recipe, cache, lambda *_: None) == first
    for other in (debian.Recipe(size=65), debian.Recipe("trixie", size=64)):
        with pytest.raises(debian.BuildFailed, match="mmdebstrap failed: E: no such suite"):
            debian.built(other, cache, lambda *_: None)
    with pytest.raises(debian.BuildFailed):
        debian.built(recipe, cache, lambda *_: None, refresh=True)
    assert first.disk.exists()
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {recipe.name}


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"suite": "../x"}, "suite"),
        ({"suite": "Bookworm"}, "suite"),
        ({"mirror": "mirror.example"}, "mirror"),
        ({"mirror": "http://x y"}, "mirror"),
        ({"include": ("curl;reboot",)}, "include"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, wishes: dict, named: str) -> None:
    with pytest.raises(debian.BuildFailed, match=f"^{named}: "):
        debian.built(debian.Recipe(**wishes), tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_without_mmdebstrap_its_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "_PROGRAMS", (("no-such-mmdebstrap", "mmdebstrap"),))
    with pytest.raises(debian.BuildFailed, match=r"no-such-mmdebstrap is not installed \(Debian: mmdebstrap\)"):
        debian.built(debian.Recipe(), tmp_path, lambda *_: None)


def test_a_suite_that_this_machine_does_not_have_comes_from_debian() -> None:
    assert debian.own_sources("nosuchsuite") == ("deb http://deb.debian.org/debian nosuchsuite main\n", [])


def command(tmp_path: Path, *arguments: str) -> Result:
    options = ["--state-path", str(tmp_path / "state"), "image", "build", "debian", "--cache", str(tmp_path / "cache")]
    return CliRunner().invoke(main, [*options, *arguments], prog_name="nova-lite")


def test_the_command_refuses_in_a_sentence(stand_in: Path, tmp_path: Path) -> None:
    (stand_in / "broken").touch()
    done = command(tmp_path)
    assert done.exit_code == 1
    assert done.stderr == "Error: mmdebstrap failed: E: no such suite\n"


def test_what_is_made_must_boot_to_become_an_image(stand_in: Path, tmp_path: Path) -> None:
    """The stand-in's kernel is none."""
    done = command(tmp_path, "mine", "--include", "curl,nginx")
    assert done.exit_code == 1 and "vmlinuz" in done.stderr
    assert ",curl,nginx\n" in (stand_in / "arguments").read_text()
