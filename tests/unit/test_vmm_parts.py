"""The parts of the VMM that need no machine: schemas, configuration, options, help, OpenAPI, records, control loop."""

from __future__ import annotations

import argparse
import re
import threading
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from nova_lite.hv import host
from nova_lite.hv.vmm import config, openapi, option_values, options, process, record
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import ConfigError, VmmError
from nova_lite.hv.vmm.http_api import ENDPOINTS

KERNEL = {"payload": {"kernel": "/k"}}


def test_schemas_are_sound_and_every_object_that_comes_in_is_closed() -> None:
    jsonschema.Draft202012Validator.check_schema(config.SCHEMAS)
    for name, schema in config.DEFS.items():
        if name.endswith("Config"):
            assert schema["additionalProperties"] is False, name
            assert schema["description"], name


def test_every_document_that_an_endpoint_names_has_a_schema() -> None:
    for endpoint in ENDPOINTS.values():
        for name in (endpoint.body, endpoint.answer):
            assert name is None or name in config.DEFS


def test_openapi_document_is_valid_and_complete() -> None:
    document = openapi.document()
    openapi_spec_validator.validate(document)
    assert set(document["paths"]) == {f"/{name}" for name in ENDPOINTS}


def test_help_names_every_path_and_every_option_has_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    parser = options.parser()
    assert all(action.help for action in parser._actions)
    text = parser.format_help()
    assert all(name in text for name in ENDPOINTS)


def test_defaults_of_a_configuration() -> None:
    found = config.parse(KERNEL)
    assert (found.boot_vcpus, found.memory_size, found.serial_mode) == (1, 512 << 20, "Null")
    assert found.console_log is None and found.cmdline == "" and found.kernel_format is None
    assert config.parse(found.document).document == found.document


@pytest.mark.parametrize("number", [2.0, 2])
def test_whole_numbers_may_be_written_as_floats(number: float) -> None:
    found = config.parse(KERNEL | {"cpus": {"boot_vcpus": number}})
    assert found.document["cpus"] == {"boot_vcpus": 2, "max_vcpus": 2}
    assert isinstance(found.boot_vcpus, int)


def test_every_key_of_cloud_hypervisor_that_we_lack_is_refused_by_name() -> None:
    for key in config.DEFS["VmConfig"]["ext:not_supported"]:
        with pytest.raises(ConfigError, match=f"{key}: is not supported yet"):
            config.parse(KERNEL | {key: {}})


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(KERNEL | {"cpus": {"boot_vcpus": 0}, "memory": {}, "pmem": [], "nonsense": 1})
    text = str(caught.value)
    assert all(part in text for part in ("cpus.boot_vcpus", "memory.size: is missing", "pmem:", "nonsense:"))


@pytest.mark.parametrize(
    ("arguments", "part", "expected"),
    [
        (["--memory", "64M"], "memory", {"size": 64 << 20}),
        (["--memory", "size=1G"], "memory", {"size": 1 << 30}),
        (["--memory", "65536k"], "memory", {"size": 64 << 20}),
        (["--cpus", "2"], "cpus", {"boot_vcpus": 2, "max_vcpus": 2}),
        (["--cpus", "boot=2,max=4"], "cpus", {"boot_vcpus": 2, "max_vcpus": 4}),
        (["--serial", "off"], "serial", {"mode": "Off"}),
        (["--serial", "socket=/s"], "serial", {"mode": "Socket", "socket": "/s"}),
        (["--serial", "tty"], "serial", {"mode": "Tty"}),
        (["--console-log", "/l"], "console_log", {"file": "/l", "size": 131072}),
        (["--rng"], "rng", {"src": "/dev/urandom"}),
        (["--rng", "src=/dev/random"], "rng", {"src": "/dev/random"}),
        (["--pvpanic"], "pvpanic", True),
        (["--vsock", "cid=3,socket=/v"], "vsock", {"id": "_vsock0", "cid": 3, "socket": "/v"}),
        (
            ["--balloon", "size=64M,deflate_on_oom=on"],
            "balloon",
            {"size": 64 << 20, "deflate_on_oom": True, "free_page_reporting": False},
        ),
        (["--console-log", "file=/l,size=64K"], "console_log", {"file": "/l", "size": 65536}),
    ],
)
def test_options_become_a_configuration(arguments: list[str], part: str, expected: dict[str, Any]) -> None:
    found = options.vm_config(options.parser().parse_args(["--kernel", "/k", *arguments]))
    assert found is not None and found.document[part] == expected


def of_options(*arguments: str) -> dict[str, Any]:
    found = options.vm_config(options.parser().parse_args(["--kernel", "/k", *arguments]))
    assert found is not None
    return found.document


def test_disks_may_follow_one_option_or_each_its_own_and_equal_those_of_rest() -> None:
    one = of_options("--disk", "path=/a,readonly=on,image_type=raw", 'path="/b,c",bw_size=10M,bw_refill_time=100')
    two = of_options("--disk", "path=/a,readonly=on,image_type=raw", "--disk", '"/b,c",bw_size=10M,bw_refill_time=100')
    rest = config.parse(
        {
            "payload": {"kernel": "/k"},
            "disks": [
                {"path": "/a", "readonly": True, "image_type": "Raw"},
                {"path": "/b,c", "rate_limiter_config": {"bandwidth": {"size": 10 << 20, "refill_time": 100}}},
            ],
        }
    )
    assert one["disks"] == two["disks"] == rest.document["disks"]


def test_keys_without_a_value_have_their_defaults() -> None:
    (card,) = of_options("--net", "tap=,mac=,ip=,mask=")["net"]
    (other,) = config.parse(KERNEL | {"net": [{}]}).document["net"]
    assert card | {"mac": ""} == other | {"mac": ""}


def test_every_key_of_a_machine_has_an_option_and_every_key_of_an_option_a_line_in_help() -> None:
    text = options.parser().format_help()
    for _, name, schema, _ in options.machine_options():
        for key, (_, value) in option_values.keys(schema).items() if "properties" in schema else ():
            assert re.search(rf"^  {key} +.*{re.escape(value['description'])}$", text, re.MULTILINE), (name, key)
    offered = {name for _, name, _, _ in options.machine_options()}
    assert offered | set(options._PAYLOAD) == set(config.DEFS["VmConfig"]["properties"])


def test_what_is_a_path_in_the_schema_may_be_relative_on_the_command_line() -> None:
    for name, schema in config.DEFS.items():
        for key, value in schema.get("properties", {}).items() if name.endswith("Config") else ():
            if re.match(r"Path\b", value.get("description", "")):
                assert key in option_values._PATHS, (name, key)


def test_what_there_is_not_may_be_switched_off() -> None:
    assert of_options("--tpm", "off") == of_options()


def test_relative_paths_on_the_command_line_are_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = options.vm_config(options.parser().parse_args(["--kernel", "k"]))
    assert found is not None and found.kernel == tmp_path / "k"


def test_no_machine_without_kernel() -> None:
    assert options.vm_config(options.parser().parse_args([])) is None
    with pytest.raises(argparse.ArgumentTypeError, match="--console-log needs --kernel"):
        options.vm_config(options.parser().parse_args(["--console-log", "/l"]))


def test_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = record.Record("u", process.boot_id(), 7, 8)
    record.write(tmp_path, written)
    assert record.read(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["vmm.json"]
    record.remove(tmp_path)
    record.remove(tmp_path)
    assert record.read(tmp_path) is None


def test_loop_runs_commands_of_other_threads_and_passes_errors_on() -> None:
    loop, answers = ControlLoop(), []

    def refuse() -> None:
        raise VmmError(405, "no")

    def client() -> None:
        answers.append(loop.call(lambda a, b: a + b, 1, 2))
        try:
            loop.call(refuse)
        except VmmError as error:
            answers.append(error.status)
        loop.call(loop.stop)

    thread = threading.Thread(target=client)
    thread.start()
    loop.run()
    thread.join(30)
    assert answers == [3, 405]
    with pytest.raises(VmmError, match="shutting down"):
        loop.call(lambda: None)


def test_kind_of_kvm_comes_from_the_loaded_module(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    assert host.kvm_kind(tmp_path, device) == "none"
    device.touch()
    assert host.kvm_kind(tmp_path, device) == "none"
    (tmp_path / "kvm_pvm").mkdir()
    assert host.kvm_kind(tmp_path, device) == "kvm-pvm"
    (tmp_path / "kvm_amd").mkdir()
    assert host.kvm_kind(tmp_path, device) == "kvm-amd"
