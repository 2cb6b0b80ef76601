"""CPUID of the vCPUs: topology in the leaves of AMD and Intel; what happens when KVM refuses a leaf or an MSR."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nova_lite
from nova_lite.hv.native.hardware import Topology
from nova_lite.hv.vmm import loader
from tests.kvm.native_guests import assemble, needs_kvm, watched_machines
from tests.kvm.vmm_process import INTERACTIVE

NATIVE = Path(nova_lite.__file__).parent / "hv/native"
HERE = Path(__file__).parent

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")

#: Leaf, subleaf, EAX, EBX, ECX, EDX as KVM gives them on real processors; what stands there of topology is the host's.
AMD = """
0 0 10 68747541 444d4163 69746e65
1 0 a10f11 1020800 81202000 78bfbff
b 0 0 0 0 1
80000001 0 a10f11 40000000 400397 23d3fbff
80000008 0 3030 50020005 7001 0
8000001d 0 121 1c0003f 3f 0
8000001d 2 143 1c0003f 7ff 2
8000001d 3 4163 3c0003f 7fff 1
8000001e 0 0 0 0 0
"""
INTEL = """
0 0 16 756e6547 6c65746e 49656e69
1 0 50654 6400800 fffa3223 f8bfbff
4 0 7c004121 1c0003f 3f 0
4 2 7c004143 3c0003f 3ff 0
4 3 7c0fc163 280003f 6fff 4
b 0 0 0 0 6
1f 0 0 0 0 6
80000008 0 3030 0 0 0
"""
#: threads, cores, dies, packages
SHAPES = [(1, 1, 1, 1), (1, 2, 1, 1), (2, 2, 1, 1), (2, 3, 2, 2), (1, 12, 2, 4), (2, 1, 1, 3)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Path:
    program = tmp_path_factory.mktemp("cpuid") / "driver"
    sources = [HERE / "cpuid_driver.c", NATIVE / "cpuid.c", NATIVE / "topology.c"]
    flags = ["-std=gnu11", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    subprocess.run(["gcc", *flags, f"-I{NATIVE}", "-o", program, *sources], check=True)
    return program


Leaves = dict[tuple[int, int], tuple[int, int, int, int]]


def tables(driver: Path, host: str, shape: tuple[int, int, int, int], phys_bits: int = 0) -> list[Leaves]:
    """Each vCPU's table: (leaf, subleaf) → EAX, EBX, ECX, EDX."""
    command = [driver, *map(str, shape), str(phys_bits)]
    done = subprocess.run(command, input=host, capture_output=True, text=True, check=True)
    found: list[Leaves] = []
    for line in done.stdout.splitlines():
        vcpu, leaf, subleaf, eax, ebx, ecx, edx = (int(word, 16) for word in line.split())
        vcpu = int(line.split()[0])
        if vcpu == len(found):
            found.append({})
        assert (leaf, subleaf) not in found[vcpu], "one answer to one question"
        found[vcpu][leaf, subleaf] = (eax, ebx, ecx, edx)
    return found


def bits(count: int) -> int:
    return (count - 1).bit_length()


def place(number: int, shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Package, die, core and thread of a vCPU, which are numbered thread by thread."""
    threads, cores, dies, _ = shape
    return (
        number // (threads * cores * dies),
        number // (threads * cores) % dies,
        number // threads % cores,
        number % threads,
    )


@needs_gcc
@pytest.mark.parametrize("host", [AMD, INTEL], ids=["amd", "intel"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_the_apic_id_tells_where_a_vcpu_is_and_every_leaf_agrees(driver, host, shape):
    threads, cores, dies, packages = shape
    t, c, d = bits(threads), bits(cores), bits(dies)
    seen = set()
    for number, leaves in enumerate(tables(driver, host, shape)):
        package, die, core, thread = place(number, shape)
        apic_id = ((package << d | die) << c | core) << t | thread
        seen.add(apic_id)
        eax, ebx, ecx, edx = leaves[1, 0]
        assert (ebx >> 24, ebx >> 16 & 0xFF) == (apic_id, threads * cores * dies)
        assert bool(edx & 1 << 28) == (threads * cores * dies > 1)
        assert leaves[0xB, 0] == (t, threads, 1 << 8, apic_id)
        assert leaves[0xB, 1] == (t + c + d, threads * cores * dies, 1 | 2 << 8, apic_id)
        if dies == 1:
            assert (0x1F, 0) not in leaves
        else:
            assert leaves[0, 0][0] >= 0x1F
            assert leaves[0x1F, 0] == (t, threads, 1 << 8, apic_id)
            assert leaves[0x1F, 1] == (t + c, threads * cores, 1 | 2 << 8, apic_id)
            assert leaves[0x1F, 2] == (t + c + d, threads * cores * dies, 2 | 5 << 8, apic_id)
        if host is AMD:
            of_cores = leaves[0x80000008, 0][2]
            assert (of_cores & 0xFF, of_cores >> 12 & 0xF) == (threads * cores * dies - 1, t + c + d)
            eax, ebx, ecx, edx = leaves[0x8000001E, 0]
            assert (eax, ebx & 0xFF, ebx >> 8 & 0xFF) == (apic_id, apic_id >> t & 0xFF, threads - 1)
            assert (ecx & 0xFF, ecx >> 8 & 7) == (package << d | die, dies - 1)
            sharing = {leaf: (words[0] >> 14 & 0xFFF) + 1 for leaf, words in leaves.items() if leaf[0] == 0x8000001D}
            assert list(sharing.values()) == [threads, threads, threads * cores]
        else:
            sharing = {leaf: (words[0] >> 14 & 0xFFF) + 1 for leaf, words in leaves.items() if leaf[0] == 4}
            assert list(sharing.values()) == [1 << t, 1 << t, 1 << (t + c)]
            assert {words[0] >> 26 for leaf, words in leaves.items() if leaf[0] == 4} == {(1 << (c + d)) - 1}
    assert len(seen) == threads * cores * dies * packages, "each its own"


@needs_gcc
def test_addresses_have_no_more_bits_than_wanted_or_the_host_has(driver):
    for wanted, found in ((0, 0x30), (40, 40), (52, 0x30)):
        (leaves,) = tables(driver, AMD, (1, 1, 1, 1), wanted)
        assert leaves[0x80000008, 0][0] & 0xFF == found and leaves[0x80000008, 0][0] >> 8 == 0x30


@needs_gcc
def test_no_guest_gets_virtualization(driver):
    (amd,), (intel,) = (tables(driver, host, (1, 1, 1, 1)) for host in (AMD, INTEL))
    assert amd[0x80000001, 0][2] & 1 << 2 == 0 and intel[1, 0][2] & 1 << 5 == 0


@pytest.fixture
def machines():
    yield from watched_machines()


@needs_kvm
def test_a_guest_reads_its_topology_and_starts_every_processor(machines):
    """The interactive guest waits for as many as leaf 1 announces; their APIC ids have a gap."""
    topology = Topology(threads_per_core=3, cores_per_die=2, dies_per_package=1, packages=1)
    guest = machines(memory=16 << 20, vcpus=6, topology=topology)
    assert guest.machine.apic_ids == (0, 1, 2, 4, 5, 6)
    loader.load(guest.machine, INTERACTIVE)
    guest.machine.start()
    guest.wait_for_output(b"vCPUs=6 memory=16 MiB")
    asking = machines(vcpus=6, topology=topology)
    asking.run(
        assemble(
            """mov $0xb, %eax; mov $1, %ecx; cpuid; out %ax, $0x10; mov %bx, %ax; out %ax, $0x10
            mov $0x600, %dx; mov $0x34, %al; out %al, %dx"""
        )
    )
    assert asking.values() == [3, 6], "bits to the next package, and processors in it"


PRELOADED = """
import logging, sys
from nova_lite.hv.native.machine import Machine
logging.basicConfig(format="%(message)s", stream=sys.stdout)
with Machine(1 << 20, 1) as machine:
    machine.write_memory(0x10000, bytes.fromhex(sys.argv[1]))
    machine.set_real_mode(0x10000)
    machine.start()
    import select
    assert select.select([machine.eventfd], [], [], 60)[0]
    print([event.kind for event in machine.poll_events()], machine.counters()["machine"])
"""


@needs_kvm
@needs_gcc
@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ({"REFUSED_MSR": "2ff"}, "KVM refused MSR 0x2ff (refused: 1); the guest runs without"),
        ({"REFUSED_LEAF": "80000008"}, "KVM refused CPUID leaf 0x80000008 (refused: 1); the guest runs without"),
    ],
    ids=["msr", "cpuid"],
)
def test_what_the_host_refuses_is_left_out_and_logged(tmp_path, refused, said):
    library = tmp_path / "refusing_kvm.so"
    source = HERE / "refusing_kvm.c"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    guest = assemble("mov $0x600, %dx; mov $0x34, %al; out %al, %dx")
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED, guest.hex()],
        env={**os.environ, "LD_PRELOAD": str(library)} | refused,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    log, ran = done.stdout.splitlines()
    assert log == said
    assert ran.startswith("['shutdown']")
