"""Finding what a disk boots: every file system, partition table and kind of configuration; and disks that lie."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_lite import exceptions
from nova_lite.cli.main import main
from nova_lite.disks.boot import find, grub_config, reader
from nova_lite.hv.guests import INTERACTIVE
from tests import boot_disks

KERNEL, INITRD = random.Random(1).randbytes(300_000), random.Random(2).randbytes(70_001)
UUID = "0d7b2a3c-5d1e-4f60-8a11-223344556677"
GRUB_CFG = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
set default="0"
function load_video { insmod all_video
}
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple' {
	load_video
	insmod gzio
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	search --no-floppy --fs-uuid --set=root UUID
	echo	'Loading Linux ...'
	linux	BOOT/vmlinuz-6.1 root=UUID=UUID ro  quiet
	initrd	BOOT/initrd.img-6.1
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced' {
	menuentry 'old' --id old { linux BOOT/vmlinuz-5.10 }
}
""".replace("UUID=UUID", f"UUID={UUID}").replace("root UUID", f"root {UUID}")
FILES = {"vmlinuz-6.1": KERNEL, "initrd.img-6.1": INITRD}

PIECES = [
    "if",
    "elif",
    "else",
    "fi",
    "then",
    "for",
    "in",
    "do",
    "done",
    "while",
    "until",
    "function",
    "menuentry",
    "submenu",
    "set",
    "unset",
    "search",
    "configfile",
    "linux",
    "initrd",
    "load_env",
    "blscfg",
    "probe",
    "test",
    "[",
    "]",
    "{",
    "}",
    ";",
    "\n",
    "'",
    '"',
    "$a",
    "${a}",
    "$root",
    "a=$a$a$b",
    "b=$a",
    "f",
    "x",
    "--set=root",
    "--fs-uuid",
    "--id",
    "0",
    "/x",
    "(hd0,gpt1)/x",
    "true",
    "false",
    "!",
    "=",
    "-f",
    "-n",
    "#",
    "\\",
    "''",
    '""',
    "set",
    "default=0>1",
]


class OneFile:
    """Nothing on the disk but a configuration."""

    def __init__(self, text: str) -> None:
        self.text = text

    def folder(self, device: str, path: str) -> list[reader.Entry]:
        return []

    def exists(self, device: str, path: str) -> bool:
        return False

    def content(self, device: str, path: str, limit: int) -> bytes:
        return self.text.encode("utf-8", "replace")


def in_boot(files: dict[str, bytes | str]) -> dict[str, bytes | str]:
    return {f"boot/{name}": content for name, content in files.items()}


@contextmanager
def opened(path: Path, **options: float) -> Iterator[reader.Disk]:
    descriptor = os.open(path, os.O_RDONLY)
    yield reader.Disk(lambda offset, size: os.pread(descriptor, size, offset), path.stat().st_size, **options)
    os.close(descriptor)


@pytest.fixture(autouse=True)
def tools() -> None:
    if reason := boot_disks.missing("ext4"):
        pytest.skip(reason)


def need(*kinds: str) -> None:
    if reason := boot_disks.missing(*kinds):
        pytest.skip(reason)


def found_in(path: Path, folder: Path) -> find.Found:
    """What is found; its files have been extracted and compared with what was put there."""
    with opened(path) as disk:
        found = find.entry(disk)
        payload = find.extract(disk, found, folder)
    assert payload.kernel.read_bytes() == KERNEL
    assert payload.initramfs is not None and payload.initramfs.read_bytes()[: len(INITRD)] == INITRD
    assert (folder / "cmdline").read_text() == payload.cmdline + "\n"
    return found


@pytest.mark.parametrize("label", [None, "gpt", "msdos"])
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_grub_cfg_on_every_file_system_and_partition_table(kind, label, tmp_path):
    need(kind, label or "gpt")
    given = {"ext4": ("-U", UUID), "xfs": ("-m", f"uuid={UUID}"), "btrfs": ("-U", UUID)}[kind]
    files = in_boot(FILES | {"grub/grub.cfg": GRUB_CFG.replace("BOOT", "/boot")})
    disk = boot_disks.filesystem(kind, tmp_path / "root.img", files, *given)
    if label:
        disk = boot_disks.partitioned(label, tmp_path / "disk.img", [disk])
    found = found_in(disk, tmp_path / "out")
    assert (found.title, found.kernel) == ("Debian GNU/Linux", "/boot/vmlinuz-6.1")
    assert found.device == {None: "loop0", "gpt": "loop0,gpt1", "msdos": "loop0,msdos1"}[label]
    assert found.cmdline == f"root=UUID={UUID} ro quiet console=ttyS0"


def test_a_boot_partition_of_its_own_is_searched_by_its_uuid_from_the_efi_partition(tmp_path):
    need("ext4", "xfs", "vfat", "gpt")
    esp = boot_disks.filesystem(
        "vfat",
        tmp_path / "esp.img",
        {
            "EFI/debian/grub.cfg": f"search.fs_uuid {UUID} root hd0,gpt2\n"
            "set prefix=($root)'/hidden'\nconfigfile $prefix/g"
        },
    )
    boot = boot_disks.filesystem(
        "ext4", tmp_path / "boot.img", FILES | {"hidden/g": GRUB_CFG.replace("BOOT", "")}, "-U", UUID
    )
    root = boot_disks.filesystem("xfs", tmp_path / "root.img", {"etc/hostname": "x"})
    disk = boot_disks.partitioned("gpt", tmp_path / "disk.img", [esp, root, boot])
    found = found_in(disk, tmp_path / "out")
    assert (found.source, found.device, found.kernel) == ("/EFI/debian/grub.cfg", "loop0,gpt3", "/vmlinuz-6.1")


def bls(version: str, options: str = "$kernelopts") -> str:
    return (
        f"title Fedora {version}\nversion {version}\nlinux /vmlinuz-{version}\ninitrd /i-{version}\noptions {options}\n"
    )


def test_bls_entries_newest_first_with_the_variables_of_grubenv(tmp_path):
    files: dict[str, bytes | str] = {
        "grub2/grub.cfg": 'load_env -f ${prefix}/grubenv\nset default="${saved_entry}"\ninsmod blscfg\nblscfg\n',
        "grub2/grubenv": "# GRUB Environment Block\nkernelopts=root=/dev/vda3 ro console=ttyS0,115200\n####",
        "loader/entries/m-6.9.1.conf": bls("6.9.1"),
        "loader/entries/m-6.10.0.conf": bls("6.10.0"),
        "vmlinuz-6.10.0": KERNEL,
        "i-6.10.0": INITRD,
        "vmlinuz-6.9.1": b"old",
        "i-6.9.1": b"old",
    }
    found = found_in(boot_disks.filesystem("ext4", tmp_path / "a.img", files), tmp_path / "out")
    assert (found.title, found.cmdline) == ("Fedora 6.10.0", "root=/dev/vda3 ro console=ttyS0,115200")
    files["grub2/grubenv"] = "saved_entry=m-6.9.1\n"
    with opened(boot_disks.filesystem("ext4", tmp_path / "b.img", files)) as disk:
        assert find.entry(disk).title == "Fedora 6.9.1"


def test_systemd_boot_takes_the_default_of_loader_conf(tmp_path):
    need("vfat")
    files = {
        "loader/loader.conf": "timeout 3\ndefault *-5.*\n",
        "loader/entries/x-6.1.conf": bls("6.1", "a"),
        "loader/entries/x-5.10.conf": bls("5.10", "root=LABEL=r"),
        "vmlinuz-6.1": b"other",
        "i-6.1": b"other",
        "vmlinuz-5.10": KERNEL,
        "i-5.10": INITRD,
    }
    found = found_in(boot_disks.filesystem("vfat", tmp_path / "esp.img", files), tmp_path / "out")
    assert (found.title, found.cmdline) == ("Fedora 5.10", "root=LABEL=r console=ttyS0")


def test_extlinux_with_names_beside_it_and_a_default(tmp_path):
    text = """DEFAULT menu.c32
        LABEL old
          LINUX nowhere
        LABEL lts
          MENU DEFAULT
          MENU LABEL Linux lts
          LINUX ../vmlinuz
          INITRD initrd.img-6.1
          APPEND root=LABEL=/ modules=ext4 console=tty1
        """
    disk = boot_disks.filesystem(
        "ext4", tmp_path / "a.img", in_boot(FILES | {"extlinux.conf": text}) | {"vmlinuz": "->boot/vmlinuz-6.1"}
    )
    found = found_in(disk, tmp_path / "out")
    assert (found.title, found.kernel) == ("Linux lts", "/boot/../vmlinuz")
    assert found.cmdline == "root=LABEL=/ modules=ext4 console=tty1 console=ttyS0"


def test_an_entry_whose_kernel_is_gone_gives_way_to_the_next(tmp_path):
    config = "set default=gone\nmenuentry gone { linux /none }\n"
    config += "menuentry 'b c' { linux /vmlinuz-6.1 x\ninitrd /initrd.img-6.1 }"
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", FILES | {"grub/grub.cfg": config})
    assert found_in(disk, tmp_path / "out").title == "b c"


# -- disks that boot nothing, and disks that lie -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"etc/hostname": "x"}, "none of these is there"),
        ({"boot/grub/grub.cfg": "set timeout=5"}, "/boot/grub/grub.cfg has no entries"),
        ({"boot/grub/grub.cfg": "menuentry x { linux /vmlinuz }"}, "names /vmlinuz, which is not there"),
        ({"boot/grub/grub.cfg": "menuentry x { linux '/vm"}, "a quote is not closed"),
        ({"boot/grub/grub.cfg": "while true; do set a=b; done"}, "does not come to its end"),
        ({"boot/grub/grub.cfg": "function f { f\n}\nf"}, "calls itself too deeply"),
        ({"boot/grub/grub.cfg": "configfile /boot/grub/grub.cfg"}, "calls itself too deeply"),
        ({"boot/grub/grub.cfg": "if " * 3000}, "blocks stand one in another"),
        ({"boot/grub/grub.cfg": "x" * (1 << 21)}, "has more than 1048576 bytes"),
        ({"boot/grub/grub.cfg": "->grub.cfg"}, "none of these is there"),
        ({"boot/grub/grub.cfg": "menuentry x { linux (host)/etc/passwd }"}, "is on another disk"),
        ({"boot/grub/grub.cfg": "menuentry x { linux (proc)/version }"}, "is on another disk"),
    ],
)
def test_what_is_missing_or_wrong_is_said(files, said, tmp_path):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", files)
    with opened(disk) as opened_disk, pytest.raises(find.NothingBootable) as caught:
        find.entry(opened_disk)
    assert any(said in line for line in caught.value.report), caught.value.report


def test_a_kernel_larger_than_any_is_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(find, "KERNEL_MAX", 100_000)
    files = in_boot(FILES | {"grub/grub.cfg": GRUB_CFG.replace("BOOT", "/boot")})
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", files)
    with opened(disk) as opened_disk:
        found = find.entry(opened_disk)
        with pytest.raises(reader.TooMuch, match="more than 100000 bytes"):
            find.extract(opened_disk, found, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.new").exists()


def test_bytes_questions_and_time_of_a_disk_are_bounded(tmp_path, monkeypatch):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", in_boot(FILES))
    with opened(disk, seconds=0) as slow, pytest.raises(reader.TooMuch, match="time"):
        slow.devices()
    monkeypatch.setattr(reader, "BYTES", 1000)
    with opened(disk) as large, pytest.raises(reader.TooMuch, match="had to be read"):
        large.devices()
    monkeypatch.setattr(reader, "QUESTIONS", 0)
    with opened(disk) as asked, pytest.raises(reader.TooMuch, match="questions"):
        asked.devices()


def test_garbled_file_systems_end_in_an_answer(tmp_path):
    files = in_boot(FILES | {"grub/grub.cfg": GRUB_CFG.replace("BOOT", "/boot")})
    good = boot_disks.filesystem("ext4", tmp_path / "a.img", files).read_bytes()
    dice = random.Random(7)
    for _ in range(12):
        bad = bytearray(good)
        for _ in range(400):
            bad[dice.randrange(1024, 1 << 20)] = dice.randrange(256)
        (tmp_path / "bad.img").write_bytes(bad)
        with opened(tmp_path / "bad.img") as disk:
            try:
                find.extract(disk, find.entry(disk), tmp_path / "out")
            except (find.NothingBootable, reader.DiskError) as error:
                assert str(error)


def test_the_reader_cannot_open_the_hosts_files(tmp_path):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    with opened(disk) as opened_disk:
        for device in ("host", "proc"):
            with pytest.raises(reader.DiskError, match="cannot be read"):
                opened_disk.content(device, "/etc/hostname", 1000)
        assert opened_disk.folder("host", "/etc") == []


def test_the_reader_has_no_rights_left_when_it_reads(tmp_path):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"}).read_bytes()
    seen: list[dict[str, str]] = []

    def read(offset: int, size: int) -> bytes:
        for child in Path("/proc/thread-self/children").read_text().split():
            status = Path(f"/proc/{child}/status").read_text()
            seen.append(dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line))
        return disk[offset : offset + size]

    reader.Disk(read, len(disk)).devices()
    confined = [status for status in seen if status["Name"] == "grub-fstest"]
    assert confined
    for status in confined:
        assert (status["Seccomp"], status["NoNewPrivs"], int(status["CapEff"], 16)) == ("2", "1", 0)
        assert "0" not in status["Uid"].split()


def test_a_host_without_grub_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(reader.ReaderError, match="grub-common"):
        reader.Disk(lambda offset, size: b"", 0)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join) | st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_as_grub_cfg_ends_in_a_menu_or_an_error_of_the_disk(text):
    config = grub_config.GrubConfig(OneFile(text), [], "loop0", "/boot/grub")
    try:
        config.run_file("loop0", "/boot/grub/grub.cfg")
    except reader.DiskError as error:
        assert str(error)
    assert all(isinstance(entry.cmdline, str) for entry in config.default())


# -- an image of a disk alone ------------------------------------------------------------------------------------------


def test_an_image_of_a_disk_alone_takes_its_kernel_from_the_disk(tmp_path, computing):
    config = "menuentry x { linux /boot/vmlinuz root=/dev/vda quiet\ninitrd /boot/initrd }"
    files = {"boot/vmlinuz": INTERACTIVE.read_bytes(), "boot/initrd": INITRD, "boot/grub/grub.cfg": config}
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", files)
    image = computing.store.add("from disk", None, disk=disk)
    assert (image.kernel_format, image.cmdline) == ("elf64", "root=/dev/vda quiet console=ttyS0")
    assert computing.store.kernel(image).read_bytes() == INTERACTIVE.read_bytes()
    initramfs = computing.store.initramfs(image)
    assert initramfs is not None and initramfs.read_bytes()[: len(INITRD)] == INITRD
    own = computing.store.add("own line", None, disk=disk, cmdline="console=ttyS0 single")
    assert own.cmdline == "console=ttyS0 single"


def test_a_disk_alone_that_boots_nothing_is_an_image_without_a_kernel_and_a_warning(tmp_path, computing):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    files = in_boot({"vmlinuz": "no kernel", "grub/grub.cfg": "menuentry x { linux /boot/vmlinuz }"})
    text = boot_disks.filesystem("ext4", tmp_path / "b.img", files)
    for source, says in (
        (disk, "Nothing on the disk can be booted: looked on loop0"),
        (text, "of no format known here"),
    ):
        warnings: list[str] = []
        image = computing.store.add("none", None, disk=source, warn=warnings.append)
        assert (image.kernel, image.kernel_format, image.initramfs) == ("", "", None) and image.boots_from_disk
        assert len(warnings) == 1 and says in warnings[0] and str(source) in warnings[0]
        assert [path.name for path in (computing.paths.images / image.id).iterdir()] == ["disk.raw"]
    with pytest.raises(exceptions.Invalid, match="without a kernel"):
        computing.store.add("nothing", None)


def test_image_add_warns_of_a_disk_that_boots_nothing(tmp_path):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    done = CliRunner().invoke(main, ["--state-path", str(tmp_path / "state"), "image", "add", "x", "--disk", str(disk)])
    assert done.exit_code == 0 and "Warning: " in done.output and "there is nothing to boot" in done.output


# -- nova-lite image inspect -------------------------------------------------------------------------------------------


def test_image_inspect_shows_and_extracts(tmp_path):
    files = in_boot(FILES | {"grub/grub.cfg": GRUB_CFG.replace("BOOT", "/boot")})
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", files, "-U", UUID)
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["image", "inspect", str(disk), "--extract", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)[0]["initramfs"] == ["/boot/initrd.img-6.1"]
    assert (out / "kernel").read_bytes() == KERNEL
    shown = CliRunner().invoke(main, ["image", "inspect", str(disk)])
    assert "configuration  /boot/grub/grub.cfg\n" in shown.output
    again = CliRunner().invoke(main, ["image", "inspect", str(disk), "--extract", str(out)])
    assert again.exit_code == 2 and "exists already" in again.output


def test_image_inspect_says_why_not(tmp_path):
    disk = boot_disks.filesystem("ext4", tmp_path / "a.img", {"x": "y"})
    done = CliRunner().invoke(main, ["image", "inspect", str(disk)])
    assert done.exit_code == 1 and "looked on loop0 (ext*) for grub.cfg" in done.output
    (tmp_path / "b.img").write_bytes(b"QFI\xfb" + bytes(600))
    done = CliRunner().invoke(main, ["image", "inspect", str(tmp_path / "b.img")])
    assert done.exit_code == 1 and "qemu-img convert" in done.output
