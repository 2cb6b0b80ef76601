"""A forked process goes back to sharing the pages of Python's heap that it has not changed after all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nova_lite

_BEGIN = """
from nova_lite.hv.vmm import shared_heap
shared_heap.install()
import gc, json, os, threading

things = [[str(number)] for number in range(30000)]
gc.collect()
gc.freeze()
shared_heap.share()

def copied():
    "KiB of the heap that this process has a copy of its own of."
    inside, total = False, 0
    for line in open("/proc/self/smaps"):
        if line.split(" ")[0].count("-") == 1:
            inside = "nova-lite-heap" in line and " rw-p " in line
        elif inside and line.startswith("Anonymous:"):
            total += int(line.split()[1])
    return total

def look_at_everything():
    for thing in things:
        for text in thing:
            pass

if os.fork() != 0:
    os.wait()
    os._exit(0)
"""


def in_a_fork(code: str) -> dict[str, object]:
    """What the code printed, run where ``things`` were made before the fork."""
    environment = os.environ | {"PYTHONPATH": str(Path(nova_lite.__file__).parents[1]), "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-S", "-c", _BEGIN + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_pages_that_were_only_looked_at_are_shared_again():
    found = in_a_fork("""
look_at_everything()
before = copied()
shared_heap.give_back()
print(json.dumps({"before": before, "after": copied()}))
""")
    assert found["before"] > 2000 and found["after"] < found["before"] / 5, found


def test_what_was_changed_stays_changed():
    found = in_a_fork("""
for number in range(0, 30000, 100):
    things[number].append(number)
look_at_everything()
shared_heap.give_back()
made = [[str(number)] for number in range(30000)]
shared_heap.give_back()
del made
shared_heap.give_back()
right = [[str(n), n] if n % 100 == 0 else [str(n)] for n in range(30000)]
print(json.dumps({"right": things == right}))
""")
    assert found == {"right": True}


def test_nothing_is_given_back_beside_another_thread():
    found = in_a_fork("""
end = threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
look_at_everything()
before = copied()
shared_heap.give_back()
beside = copied()
end.set()
thread.join()
shared_heap.give_back()
print(json.dumps({"before": before, "beside": beside, "after": copied()}))
""")
    assert found["beside"] >= found["before"] > 5 * found["after"], found
