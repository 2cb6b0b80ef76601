"""What a machine is made of: kinds of memory, topology, debug console, firmware, limits that disks share, its size."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest

from nova_lite.hv.vmm import config as vm_config
from nova_lite.hv.vmm.errors import ConfigError
from tests.kvm.native_guests import assemble
from tests.kvm.test_vmm_consoles import read_until
from tests.kvm.vmm_process import COUNTING, INTERACTIVE, MIB, Vmm, config, needs_kvm, wait_for
from tests.unit.test_loader import elf, segment

KERNEL = {"payload": {"kernel": "/kernel"}}
DEBUG_TEXT = """
    mov $text, %si
next: lodsb
    test %al, %al
    jz said
    out %al, $0xe9
    jmp next
said: in $0xe9, %al
    out %al, $0x10
0:  hlt
    jmp 0b
text: .asciz "in the beginning\\n"
"""


@pytest.fixture
def vmm(tmp_path: Path):
    with Vmm(tmp_path / "vmm.sock") as vmm:
        yield vmm


def boot(vmm: Vmm, kernel: Path, **more: object) -> None:
    vmm.put("vm.create", config(kernel, **more))
    vmm.put("vm.boot")


def mapping(pid: int, size: int) -> tuple[str, dict[str, str]]:
    """Permissions, and what smaps says, of the VMM's mapping that has this size."""
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{pid}/smaps").read_text(), flags=re.MULTILINE):
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", part):
            start, end = (int(word, 16) for word in found.groups()[:2])
            if end - start == size:
                lines = (line.partition(":") for line in part.splitlines()[1:])
                return found[3], {key: value.strip() for key, _, value in lines}
    raise AssertionError(f"no mapping of {size} bytes")


# -- memory -----------------------------------------------------------------------------------------------------------


@needs_kvm
@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({}, ("rw-p", {"nr"}, {"mg"})),
        ({"shared": True}, ("rw-s", {"nr"}, {"mg"})),
        ({"reserve": True}, ("rw-p", set(), {"nr"})),
        ({"mergeable": True}, ("rw-p", {"mg"}, set())),
        ({"thp": False}, ("rw-p", {"nh"}, {"hg"})),
        ({"thp": True}, ("rw-p", {"hg"}, {"nh"})),
    ],
    ids=lambda wanted: "-".join(wanted) if isinstance(wanted, dict) else None,
)
def test_memory_is_of_the_kind_that_was_asked_for_and_the_same_after_a_reboot(vmm, wanted, shown):
    size = 129 * MIB
    boot(vmm, INTERACTIVE, memory={"size": size} | wanted)
    permissions, there, absent = shown
    if "mergeable" in wanted and not Path("/sys/kernel/mm/ksm").exists():
        pytest.skip("this host's kernel merges no pages (CONFIG_KSM)")
    for _ in range(2):
        found, about = mapping(vmm.process.pid, size)
        flags = set(about["VmFlags"].split())
        assert found == permissions and there <= flags and not absent & flags
        assert wanted.items() <= vmm.get("vm.info")["config"]["memory"].items()
        wait_for(lambda: vmm.get("vm.counters")["serial"]["console_bytes"] > 50, "the guest's banner")
        vmm.put("vm.reboot")


@needs_kvm
def test_prefaulted_memory_is_there_before_the_guest_touches_it(vmm):
    boot(vmm, COUNTING, memory={"size": 64 * MIB, "prefault": True})
    for _ in range(2):
        assert mapping(vmm.process.pid, 64 * MIB)[1]["Rss"] == f"{64 << 10} kB"
        vmm.put("vm.reboot")


@needs_kvm
def test_huge_pages_are_taken_where_the_host_has_them_and_refused_clearly_where_not(vmm):
    pages = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    if not pages.exists():
        pytest.skip("this host's kernel sets no huge pages aside (CONFIG_HUGETLBFS)")
    free = int(pages.read_text())
    vmm.put("vm.create", config(INTERACTIVE, memory={"size": 16 * MIB, "hugepages": True}))
    if free < 8:
        refused = vmm.refusal("PUT", "vm.boot")
        assert "get guest memory of the host's reserved huge pages: Cannot allocate memory" in str(refused)
        return
    vmm.put("vm.boot")
    for _ in range(2):
        assert mapping(vmm.process.pid, 16 * MIB)[1]["KernelPageSize"] == "2048 kB"
        vmm.put("vm.reboot")


# -- processors -------------------------------------------------------------------------------------------------------


@needs_kvm
def test_a_machine_with_a_topology_starts_all_its_processors(vmm, tmp_path):
    topology = {"threads_per_core": 3, "cores_per_die": 2, "dies_per_package": 1, "packages": 1}
    log = tmp_path / "log"
    cpus = {"boot_vcpus": 6, "topology": topology, "max_phys_bits": 40}
    boot(vmm, INTERACTIVE, cpus=cpus, serial={"mode": "File", "file": str(log)})
    wait_for(lambda: b"vCPUs=6" in log.read_bytes(), "the guest's banner")
    assert vmm.get("vm.info")["config"]["cpus"] == cpus | {"max_vcpus": 6}


# -- debug console ----------------------------------------------------------------------------------------------------


@pytest.fixture
def speaker(tmp_path: Path) -> Path:
    path = tmp_path / "speaker"
    path.write_bytes(assemble(DEBUG_TEXT))
    return path


@needs_kvm
def test_text_for_the_debug_console_goes_to_its_file(vmm, speaker, tmp_path):
    debug, log = tmp_path / "debug", tmp_path / "log"
    boot(vmm, speaker, debug_console={"mode": "File", "file": str(debug)}, serial={"mode": "File", "file": str(log)})
    wait_for(lambda: log.read_bytes() == b"out port: 16, data: 233\n", "the answer of a port that is there")
    assert debug.read_bytes() == b"in the beginning\n"
    assert vmm.get("vm.counters")["debug_console"] == {"bytes": 17, "dropped": 0}
    assert vmm.get("vm.info")["config"]["debug_console"]["iobase"] == 0xE9


@needs_kvm
def test_a_debug_console_on_a_pseudo_terminal(vmm, speaker):
    boot(vmm, speaker, debug_console={"mode": "Pty"})
    terminal = os.open(vmm.get("vm.info")["config"]["debug_console"]["file"], os.O_RDWR | os.O_NOCTTY)
    assert read_until(terminal, b"\n") == b"in the beginning\n"
    os.close(terminal)


@needs_kvm
def test_the_terminal_shows_the_debug_console(tmp_path, speaker):
    with Vmm(tmp_path / "vmm.sock", "--kernel", speaker, "--debug-console", "tty,iobase=0xe9") as vmm:
        vmm.hear(b"in the beginning\n")


@needs_kvm
def test_a_port_that_is_another_devices_is_refused(vmm):
    vmm.put("vm.create", config(COUNTING, debug_console={"mode": "Null", "iobase": 0x3F8}))
    refused = vmm.refusal("PUT", "vm.boot")
    assert refused.status == 400 and "debug_console.iobase: another device is at port 0x3f8" in str(refused)


# -- firmware ---------------------------------------------------------------------------------------------------------


@needs_kvm
def test_firmware_is_an_elf_file_with_a_pvh_entry(vmm, tmp_path):
    """In 32-bit protected mode, ebx points to the start info with its magic number."""
    code = assemble("mov (%ebx), %eax; out %eax, $0x10; 0: hlt; jmp 0b", bits=32, address=0x100000)
    note = struct.pack("<III", 4, 4, 18) + b"Xen\0" + struct.pack("<I", 0x100000)
    headers = elf(segment(file_size=0x40), segment(kind=4, offset=0x140, file_size=len(note)))
    firmware, log = tmp_path / "firmware", tmp_path / "log"
    firmware.write_bytes(headers.ljust(0x100, b"\0")[:0x100] + code.ljust(0x40, b"\0") + note)
    vmm.put(
        "vm.create",
        {"payload": {"firmware": str(firmware)}, "serial": {"mode": "File", "file": str(log)}},
    )
    vmm.put("vm.boot")
    wait_for(lambda: log.read_bytes() == b"out port: 16, data: %d\n" % 0x336EC578, "the firmware's word")
    vmm.put("vm.delete")
    vmm.put("vm.create", {"payload": {"firmware": str(INTERACTIVE)}})
    refused = vmm.refusal("PUT", "vm.boot")
    assert refused.status == 400
    assert "The firmware cannot be loaded" in str(refused) and "has no PVH entry point" in str(refused)


# -- limits that disks share ------------------------------------------------------------------------------------------


@needs_kvm
def test_disks_may_share_limits(vmm, tmp_path):
    limits = {"ops": {"size": 5, "refill_time": 1000}}
    disks = []
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(MIB))
        disks.append({"path": str(tmp_path / name), "image_type": "Raw", "rate_limit_group": "slow"})
    boot(vmm, COUNTING, disks=disks, rate_limit_groups=[{"id": "slow", "rate_limiter_config": limits}])
    assert vmm.get("vm.info")["config"]["rate_limit_groups"] == [{"id": "slow", "rate_limiter_config": limits}]


# -- size -------------------------------------------------------------------------------------------------------------


@needs_kvm
def test_a_machine_that_is_off_is_resized_for_its_next_boot(vmm, tmp_path):
    log = tmp_path / "log"
    cpus = {"boot_vcpus": 1, "max_vcpus": 2}
    vmm.put("vm.create", config(INTERACTIVE, cpus=cpus, serial={"mode": "File", "file": str(log)}))
    vmm.put("vm.resize", {"desired_vcpus": 2, "desired_ram": 32 * MIB})
    vmm.put("vm.boot")
    wait_for(lambda: b"vCPUs=2 memory=32 MiB" in log.read_bytes(), "the guest's banner")
    refused = vmm.refusal("PUT", "vm.resize", {"desired_ram": 64 * MIB})
    assert refused.status == 400 and "desired_ram: memory cannot be added or removed while" in str(refused)
    refused = vmm.refusal("PUT", "vm.resize", {"desired_vcpus": 1})
    assert refused.status == 400 and "desired_vcpus: virtual CPUs cannot be added or removed" in str(refused)
    vmm.put("vm.resize", {"desired_vcpus": 2, "desired_ram": 32 * MIB})  # what it has
    vmm.put("vm.shutdown")
    refused = vmm.refusal("PUT", "vm.resize", {"desired_vcpus": 3})
    assert refused.status == 400 and "desired_vcpus: 3 is more than max_vcpus (2)" in str(refused)


@needs_kvm
def test_another_size_of_the_balloon_is_shown_and_stays_through_reboots(vmm):
    boot(vmm, INTERACTIVE, balloon={"size": 0})
    vmm.put("vm.resize", {"desired_balloon": 4 * MIB})
    for _ in range(2):
        info = vmm.get("vm.info")
        assert info["config"]["balloon"]["size"] == 4 * MIB
        assert info["memory_actual_size"] == 16 * MIB, "the guest has given up nothing yet"
        vmm.put("vm.reboot")
    refused = vmm.refusal("PUT", "vm.resize", {"desired_balloon": 17 * MIB})
    assert refused.status == 400 and "desired_balloon: the machine has no more than" in str(refused)


@needs_kvm
def test_there_is_no_balloon_to_resize(vmm):
    boot(vmm, INTERACTIVE)
    refused = vmm.refusal("PUT", "vm.resize", {"desired_balloon": MIB})
    assert refused.status == 400 and "desired_balloon: the machine has no balloon" in str(refused)
    assert vmm.refusal("PUT", "vm.resize", {"desired": 1}).status == 400


@needs_kvm
def test_the_device_tree_tells_where_devices_are(vmm):
    boot(vmm, INTERACTIVE, balloon={"size": 0}, console={"mode": "Null"})
    tree = vmm.get("vm.info")["device_tree"]
    assert {name: node["pci_bdf"] for name, node in tree.items()} == {
        "__console": "0000:00:01.0",
        "__rng": "0000:00:02.0",
        "__balloon": "0000:00:03.0",
    }
    vmm.put("vm.shutdown")
    assert "device_tree" not in vmm.get("vm.info")


# -- what is impossible -----------------------------------------------------------------------------------------------

LIMITED = {"id": "a", "rate_limiter_config": {}}


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"memory": {"size": 16 * MIB, "hugepage_size": 2 * MIB}}, "memory.hugepage_size: needs hugepages"),
        ({"memory": {"size": 17 * MIB, "hugepages": True}}, "memory.size: is not a multiple of the huge pages'"),
        ({"memory": {"size": 16 * MIB, "hugepages": True, "hugepage_size": 4096}}, "memory.hugepage_size"),
        ({"memory": {"size": 16 * MIB, "zones": []}}, "memory.zones: is not supported yet"),
        ({"cpus": {"boot_vcpus": 1, "max_phys_bits": 38}}, "cpus.max_phys_bits"),
        (
            {"cpus": {"boot_vcpus": 1, "max_phys_bits": 39}, "memory": {"size": 1 << 39}},
            "cpus.max_phys_bits: memory reaches up to 0x8040000000",
        ),
        (
            {"cpus": {"boot_vcpus": 1, "topology": dict.fromkeys(vm_config.Topology.__annotations__, 2)}},
            "cpus.topology: has 16 virtual CPUs, max_vcpus is 1",
        ),
        (
            {
                "cpus": {
                    "boot_vcpus": 250,
                    "topology": {"threads_per_core": 5, "cores_per_die": 50, "dies_per_package": 1, "packages": 1},
                }
            },
            "cpus.topology: needs APIC ids above 254",
        ),
        ({"disks": [{"path": "/a", "rate_limit_group": "b"}]}, "disks.0.rate_limit_group: 'b' is none of"),
        (
            {
                "disks": [{"path": "/a", "rate_limit_group": "a", "rate_limiter_config": {}}],
                "rate_limit_groups": [LIMITED],
            },
            "disks.0.rate_limit_group: cannot stand beside",
        ),
        ({"rate_limit_groups": [LIMITED, LIMITED]}, "rate_limit_groups: 'a' is there twice"),
        ({"payload": {}}, "payload.kernel: is missing, and payload.firmware is too"),
        ({"platform": {"uuid": "0" * 36, "system_uuid": "0" * 36}}, "platform"),
    ],
)
def test_impossible_hardware_is_refused_by_name(parts, named):
    with pytest.raises(ConfigError) as caught:
        vm_config.parse(KERNEL | parts)
    assert named in "; ".join(caught.value.chain)


def test_the_newer_name_of_the_uuid_means_the_same():
    uuid = "01234567-0123-0123-0123-0123456789ab"
    assert vm_config.parse(KERNEL | {"platform": {"system_uuid": uuid}}).document["platform"] == {"uuid": uuid}
