"""Usage of projects in a period, the log of usage audits, and hosts as they were shown until 2.42."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.functional.cloud import ADMIN, HOST, MEMBER, READER, Cloud

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
DAY = "start=2024-05-01T00:00:00&end=2024-05-02T00:00:00"


def launched(
    cloud: Cloud, name: str, project_id: str = "p1", hours: float | None = None, start: datetime = NOON
) -> str:
    """A small server (1 vCPU, 2048 MiB, 20 GiB) that was there for so many hours; that is there still when None."""
    server = cloud.add_server(name, project_id, "2")
    columns: dict[str, Any] = {"vm_state": "active", "task_state": None, "launched_at": start}
    if hours is not None:
        columns |= {"terminated_at": start + timedelta(hours=hours), "deleted": True, "vm_state": "deleted"}
    cloud.set_server(server, **columns)
    return server


def usage(cloud: Cloud, path: str, version: str = "2.104", token: str = ADMIN) -> Any:
    answer = cloud("GET", f"/os-simple-tenant-usage{path}", version, token)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_hours_are_those_of_the_period(cloud: Cloud) -> None:
    ended = launched(cloud, "ended", hours=1.5)
    launched(cloud, "long", hours=48)
    launched(cloud, "before", hours=1, start=NOON - timedelta(days=2))
    launched(cloud, "after", start=NOON + timedelta(days=2))
    cloud.add_server("never up")
    found = usage(cloud, f"/p1?{DAY}", token=READER)["tenant_usage"]
    assert found["total_hours"] == 1.5 + 12
    assert found["total_vcpus_usage"] == 13.5
    assert found["total_memory_mb_usage"] == 13.5 * 2048
    assert found["total_local_gb_usage"] == 13.5 * 20
    assert (found["tenant_id"], found["start"]) == ("p1", "2024-05-01T00:00:00.000000")
    shown = next(server for server in found["server_usages"] if server["instance_id"] == ended)
    assert shown == {
        "instance_id": ended,
        "name": "ended",
        "tenant_id": "p1",
        "flavor": "m1.small",
        "hours": 1.5,
        "vcpus": 1,
        "memory_mb": 2048,
        "local_gb": 20,
        "started_at": "2024-05-01T12:00:00.000000",
        "ended_at": "2024-05-01T13:30:00.000000",
        "state": "terminated",
        "uptime": 5400,
    }


def test_a_running_server_counts_until_now(cloud: Cloud) -> None:
    launched(cloud, "web", start=datetime.now(UTC) - timedelta(hours=2))
    found = usage(cloud, "/p1?start=2024-05-01T00:00:00&end=2999-01-01T00:00:00")["tenant_usage"]
    assert 2 <= found["total_hours"] < 2.5
    assert found["server_usages"][0]["state"] == "active"
    assert found["server_usages"][0]["ended_at"] is None


def test_the_list_has_every_project_and_its_servers_when_asked(cloud: Cloud) -> None:
    launched(cloud, "one", "p1", 1)
    launched(cloud, "two", "p2", 2)
    plain = usage(cloud, f"?{DAY}")["tenant_usages"]
    assert [(each["tenant_id"], each["total_hours"]) for each in plain] == [("p1", 1), ("p2", 2)]
    assert all("server_usages" not in each for each in plain)
    assert all("server_usages" not in each for each in usage(cloud, f"?{DAY}&detailed=true")["tenant_usages"])
    detailed = usage(cloud, f"?{DAY}&detailed=1")["tenant_usages"]
    assert [len(each["server_usages"]) for each in detailed] == [1, 1]
    answer = cloud("GET", "/usage?start=2024-05-01T00:00:00Z&end=2024-05-02T00:00:00Z&detailed=true", "3.0", ADMIN)
    assert [(each["project_id"], each["hours"], len(each["servers"])) for each in answer.json["usages"]] == [
        ("p1", 1, 1),
        ("p2", 2, 1),
    ]
    assert answer.json["usages"][0]["servers"][0]["ended_at"] == "2024-05-01T13:00:00Z"


def test_pages_of_servers_from_2_40_on(cloud: Cloud) -> None:
    servers = sorted(launched(cloud, name, hours=1) for name in ("a", "b", "c"))
    first = usage(cloud, f"/p1?{DAY}&limit=2")
    assert [each["instance_id"] for each in first["tenant_usage"]["server_usages"]] == servers[:2]
    link = first["tenant_usage_links"][0]
    assert link["rel"] == "next"
    assert f"marker={servers[1]}" in link["href"]
    second = usage(cloud, f"/p1?{DAY}&limit=2&marker={servers[1]}")
    assert [each["instance_id"] for each in second["tenant_usage"]["server_usages"]] == servers[2:]
    assert "tenant_usage_links" not in second
    assert "tenant_usages_links" in usage(cloud, f"?{DAY}&limit=1")
    assert len(usage(cloud, f"/p1?{DAY}&limit=2", "2.39")["tenant_usage"]["server_usages"]) == 3
    assert cloud("GET", f"/os-simple-tenant-usage?{DAY}&marker={HOST}", "2.40", ADMIN).status_code == 400


def test_a_project_that_used_nothing_is_empty(cloud: Cloud) -> None:
    assert usage(cloud, f"/p1?{DAY}") == {"tenant_usage": {}}
    assert usage(cloud, "") == {"tenant_usages": []}


@pytest.mark.parametrize(
    "query",
    [
        "start=yesterday",
        "end=2024-05-01",
        "start=2024-05-02T00:00:00&end=2024-05-01T00:00:00",
        "start=2999-01-01T00:00:00",
    ],
)
def test_periods_that_are_none_are_refused(cloud: Cloud, query: str) -> None:
    assert cloud("GET", f"/os-simple-tenant-usage?{query}", "2.104", ADMIN).status_code == 400
    assert cloud("GET", f"/os-simple-tenant-usage/p1?{query}", "2.1", MEMBER).status_code == 400


def test_an_empty_project_is_none(cloud: Cloud) -> None:
    for version in ("2.1", "2.104"):
        assert cloud("GET", f"/os-simple-tenant-usage/?{DAY}", version, ADMIN).status_code == 404
    assert cloud("GET", f"/usage/?{DAY}", "3.0", ADMIN).status_code == 404


def test_usage_is_for_the_project_and_administrators(cloud: Cloud) -> None:
    assert cloud("GET", "/os-simple-tenant-usage", "2.104", MEMBER).status_code == 403
    assert cloud("GET", "/os-simple-tenant-usage/p2", "2.104", MEMBER).status_code == 403
    assert cloud("GET", "/os-simple-tenant-usage/p1?x=1", "2.74", MEMBER).status_code == 200
    assert cloud("GET", "/os-simple-tenant-usage/p1?x=1", "2.75", MEMBER).status_code == 400


def test_no_host_has_run_usage_audits(cloud: Cloud) -> None:
    log = cloud("GET", "/os-instance_usage_audit_log", "2.1", ADMIN).json["instance_usage_audit_logs"]
    assert (log["hosts_not_run"], log["num_hosts"], log["num_hosts_not_run"], log["log"]) == ([HOST], 1, 1, {})
    assert log["overall_status"] == "0 of 1 hosts done. 0 errors."
    path = "/os-instance_usage_audit_log/2012-07-05%2010:00:00"
    for each in (path, f"{path}.123", "/os-instance_usage_audit_log/2012-07-05 10:00:00"):
        log = cloud("GET", each, "2.104", ADMIN).json["instance_usage_audit_log"]
        assert (log["period_beginning"], log["period_ending"]) == ("2012-06-01 00:00:00", "2012-07-01 00:00:00")
    for wrong in ("yesterday", "0001-01-01 00:00:00"):
        assert cloud("GET", f"/os-instance_usage_audit_log/{wrong}", "2.104", ADMIN).status_code == 400
    assert cloud("GET", "/os-instance_usage_audit_log", "2.1", MEMBER).status_code == 403


def test_hosts_and_what_is_used_of_them(cloud: Cloud) -> None:
    listed = cloud("GET", "/os-hosts", "2.42", ADMIN).json["hosts"]
    compute = {"host_name": HOST, "service": "compute", "zone": "nova"}
    assert listed[0] == compute
    assert [(each["service"], each["zone"]) for each in listed[1:]] == [
        ("conductor", "internal"),
        ("scheduler", "internal"),
    ]
    assert cloud("GET", "/os-hosts?zone=nova", "2.42", ADMIN).json == {"hosts": [compute]}
    assert cloud("GET", "/os-hosts?zone=east", "2.42", ADMIN).json == {"hosts": []}
    cloud.add_server("one", "p1", "2")
    cloud.add_server("two", "p1", "2")
    shown = {
        each["resource"]["project"]: each["resource"]
        for each in cloud("GET", f"/os-hosts/{HOST}", "2.42", ADMIN).json["host"]
    }
    assert list(shown) == ["(total)", "(used_now)", "(used_max)", "p1"]
    total = {"host": HOST, "project": "(total)", "cpu": 4, "memory_mb": 8192, "disk_gb": 100}
    assert shown["(total)"] == total
    assert shown["(used_now)"]["memory_mb"] == 4096 + 512
    assert shown["p1"] == {"host": HOST, "project": "p1", "cpu": 2, "memory_mb": 4096, "disk_gb": 40}
    assert shown["(used_max)"] == shown["p1"] | {"project": "(used_max)"}


def test_what_can_be_done_to_a_host(cloud: Cloud) -> None:
    path = f"/os-hosts/{HOST}"
    changed = cloud("PUT", path, "2.42", ADMIN, json={"status": "Disable"})
    assert changed.json == {"host": HOST, "status": "disabled"}
    assert cloud("GET", "/os-hosts?zone=nova", "2.42", ADMIN).json == {"hosts": []}
    assert cloud("GET", "/os-services", "2.42", ADMIN).json["services"][0]["status"] == "disabled"
    assert cloud("PUT", path, "2.42", ADMIN, json={"status": "enable"}).json["status"] == "enabled"
    for wrong in ({}, {"status": "on"}, {"status": "enable", "x": 1}):
        assert cloud("PUT", path, "2.42", ADMIN, json=wrong).status_code == 400
    refused = cloud("PUT", path, "2.42", ADMIN, json={"status": "disable", "maintenance_mode": "enable"})
    assert refused.status_code == 501
    assert refused.json["notImplemented"]["message"] == "The requested functionality is not supported."
    for action in ("startup", "shutdown", "reboot"):
        assert cloud("GET", f"{path}/{action}", "2.42", ADMIN).status_code == 501
        assert cloud("GET", f"/os-hosts/nowhere/{action}", "2.42", ADMIN).status_code == 404
        assert cloud("GET", f"{path}/{action}", "2.43", ADMIN).status_code == 404
    assert cloud("PUT", "/os-hosts/nowhere", "2.42", ADMIN, json={"status": "enable"}).status_code == 404
    assert cloud("GET", "/os-hosts/nowhere", "2.42", ADMIN).status_code == 404
    assert cloud("GET", "/os-hosts", "2.43", ADMIN).status_code == 404
    assert cloud("GET", "/os-hosts", "2.42", MEMBER).status_code == 403
