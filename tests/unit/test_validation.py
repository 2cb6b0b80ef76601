"""Reading requests: what is refused, in which words, and which version would take it."""

from __future__ import annotations

import orjson
import pytest

from nova_lite.api import validation
from nova_lite.api.validation import PrepareError, ValidationFailed
from nova_lite.api.versions import Version
from nova_lite.schemas import Entry, History, OperationSchemas
from nova_lite.schemas import parameter_types as types


def obj(properties, required=(), **extra):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    } | extra


def wrapped(properties, required=(), **extra):
    return obj({"server": obj(properties, required, **extra)}, ["server"])


def history(part, **schemas):
    """history('input', v2_1={...}, v2_19=None)"""
    entries = tuple(Entry(Version.parse(name[1:].replace("_", ".")), schema) for name, schema in schemas.items())
    return History("things.do", part, entries)


def prepare(*histories, names_taken=None, path_fields=frozenset()):
    schemas = OperationSchemas("things.do", **{one.part: one for one in histories})
    return validation.prepare("things.do", schemas, names_taken=names_taken, path_fields=path_fields)


def at(prepared, version):
    return prepared.at(Version.parse(version))


def refused(prepared, version, body=None, query=None):
    with pytest.raises(ValidationFailed) as caught:
        at(prepared, version).read(query, body)
    return caught.value


NAME = {"name": types.name}
TAGGED = prepare(
    history(
        "input",
        v2_1=wrapped(NAME | {"personality": types.personality}, ["name"]),
        v2_19=wrapped(NAME | {"personality": types.personality, "description": types.description}, ["name"]),
        v2_32=wrapped(NAME | {"personality": types.personality, "tag": types.tag}, ["name"]),
        v2_33=wrapped(NAME | {"personality": types.personality}, ["name"]),
        v2_37=wrapped(NAME | {"personality": types.personality, "networks": {}}, ["name", "networks"]),
        v2_42=wrapped(
            NAME | {"personality": types.personality, "networks": {}, "tag": types.tag}, ["name", "networks"]
        ),
        v2_57=wrapped(
            NAME | {"networks": {}, "tag": types.tag, "force": {}, "adminPass": types.admin_password}, ["name"]
        )
        | {"ext:mapping": {"adminPass": "admin_password"}},
        v2_68=wrapped(NAME | {"networks": {}, "tag": types.tag}, ["name"]),
        v3_0=wrapped(NAME | {"admin_password": types.admin_password}, ["name"]),
    )
)

# ---- hints ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "server", "hint"),
    [
        ("2.1", {"tag": "t"}, "'tag' is known to microversions 2.32 and 2.42 and later (this request: 2.1)"),
        ("2.1", {"networks": "auto"}, "'networks' needs microversion 2.37 or later (this request: 2.1)"),
        ("2.1", {"force": True}, "'force' needs a microversion from 2.57 to 2.67 (this request: 2.1)"),
        (
            "2.70",
            {"personality": []},
            "'personality' was removed in microversion 2.57; the last that accepts it is 2.56 (this request: 2.70)",
        ),
        ("2.40", {}, "It is required since microversion 2.37 (this request: 2.40)"),
        ("3.0", {"adminPass": "x"}, "Version 3.0 calls 'adminPass' 'admin_password' (at server/admin_password)"),
        ("2.1", {"nmae": "x"}, "Did you mean 'name'?"),
    ],
)
def test_a_refused_key_is_told_which_version_takes_it(version, server, hint):
    assert str(refused(TAGGED, version, {"server": {"name": "n"} | server})).endswith(hint)


def test_a_key_no_version_knows_gets_no_hint():
    message = str(refused(TAGGED, "2.1", {"server": {"name": "n", "zzzz": 1}}))
    assert message == (
        "Invalid input for field/attribute server. Additional properties are not allowed ('zzzz' was unexpected)"
    )


def test_hints_reach_into_lists_and_alternatives():
    network = {"uuid": types.uuid}
    nets = prepare(
        history(
            "input",
            v2_1=obj({"networks": {"type": "array", "items": obj(network)}}),
            v2_42=obj(
                {"networks": {"oneOf": [{"type": "array", "items": obj(network | {"tag": {}})}, {"enum": ["auto"]}]}}
            ),
            v2_50=obj({"networks": {"oneOf": [{"type": "array", "items": obj(network)}, {"enum": ["auto"]}]}}),
        )
    )
    body = {"networks": [{}, {"tag": "t"}]}
    assert "'tag' needs a microversion from 2.42 to 2.49" in str(refused(nets, "2.1", body))
    error = refused(nets, "2.60", body)
    assert error.path == "networks/1"
    assert "'tag' was removed in microversion 2.50; the last that accepts it is 2.49" in str(error)


def test_query_keys_get_hints_too():
    query = prepare(
        history("query", v2_1=types.strict_query({"limit": types.any_query}), v2_66=types.strict_query({"before": {}}))
    )
    message = str(refused(query, "2.1", query={"before": ["x"]}))
    assert message == (
        "Additional properties are not allowed ('before' was unexpected). "
        "'before' needs microversion 2.66 or later (this request: 2.1)"
    )


# ---- words ----------------------------------------------------------------------------------------------

MANY = prepare(
    history(
        "input",
        v2_1=wrapped(
            {
                "name": types.name,
                "zone": types.availability_zone,
                "count": types.positive_integer,
                "size": types.bounded_positive_integer,
                "flag": types.boolean,
                "metadata": types.metadata,
                "image": types.image_ref,
                "when": types.timestamp,
                "address": types.ipv4,
                "tags": types.tags,
                "password": types.admin_password,
                "user_data": types.user_data,
                "networks": {"oneOf": [{"type": "array", "items": obj({"uuid": types.uuid})}, {"enum": ["auto"]}]},
                "number": {"type": "integer"},
            }
        ),
    )
)


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"name": 5}, "server/name. Value: 5. 5 is not of type 'string'"),
        ({"name": ""}, "server/name. Value: . '' is too short (at least 1)"),
        ({"name": " a"}, "is not a name: printable characters without white space at either end"),
        ({"name": "a\x00"}, "is not a name"),
        ({"zone": "a:b"}, "is not a zone name: printable characters but ':'"),
        ({"count": 0}, "0 is less than the minimum of 1"),
        ({"count": "0"}, "'0' is less than the minimum of 1"),
        ({"count": True}, "True is not of type"),
        ({"size": "2147483648"}, "'2147483648' is greater than the maximum of 2147483647"),
        ({"size": "9" * 6000}, "is greater than the maximum of 2147483647"),
        ({"number": 2**63}, "the number is too large"),
        ({"flag": "maybe"}, "'maybe' is not one of [True, 'True'"),
        ({"metadata": {"a*": "b"}}, "server/metadata. 'a*' does not match any of the regexes"),
        ({"metadata": {"a": 1}}, "server/metadata/a. Value: 1. 1 is not of type 'string'"),
        ({"image": "x"}, "'x' is not a 'uuid' or empty"),
        ({"when": "today"}, "'today' is not a 'date-time' in ISO 8601"),
        ({"address": "1.2.3"}, "'1.2.3' is not a 'ipv4'"),
        ({"tags": ["a,b"]}, "server/tags/0. Value: a,b. 'a,b' does not match '^[^,/]*$'"),
        ({"tags": ["a"] * 51}, "server/tags. the list is too long (at most 50)"),
        ({"networks": [{"uuid": "x"}]}, "server/networks/0/uuid. Value: x. 'x' is not a 'uuid'"),
        ({"networks": 5}, "5 is not valid under any of the given schemas"),
    ],
)
def test_a_wrong_value_is_named_with_its_fault(server, message):
    error = refused(MANY, "2.1", {"server": server})
    assert str(error).startswith("Invalid input for field/attribute server/")
    assert message in str(error)
    assert len(str(error)) < 500


def test_a_query_is_named_by_its_parameter():
    query = prepare(history("query", v2_1=types.lax_query(types.pagination)))
    message = str(refused(query, "2.1", query={"limit": ["1", "x"]}))
    assert message == "Invalid input for query parameters limit. Value: x. 'x' does not match '^[0-9]*$'"


def test_secrets_are_never_repeated():
    for secret in ({"password": 8715}, {"user_data": "87151"}, {"password": ["8715"]}):
        assert "8715" not in str(refused(MANY, "2.1", {"server": secret}))


def test_the_most_useful_of_several_faults_comes_first():
    error = refused(TAGGED, "2.1", {"server": {"name": 5, "tag": "t"}})
    assert "'tag' was unexpected" in str(error)
    assert str(error).endswith("1 more fault: at server/name")
    assert [fault.keyword for fault in error.faults] == ["additionalProperties", "type"]


# ---- hostile documents ----------------------------------------------------------------------------------


def test_a_body_may_be_nested_64_deep_and_no_deeper():
    anything = prepare(history("input", v2_1=obj({"x": {}})))

    def nest(levels):
        body = {}
        for _ in range(levels - 1):
            body = {"x": body}
        return body

    assert at(anything, "2.1").read(None, nest(64))
    assert "nested deeper than 64 levels" in str(refused(anything, "2.1", nest(66)))


@pytest.mark.parametrize("number", [b"1e308", b"-1e308", b"123456789012345678901234567890", b"1E-400", b"-0", b"1.0"])
def test_absurd_numbers_are_refused_or_taken_but_never_break(number):
    body = orjson.loads(b'{"server": {"number": ' + number + b"}}")
    try:
        value = at(MANY, "2.1").read(None, body)["number"]
    except ValidationFailed:
        return
    assert type(value) is int and abs(value) < 2**63


def test_a_body_with_thousands_of_faults_has_a_short_answer():
    error = refused(MANY, "2.1", {"server": {f"key{i}": i for i in range(5000)} | {"tags": [1] * 5000}})
    assert len(str(error)) < 1000
    assert len(error.faults) <= 20


@pytest.mark.parametrize("body", [[], "x", 5, True])
def test_a_body_that_is_no_object_is_refused(body):
    assert str(refused(TAGGED, "2.1", body)) == "Malformed request body: it must be a JSON object."


def test_a_missing_body_says_what_belongs_there():
    assert str(refused(TAGGED, "2.1")) == "The request body is missing: send a JSON object with 'server'."


def test_a_missing_body_is_an_empty_one_if_nothing_is_required():
    assert at(prepare(history("input", v2_1=obj({"host": types.string}))), "2.1").read(None, None) == {}


# ---- which schema counts --------------------------------------------------------------------------------


def test_each_version_has_the_newest_schema_not_above_it_of_its_own_major():
    assert at(TAGGED, "2.31").read(None, {"server": {"name": "n", "description": "d"}}) == {
        "name": "n",
        "description": "d",
    }
    assert at(TAGGED, "3.0").read(None, {"server": {"name": "n", "admin_password": "p"}}) == {
        "name": "n",
        "admin_password": "p",
    }
    assert "'description' was unexpected" in str(refused(TAGGED, "3.0", {"server": {"name": "n", "description": "d"}}))


def test_none_ends_a_document():
    prepared = prepare(history("output", v2_1=obj({"adminPass": types.string}), v2_14=None))
    assert at(prepared, "2.13").write({"adminPass": "x"}) == {"adminPass": "x"}
    assert not at(prepared, "2.14").has_output
    assert at(prepared, "2.14").write({"adminPass": "x"}) is None
    assert not at(prepared, "3.0").has_output


def test_a_query_nobody_described_is_ignored_until_2_102_and_refused_from_there():
    prepared = validation.prepare("things.do", None, names_taken=None)
    assert at(prepared, "2.101").read({"x": ["1"]}, None) == {}
    assert "'x' was unexpected" in str(refused(prepared, "2.102", query={"x": ["1"]}))
    assert "'x' was unexpected" in str(refused(prepared, "3.0", query={"x": ["1"]}))
    assert at(prepared, "3.0").read({}, None) == {}


# ---- rules ----------------------------------------------------------------------------------------------

GUARDED = prepare(
    history("input", v2_1=obj({"host": types.string | {"ext:policy": "create:host"}})),
    history(
        "query",
        v2_1=types.lax_query({"deleted": types.any_query | {"ext:policy": "list:deleted", "ext:refusal": "ignore"}}),
    ),
    history("output", v2_1=obj({"node": types.string | {"ext:policy": "show:node"}})),
)


def test_rules_of_params_and_properties_are_known_before_a_request_comes():
    assert GUARDED.rules() == {"create:host", "list:deleted", "show:node"}


def test_a_guarded_param_refuses_the_request_and_a_guarded_filter_is_ignored():
    formats = at(GUARDED, "2.1")
    params = {"host": "h", "deleted": "1"}
    assert formats.guard(params, lambda rule: rule != "create:host") == "create:host"
    assert formats.guard(params, lambda rule: rule != "list:deleted") is None
    assert params == {"host": "h"}
    assert formats.guard({}, lambda rule: False) is None


# ---- what is proved at import ---------------------------------------------------------------------------

DO = history("input", v2_1=obj({"host": types.string}), v2_29=obj({"host": types.string, "force": types.boolean}))


def test_the_method_takes_what_any_version_gives():
    assert prepare(DO, names_taken=frozenset(("host", "force", "id")), path_fields=frozenset(("id",)))


@pytest.mark.parametrize(
    ("histories", "names", "fields", "message"),
    [
        ([DO], {"host"}, set(), "give 'force', which the method's params do not declare"),
        ([DO], {"host", "force"}, {"id"}, "give 'id', which"),
        ([DO], {"host", "force", "forced"}, set(), "declare 'forced', which no version's schema gives"),
        ([DO], None, {"host"}, "body and path both give 'host': rename one"),
        ([DO, history("query", v2_1=types.lax_query({"force": {}}))], None, set(), "body and query both give 'force'"),
        (
            [history("input", v2_1=obj({}, **{"ext:mapping": {"x": "y"}}))],
            None,
            set(),
            "things.do input 2.1: ext:mapping 'x'",
        ),
    ],
)
def test_schemas_and_methods_that_do_not_fit_are_refused_at_import(histories, names, fields, message):
    with pytest.raises(PrepareError) as caught:
        prepare(*histories, names_taken=None if names is None else frozenset(names), path_fields=frozenset(fields))
    assert str(caught.value).startswith("things.do")
    assert message in str(caught.value)


def test_the_decorator_only_marks():
    schemas = OperationSchemas("things.do", input=DO)

    def do(self, req, obj, params):
        return params

    assert validation.schema(schemas)(do) is do
    assert do.__nl_schemas__ is schemas
