"""Whose is it, named inside a request: every place of a body or a query that takes a name of something.

A stranger who writes there the name of what another project has is told what one is told who writes a name that nothing
has, word for word. The places are read out of the schemas: a new operation is asked like the others.
"""

from __future__ import annotations

import copy
import itertools
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nova_lite.api import app
from nova_lite.api.operations import Operation, Table
from nova_lite.api.policy import PolicyEngine
from nova_lite.api.versions import Version
from nova_lite.context import RequestContext
from nova_lite.embedded.image import app as image_app
from nova_lite.embedded.network import app as network_app
from nova_lite.embedded.volume import app as volume_app
from nova_lite.reference.examples import Maker, accepts, singular
from tests.functional import belongings
from tests.functional.belongings import missing, told
from tests.functional.cloud import IMAGE_ID, Cloud
from tests.functional.companion import Companion

KNOWN = PolicyEngine(None).registered
TABLE: Table = app.build_table(None, KNOWN)
COMPANIONS = {"image": image_app, "network": network_app, "volume": volume_app}
COMPANION_TABLES = {name: module.build_table(None, KNOWN) for name, module in COMPANIONS.items()}
CALLER = "u9:p9:manager"
#: What a key's name says about what it names, the first that fits; a key that only says "id" may name anything.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("networks/\\[\\]/uuid", ("network_id",)),
    ("block_devices?(_mapping.*)?/\\[\\]/uuid", ("volume_id", "snapshot_id", "image_id")),
    ("snapshot_?id", ("snapshot_id",)),
    ("vol(ume)?_?(id|ref)|source_volid", ("volume_id",)),
    ("image_?(id|ref)?$|kernel_id|ramdisk_id|cache/\\[\\]/id|images/\\[\\]/id", ("image_id",)),
    ("flavor(_?ref|_?id)?$", ("flavor_id",)),
    ("key_name", ("keypair_name",)),
    ("subnet_?id", ("subnet_id",)),
    ("net(work)?_?id", ("network_id",)),
    ("port(_?id)?$", ("port_id",)),
    ("router_?id", ("router_id",)),
    ("(hints/|^)group|security_?group.*(name|id|\\[\\])$", ("server_group_id", "group_id", "group_name")),
    ("(server|instance)(_?(uuid|id))?$|(same|different)_host|device_id", ("server_id",)),
    ("project_?id|tenant|owner", ("project_id",)),
    ("user_?id", ("user",)),
    ("address|fixed_ip$", ("floating_address", "fixed_address")),
    ("reservation_?id", ("reservation_id",)),
    ("migration", ("migration_id",)),
    ("(^|[/_])(id|uuid|marker)$", (
        "server_id", "keypair_name", "volume_id", "snapshot_id", "network_id", "subnet_id", "port_id", "router_id",
        "group_id", "image_id", "flavor_id", "server_group_id", "request_id", "operation_id", "migration_id",
    )),
)  # fmt: skip
Step = str | int | None  # a property's name; the number of a branch; None: an item of a list
Place = tuple[Step, ...]


def kinds(place: Place) -> tuple[str, ...]:
    """What the value at ``place`` may name, if it names anything."""
    path = "/".join("[]" if step is None else step for step in place if not isinstance(step, int)).lower()
    return next((names for pattern, names in KINDS if re.search(pattern, path)), ())


def places(schema: Any, above: Place = ()) -> Iterator[Place]:
    """Every place of a document that takes a text and whose name says that it names something."""
    if not isinstance(schema, dict):
        return
    for word in ("oneOf", "anyOf"):
        for number, branch in enumerate(schema.get(word, ())):
            yield from places(branch, (*above, number))
    for name, inner in schema.get("properties", {}).items():
        yield from places(inner, (*above, name))
    if isinstance(schema.get("items"), dict):
        yield from places(schema["items"], (*above, None))
    types = schema.get("type", "string" if "format" in schema else ())
    if "string" in ((types,) if isinstance(types, str) else types) and "enum" not in schema and kinds(above):
        yield above


def newest(operation: Operation, part: str) -> list[tuple[Version, dict[str, Any]]]:
    """A document as the last version of each major has it: that version and the schema."""
    schemas = operation.prepared.schemas
    history = getattr(schemas, part) if schemas else None
    forms = {}
    for version in operation.versions if history else ():
        entry = history.at(version)
        if entry is not None and entry.schema is not None:
            forms[version.major] = version, entry.schema
    return list(forms.values())


def bodies(schema: dict[str, Any], place: Place, maker: Maker) -> Iterator[Any]:
    """Examples with something at ``place``; what stands beside it takes every value of its closed list."""
    whole = _with(maker, schema, maker.document(schema), place)
    thing = place[: max(number for number, step in enumerate(place) if isinstance(step, str))]
    beside = _schema_at(schema, thing).get("properties", {})
    closed = {name: one["enum"] for name, one in beside.items() if "enum" in one and None not in one["enum"]}
    for values in itertools.islice(itertools.product(*closed.values()), 8):
        made = copy.deepcopy(whole)
        _at(made, thing).update(zip(closed, values, strict=True))
        yield made


def _schema_at(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    for step in place:
        if isinstance(step, int):
            schema = (schema.get("oneOf") or schema["anyOf"])[step]
        else:
            schema = schema["items"] if step is None else schema["properties"][step]
    return schema


def _at(document: Any, place: Place) -> Any:
    for step in place:
        if not isinstance(step, int):
            document = document[0 if step is None else step]
    return document


def put(document: Any, place: Place, value: str) -> Any:
    """``document`` with ``value`` there."""
    steps = [0 if step is None else step for step in place if not isinstance(step, int)]
    made = copy.deepcopy(document)
    _at(made, tuple(None if step == 0 else step for step in steps[:-1]))[steps[-1]] = value
    return made


def _with(maker: Maker, schema: dict[str, Any], made: Any, place: Place) -> Any:
    """``made``, an example of ``schema``, with an example of all that leads to ``place``."""
    if not place:
        return made
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        branch = (schema.get("oneOf") or schema["anyOf"])[step]
        return _with(maker, branch, made if accepts(branch, made) else maker.document(branch), rest)
    if step is None:
        items = made if isinstance(made, list) and made else [maker.document(schema["items"])]
        return [_with(maker, schema["items"], items[0], rest)]
    made = dict(made) if isinstance(made, dict) else {}
    inner = schema["properties"][step]
    known = made[step] if step in made and made[step] is not None else _example(maker, inner)
    return made | {step: _with(maker, inner, known, rest)}


def _example(maker: Maker, schema: dict[str, Any]) -> Any:
    """Of a thing rather than of null."""
    types = schema.get("type")
    if isinstance(types, list):
        schema = schema | {"type": [name for name in types if name != "null"]}
    return maker.document(schema)


@pytest.fixture(scope="module")
def cloud(module_cloud: Cloud) -> Cloud:
    return module_cloud


@pytest.fixture(scope="module")
def companions(cloud: Cloud) -> dict[str, Companion]:
    return {name: Companion(cloud, module) for name, module in COMPANIONS.items()}


@pytest.fixture(scope="module")
def theirs(cloud: Cloud) -> dict[str, str]:
    return _named(cloud, belongings.of_p1(cloud), belongings.OWNER)


@pytest.fixture(scope="module")
def own(cloud: Cloud, theirs: dict[str, str]) -> dict[str, str]:
    """The caller's; the server is there to be worked on, with a card in a network."""
    found = _named(cloud, belongings.of_p9(cloud, theirs["external_id"]), belongings.STRANGER)
    server = {"name": "x", "imageRef": IMAGE_ID, "flavorRef": "42", "networks": [{"uuid": found["network_id"]}]}
    answer = cloud("POST", "/servers", "2.1", CALLER, json={"server": server})
    found["server_id"] = answer.json["server"]["id"]
    cloud.set_server(found["server_id"], vm_state="active", task_state=None, power_state=1)
    cloud.keep()
    return found


def _named(cloud: Cloud, ids: dict[str, str], owner: RequestContext) -> dict[str, str]:
    """With the names that are no field of a path."""
    network = cloud.compute.network
    return ids | {
        "group_name": ids["keypair_name"], "user": str(owner.user_id),
        "floating_address": network.get_floating_ip(owner, ids["floating_ip_id"]).address,
        "fixed_address": network.get_port(owner, ids["port_id"]).fixed_ips[0],
        "reservation_id": cloud.compute.get(owner, ids["server_id"]).reservation_id,
    }  # fmt: skip


#: Names of the same form that nothing has, where a word in front would not do.
NOBODYS = {
    "floating_address": "172.24.4.201",
    "fixed_address": "10.71.0.201",
    "user": "u8",
    "reservation_id": "r-none0000",
}

Send = Callable[[str, str, Version, dict[str, Any]], Any]


@pytest.mark.parametrize("operation", TABLE.operations, ids=lambda operation: operation.name)
def test_what_a_request_names_is_there_for_its_owner_alone(
    cloud: Cloud, theirs: dict[str, str], own: dict[str, str], operation: Operation
) -> None:
    def send(method: str, path: str, version: Version, request: dict[str, Any]) -> Any:
        return cloud(method, path, str(version), CALLER, **request)

    ask(cloud, send, operation, theirs, own)


@pytest.mark.parametrize(
    ("name", "operation"),
    [(name, operation) for name, table in COMPANION_TABLES.items() for operation in table],
    ids=lambda value: value if isinstance(value, str) else f"{value.method}{value.paths[min(value.paths)]}",
)
def test_so_it_is_in_the_services_beside(
    cloud: Cloud,
    companions: dict[str, Companion],
    theirs: dict[str, str],
    own: dict[str, str],
    name: str,
    operation: Operation,
) -> None:
    service = COMPANIONS[name].SERVICE

    def send(method: str, path: str, version: Version, request: dict[str, Any]) -> Any:
        return companions[name](method, service.prefixes[version.major] + path, CALLER, **request)

    ask(cloud, send, operation, theirs, own)


def ask(cloud: Cloud, send: Send, operation: Operation, theirs: dict[str, str], own: dict[str, str]) -> None:
    nobodys = missing(theirs) | NOBODYS
    for version, place, name, request in requests(operation, own):
        path = re.sub(r"\{([a-z_]+)\}", lambda match: own.get(match[1], "any"), operation.paths[version.major])
        answers = []
        for names in (theirs, nobodys):
            answer = send(operation.method, path, version, request(names[name]))
            answers.append(told(answer, {"named": names[name]} | names))
            if answer.status_code < 300 and operation.method != "GET":
                cloud.reset()
        if answers[0][0] < 300:
            answers = [(status, _without_secrets(text), {}) for status, text, _ in answers]
        assert answers[0] == answers[1], (version, place, name, request(theirs[name]))
        if operation.policy in answers[0][1]:
            return  # for others than this caller


def requests(
    operation: Operation, own: dict[str, str]
) -> Iterator[tuple[Version, Place, str, Callable[[str], dict[str, Any]]]]:
    """What to ask, where, naming what, and the request for a name."""
    for version, schema in newest(operation, "query"):
        for place in places({"properties": {name: {"type": "string"} for name in schema.get("properties", ())}}):
            for name in kinds(place):
                key = str(place[0])
                yield (
                    version,
                    place,
                    name,
                    lambda value, key=key: {"query_string": urllib.parse.urlencode({key: value})},
                )
    for version, schema in newest(operation, "input"):
        found = list(places(schema))
        said = {_path(place): own[kinds(place)[0]] for place in found}
        maker = Maker(part="input", thing=singular(operation.resource), said=said)
        for place in found:
            for body, name in itertools.product(bodies(schema, place, maker), kinds(place)):
                if accepts(_schema_at(schema, place), own[name]):
                    yield version, place, name, lambda value, body=body, place=place: {"json": put(body, place, value)}


def _path(place: Place) -> str:
    """As the makers of examples write it: 'server/networks[]/uuid'."""
    return "".join("[]" if step is None else f"/{step}" for step in place if not isinstance(step, int)).strip("/")


def _without_secrets(text: str) -> str:
    """What was made is new each time: its id, its password."""
    text = re.sub(r'("admin_?[pP]ass(word)?": ?)"[^"]*"', r"\1", text)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\br-[a-z0-9]{8}\b|\d\d:\d\d:\d\d[.\d]*", "made", text)
