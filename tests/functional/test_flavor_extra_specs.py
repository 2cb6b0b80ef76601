"""Extra specs of flavors, and which of them are checked from 2.86 on."""

from __future__ import annotations

from typing import Any

import pytest

from nova_lite import exceptions
from nova_lite.api import extra_specs
from tests.functional.cloud import ADMIN, MEMBER, NOBODY, READER, Cloud

PATH = "/flavors/42/os-extra_specs"


def put(cloud: Cloud, key: str, body: object, version: str = "2.1", token: str = ADMIN) -> Any:
    return cloud("PUT", f"{PATH}/{key}", version, token, json=body)


def test_create_show_update_delete(cloud: Cloud) -> None:
    given = {"extra_specs": {"hw:cpu_policy": "shared", "mine": "1"}}
    made = cloud("POST", PATH, "2.1", ADMIN, json=given)
    assert (made.status_code, made.json) == (200, given)
    assert cloud("GET", PATH).json == given
    changed = put(cloud, "mine", {"mine": "2"})
    assert (changed.status_code, changed.json) == (200, {"mine": "2"})
    assert cloud("GET", f"{PATH}/mine").json == {"mine": "2"}
    added = cloud("POST", PATH, "2.1", ADMIN, json={"extra_specs": {"more": "3"}})
    assert added.json == {"extra_specs": {"more": "3"}}
    gone = cloud("DELETE", f"{PATH}/mine", "2.1", ADMIN)
    assert (gone.status_code, gone.text) == (200, "")
    assert cloud("GET", PATH).json == {"extra_specs": {"hw:cpu_policy": "shared", "more": "3"}}


def test_3_0_keeps_the_key_in_the_path(cloud: Cloud) -> None:
    path = "/flavors/42/extra-specs"
    made = cloud("POST", path, "3.0", ADMIN, json={"extra_specs": {"mine": "1"}})
    assert (made.status_code, made.json) == (201, {"extra_specs": {"mine": "1"}})
    changed = cloud("PUT", f"{path}/mine", "3.0", ADMIN, json={"extra_spec": {"value": "2"}})
    assert (changed.status_code, changed.json) == (200, {"extra_spec": {"key": "mine", "value": "2"}})
    assert cloud("GET", f"{path}/mine", "3.0").json == changed.json
    assert cloud("GET", path, "3.0").json == {"extra_specs": {"mine": "2"}}
    assert cloud("DELETE", f"{path}/mine", "3.0", ADMIN).status_code == 204
    assert cloud("GET", path, "3.0").json == {"extra_specs": {}}


def test_numbers_are_kept_as_text(cloud: Cloud) -> None:
    answer = cloud("POST", PATH, "2.1", ADMIN, json={"extra_specs": {"mine": 1.5}})
    assert answer.json == {"extra_specs": {"mine": 1.5}}
    assert cloud("GET", PATH).json == {"extra_specs": {"mine": "1.5"}}


def test_a_missing_key(cloud: Cloud) -> None:
    for method in ("GET", "DELETE"):
        answer = cloud(method, f"{PATH}/mine", "2.1", ADMIN)
        assert answer.status_code == 404
        assert answer.json["itemNotFound"]["message"] == "Flavor 42 has no extra specs with key mine."


def test_body_and_url_must_name_the_same_key(cloud: Cloud) -> None:
    answer = put(cloud, "mine", {"yours": "1"})
    assert answer.status_code == 400
    assert answer.json["badRequest"]["message"] == "Request body and URI mismatch"


@pytest.mark.parametrize(
    "specs",
    [{"": "1"}, {"a/b": "1"}, {"k" * 256: "1"}, {"k": "v" * 256}, {"k": None}, {"k": []}, {"k": True}, [], None, "x"],
)
def test_bad_specs_are_refused(cloud: Cloud, specs: object) -> None:
    assert cloud("POST", PATH, "2.1", ADMIN, json={"extra_specs": specs}).status_code == 400
    assert cloud("GET", PATH).json == {"extra_specs": {}}


@pytest.mark.parametrize("body", [{}, {"mine": "1", "other": "2"}, {"mine": None}, [], None])
def test_an_update_is_one_pair(cloud: Cloud, body: object) -> None:
    assert put(cloud, "mine", body).status_code == 400


@pytest.mark.parametrize(("version", "status"), [("2.85", 200), ("2.86", 400), ("2.104", 400), ("3.0", 400)])
def test_known_names_are_checked_from_2_86_on(cloud: Cloud, version: str, status: int) -> None:
    if version == "3.0":
        answer = cloud(
            "PUT", "/flavors/42/extra-specs/hw:cpu_policy", version, ADMIN, json={"extra_spec": {"value": "x"}}
        )
    else:
        answer = put(cloud, "hw:cpu_policy", {"hw:cpu_policy": "x"}, version)
    assert answer.status_code == status
    if status == 400:
        assert "hw:cpu_policy" in answer.text
        assert "dedicated, shared, mixed" in answer.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anything", "at all"),
        ("my:namespace", "x"),
        ("hide_hypervisor_id", "yes"),
        ("group_policy", "isolate"),
        ("accel:device_profile", "gpu"),
        ("aggregate_instance_extra_specs:ssd", "true"),
        ("capabilities:cpu_info:features", "<in> avx"),
        ("hw:numa_nodes", "2"),
        ("hw:numa_cpus.0", "0-1,^1"),
        ("hw:numa_mem.1", "512"),
        ("hw:cpu_realtime_mask", "^0-1"),
        ("hw:mem_page_size", "2MB"),
        ("hw:mem_page_size", "large"),
        ("hw:cpu_max_threads", "2"),
        ("hw:pmem", "a,b"),
        ("hw_rng:rate_bytes", "0"),
        ("os:secure_boot", "required"),
        ("pci_passthrough:alias", "gpu:1, nic:2"),
        ("quota:cpu_quota", "-1"),
        ("quota:disk_read_iops_sec", "100"),
        ("resources:VCPU", "0"),
        ("resources1:CUSTOM_GOLD", "1"),
        ("trait:HW_CPU_X86_AVX", "required"),
        ("trait_net:CUSTOM_FAST", "forbidden"),
    ],
)
def test_good_specs_pass(name: str, value: str) -> None:
    extra_specs.validate(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hw:numa_node", "2"),  # a typing error in a known namespace
        ("hw:numa_nodes", "0"),
        ("hw:numa_nodes", "two"),
        ("hw:numa_nodes", "1" * 200),
        ("hw:numa_cpus.x", "0"),
        ("hw:cpu_realtime_mask", "0-1," * 60 + "x"),
        ("hw:pmem", "a" * 250 + "!"),
        ("hw:mem_page_size", "huge"),
        ("hw:redirected_usb_ports", "16"),
        ("hw_rng:allowed", "perhaps"),
        ("os:secure_boot", "optional"),
        ("pci_passthrough:alias", "gpu"),
        ("quota:cpu_shares", "-1"),
        ("resources:GOLD", "1"),
        ("trait:HW_CPU_X86_AVX", "maybe"),
        ("trait:hw_cpu", "required"),
    ],
)
def test_bad_specs_are_named(name: str, value: str) -> None:
    with pytest.raises(exceptions.Invalid, match="extra spec"):
        extra_specs.validate(name, value)


def test_who_may_do_what(cloud: Cloud) -> None:
    cloud("POST", PATH, "2.1", ADMIN, json={"extra_specs": {"mine": "1"}})
    for token, status in ((MEMBER, 200), (READER, 200), (NOBODY, 403)):
        assert cloud("GET", PATH, "2.1", token).status_code == status
        assert cloud("GET", f"{PATH}/mine", "2.1", token).status_code == status
        assert cloud("POST", PATH, "2.1", token, json={"extra_specs": {"a": "1"}}).status_code == 403
        assert put(cloud, "mine", {"mine": "2"}, token=token).status_code == 403
        assert cloud("DELETE", f"{PATH}/mine", "2.1", token).status_code == 403
