"""One policy decision: the compiled rules against oslo.policy's own Enforcer, same rules, same caller, same run.

    python -m bench.policy_check [--calls 20000]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from oslo_policy import policy as oslo

from nova_lite import conf, policies
from nova_lite.api.policy import PolicyEngine

RULE = "os_compute_api:servers:show"
TARGET = {"project_id": "p1", "user_id": "u1"}
CREDS = {"user_id": "u1", "project_id": "p1", "roles": ["member", "reader"], "is_admin": False}


def microseconds(call: Callable[[], object], calls: int) -> float:
    """The best of five rounds, in microseconds a call."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, time.perf_counter() - start)
    return best / calls * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20000)
    arguments = parser.parse_args()
    engine = PolicyEngine(None)
    enforcer = oslo.Enforcer(conf.load([], []), policy_file="absent.yaml")
    enforcer.register_defaults(policies.list_rules())
    enforcer.load_rules()
    assert engine.check(RULE, TARGET, CREDS) and enforcer.authorize(RULE, TARGET, dict(CREDS))
    ours = microseconds(lambda: engine.check(RULE, TARGET, CREDS), arguments.calls)
    theirs = microseconds(lambda: enforcer.authorize(RULE, TARGET, dict(CREDS)), max(arguments.calls // 20, 1))
    result = {
        "name": "policy_check", "unit": "us", "value": round(ours, 2), "baseline": round(theirs, 1),
        "baseline_name": "oslo.policy Enforcer.authorize", "ratio": round(ours / theirs, 4), "target": 0.1,
        "ok": ours / theirs <= 0.1,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
