"""The loaders' fuzzer: its seeds and former findings, a few new inputs each time; ``make fuzz`` is the long run."""

from __future__ import annotations

import importlib.util
import random
import runpy
from pathlib import Path
from types import ModuleType

import pytest

import nova_lite

FOLDER = Path(nova_lite.__file__).parents[1] / "fuzz"
RUN = runpy.run_path(str(FOLDER / "run.py"))


@pytest.fixture(scope="module")
def loaders() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_loaders", FOLDER / "loaders.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", RUN["LOADER_KINDS"])
def test_no_file_breaks_a_loader(kind):
    assert RUN["run_loader"](kind, "--runs", 600, "--seed", "1") == 0


def test_what_no_input_may_do_is_a_finding(loaders):
    def write_outside(_data: bytes) -> None:
        loaders.Sink().write_memory(loaders.MEMORY - 1, b"xy")

    for target, reason in ((write_outside, "written to"), (lambda data: data[9], "IndexError")):
        with pytest.raises(loaders.Finding, match=reason):
            loaders.attempt(target, b"short")


def test_an_input_tells_the_lines_that_it_reached(loaders):
    empty = loaders.attempt(loaders.load, b"\0")
    kernel = loaders.attempt(loaders.load, (FOLDER / "corpus/bzimage/gzip").read_bytes())
    assert kernel - empty and {code.co_name for code, _ in kernel} >= {"packed_kernel", "_gzip", "write_boot_params"}


def test_mutations_differ_and_keep_to_a_length(loaders):
    chance, seeds = random.Random(1), [b"", b"abc", bytes(loaders.LONGEST)]
    made = {loaders.mutate(chance, chance.choice(seeds), seeds) for _ in range(300)}
    assert len(made) > 100 and max(map(len, made)) <= loaders.LONGEST
