"""The parts of the VMM that need no machine: schemas, configuration, options, help, OpenAPI, records, control loop."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from nova_lite.hv import host
from nova_lite.hv.vmm import config, openapi, options, process, record
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
        (["--console-log", "/l"], "console_log", {"file": "/l", "size": 131072}),
        (["--console-log", "file=/l,size=64K"], "console_log", {"file": "/l", "size": 65536}),
    ],
)
def test_options_become_a_configuration(arguments: list[str], part: str, expected: dict[str, Any]) -> None:
    found = options.vm_config(options.parser().parse_args(["--kernel", "/k", *arguments]))
    assert found is not None and found.document[part] == expected


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
