"""ext:mapping: what a document becomes, and what a flat dict becomes, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nova_lite.api.mapping import ConversionError, OutputError, compile_input, compile_output

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def obj(properties, required=(), **extra):
    mapping = {"ext:mapping": extra.pop("mapping")} if "mapping" in extra else {}
    return (
        {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
        | mapping
        | extra
    )


def listing(item, **extra):
    return {"type": "array", "items": item, **extra}


METADATA = {"type": "object", "additionalProperties": STRING}

# ---- the ten cases that the first implementation of this idea got wrong --------------------------------


def test_a_nested_property_is_renamed():
    schema = obj({"evacuate": obj({"onSharedStorage": {"type": "boolean"}})}, mapping={"onSharedStorage": "shared"})
    assert compile_input(schema).flatten({"evacuate": {"onSharedStorage": True}}) == {"shared": True}


def test_an_unmapped_leaf_keeps_its_own_name():
    schema = obj({"server": obj({"name": STRING})}, mapping={})
    assert compile_input(schema).flatten({"server": {"name": "web"}}) == {"name": "web"}


def test_one_name_at_three_depths_is_three_values():
    schema = obj(
        {
            "name": STRING,
            "server": obj({"name": STRING, "hints": obj({"name": STRING})}),
        },
        mapping={"server/name": "server_name", "server/hints/name": "hint_name"},
    )
    document = {"name": "top", "server": {"name": "middle", "hints": {"name": "bottom"}}}
    flat = {"name": "top", "server_name": "middle", "hint_name": "bottom"}
    assert compile_input(schema).flatten(document) == flat
    assert compile_output(schema).unflatten(flat) == document


def test_items_of_a_mapped_list_are_mapped_too():
    network = obj({"uuid": STRING}, mapping={"uuid": "network_id"})
    schema = obj({"server": obj({"networks": listing(network)})}, mapping={"networks": "nets"})
    document = {"server": {"networks": [{"uuid": "a"}, {}]}}
    assert compile_input(schema).flatten(document) == {"nets": [{"network_id": "a"}, {}]}


def test_an_unmapped_list_of_objects_is_not_dropped():
    schema = obj({"networks": listing(obj({"uuid": STRING, "port": STRING}))})
    document = {"networks": [{"uuid": "a"}, {"port": "b"}]}
    assert compile_input(schema).flatten(document) == document


def test_what_is_inside_a_mapped_free_form_object_is_never_read():
    schema = obj({"limits": METADATA, "max": STRING}, mapping={"limits": "absolute", "max": "maximum"})
    assert compile_input(schema).flatten({"limits": {"max": "inner"}}) == {"absolute": {"max": "inner"}}


def test_metadata_cannot_replace_the_name_of_the_server():
    schema = obj({"server": obj({"name": STRING, "metadata": METADATA})}, mapping={"name": "display_name"})
    flat = compile_input(schema).flatten(
        {"server": {"name": "good", "metadata": {"name": "evil", "display_name": "x"}}}
    )
    assert flat == {"display_name": "good", "metadata": {"name": "evil", "display_name": "x"}}
    assert compile_input(schema).flatten({"server": {"metadata": {"name": "evil"}}}) == {"metadata": {"name": "evil"}}


def test_an_absent_optional_of_the_output_is_omitted():
    schema = obj({"adminPass": STRING}, mapping={"adminPass": "admin_password"})
    assert compile_output(schema).unflatten({}) == {}


def test_a_list_in_the_output_is_mapped():
    server = obj({"id": STRING, "tenant_id": STRING}, ["id"], mapping={"tenant_id": "project_id"})
    mapper = compile_output(obj({"servers": listing(server)}, ["servers"]))
    flat = {"servers": [{"id": "1", "project_id": "p", "more": 1}, {"id": "2"}]}
    assert mapper.unflatten(flat) == {"servers": [{"id": "1", "tenant_id": "p"}, {"id": "2"}]}


@pytest.mark.parametrize("leaf", [{"enum": ["a", 1]}, {"oneOf": [STRING, INTEGER]}, {"$ref": "#/$defs/x"}, {}, True])
def test_a_property_without_a_type_is_a_leaf(leaf):
    assert compile_input(obj({"value": leaf}, mapping={"value": "v"})).flatten({"value": {"a": 1}}) == {"v": {"a": 1}}


# ---- objects --------------------------------------------------------------------------------------------


def test_wrappers_vanish_and_come_back():
    schema = obj({"evacuate": obj({"host": STRING}, ["host"])}, ["evacuate"])
    assert compile_input(schema).flatten({"evacuate": {"host": "h"}}) == {"host": "h"}
    assert compile_output(schema).unflatten({"host": "h"}) == {"evacuate": {"host": "h"}}


@pytest.mark.parametrize(
    "free",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "patternProperties": {"^a": STRING}, "additionalProperties": False},
        {"type": "object", "properties": {"group": STRING}, "additionalProperties": {}},
        {"type": "object", "properties": {"group": STRING}, "oneOf": [{"required": ["group"]}]},
    ],
)
def test_free_form_objects_are_leaves(free):
    mapper = compile_input(obj({"hints": free}))
    assert mapper.names == {"hints"}
    assert mapper.flatten({"hints": {"group": "g"}}) == {"hints": {"group": "g"}}


def test_a_whole_document_without_properties_has_one_name():
    schema = {"type": "object", "patternProperties": {"^.+$": STRING}, "ext:mapping": {"*": "specs"}}
    assert compile_input(schema).flatten({"hw:cpu": "1"}) == {"specs": {"hw:cpu": "1"}}
    assert compile_output(schema).unflatten({"specs": {"hw:cpu": "1"}}) == {"hw:cpu": "1"}


def test_a_query_that_takes_more_keys_reads_only_its_own():
    schema = obj({"limit": listing(STRING)}, additionalProperties=True)
    assert compile_input(schema).flatten({"limit": ["1"], "name": ["x"]}) == {"limit": ["1"]}


REBUILT = obj(
    {"rescue": obj({"adminPass": STRING}, mapping={"adminPass": "password"}, type=["object", "null"])}, ["rescue"]
)


def test_null_for_a_nullable_object_is_all_absent():
    assert compile_input(REBUILT).flatten({"rescue": None}) == {}
    assert compile_input(REBUILT).flatten({"rescue": {"adminPass": "x"}}) == {"password": "x"}


def test_a_nullable_object_of_which_nothing_is_there_is_null_if_required_and_omitted_if_not():
    optional = obj({"rescue": REBUILT["properties"]["rescue"]})
    assert compile_output(REBUILT).unflatten({}) == {"rescue": None}
    assert compile_output(optional).unflatten({}) == {}


def test_an_optional_object_is_omitted_as_a_whole_even_if_it_has_required_members():
    fault = obj({"code": INTEGER, "message": STRING}, ["code", "message"])
    fault["ext:mapping"] = {"code": "fault_code", "message": "fault_message"}
    mapper = compile_output(obj({"server": obj({"id": STRING, "fault": fault}, ["id"])}, ["server"]))
    assert mapper.unflatten({"id": "1"}) == {"server": {"id": "1"}}
    with pytest.raises(OutputError, match="'fault_message', which 'server/fault/message' requires"):
        mapper.unflatten({"id": "1", "fault_code": 500})


def test_a_property_that_can_only_be_null_carries_nothing():
    schema = obj({"pause": {"type": "null"}}, ["pause"])
    assert compile_input(schema).flatten({"pause": None}) == {}
    assert compile_input(schema).unflatten({}) == {"pause": None}


def test_an_ignored_property_is_accepted_and_never_read():
    schema = obj({"os-start": {"ext:ignored": True}, "name": STRING})
    mapper = compile_input(schema)
    assert mapper.names == {"name"}
    assert mapper.flatten({"os-start": {"name": "evil"}, "name": "good"}) == {"name": "good"}


def test_a_list_that_may_be_null_stays_null():
    schema = obj({"certs": listing(obj({"id": STRING}, mapping={"id": "cert"}), type=["array", "null"])})
    assert compile_input(schema).flatten({"certs": None}) == {"certs": None}
    assert compile_output(schema).unflatten({"certs": None}) == {"certs": None}


# ---- input only -----------------------------------------------------------------------------------------


def test_a_default_stands_in_for_what_is_absent():
    schema = obj(
        {
            "count": INTEGER | {"default": 1},
            "tags": listing(STRING) | {"default": []},
            "reboot": obj({"type": STRING | {"default": "soft"}}),
        }
    )
    mapper = compile_input(schema)
    assert mapper.flatten({}) == {"count": 1, "tags": [], "type": "soft"}
    assert mapper.flatten({"count": 2, "tags": ["a"], "reboot": {}}) == {"count": 2, "tags": ["a"], "type": "soft"}


def test_a_default_is_a_fresh_value_for_every_request():
    mapper = compile_input(obj({"tags": listing(STRING) | {"default": []}}))
    mapper.flatten({})["tags"].append("from one request")
    assert mapper.flatten({}) == {"tags": []}


@pytest.mark.parametrize(
    ("word", "given", "value"),
    [
        ("integer", "07", 7),
        ("integer", 1.0, 1),
        ("integer", None, None),
        ("number", "1.5", 1.5),
        ("boolean", "On", True),
        ("boolean", "no", False),
        ("boolean", True, True),
        ("string", 42, "42"),
        ("datetime", "2016-01-01", datetime(2016, 1, 1, tzinfo=UTC)),
        ("datetime", "2016-01-01T00:00:00+01:00", datetime(2015, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_ext_type_makes_the_real_thing_of_a_string(word, given, value):
    flat = compile_input(obj({"x": {"ext:type": word}})).flatten({"x": given})
    assert flat == {"x": value}
    assert type(flat["x"]) is type(value)


@pytest.mark.parametrize(
    ("word", "given"),
    [
        ("integer", "1_000"),
        ("integer", "x"),
        ("integer", "9" * 5000),
        ("integer", 1e300),
        ("number", "1_0"),
        ("boolean", "maybe"),
        ("datetime", "yesterday"),
    ],
)
def test_what_ext_type_cannot_convert_is_an_error_that_names_the_place(word, given):
    mapper = compile_input(obj({"server": obj({"list": listing(obj({"x": {"ext:type": word}}))})}))
    with pytest.raises(ConversionError) as caught:
        mapper.flatten({"server": {"list": [{}, {"x": given}]}})
    assert caught.value.path == "server/list[]/x"


def test_queries_take_the_last_value_or_all_of_them():
    number = {"type": "string", "ext:type": "integer"}
    schema = obj({"limit": listing(number) | {"ext:take": "last"}, "id": listing(number)})
    assert compile_input(schema).flatten({"limit": ["1", "2"], "id": ["3", "4"]}) == {"limit": 2, "id": [3, 4]}
    assert compile_input(schema).flatten({"limit": []}) == {}


def test_rules_of_params_are_told_by_flat_name():
    schema = obj(
        {
            "server": obj({"hypervisor": STRING | {"ext:policy": "create:host"}}, mapping={"hypervisor": "host"}),
            "deleted": STRING | {"ext:policy": "list:deleted", "ext:refusal": "ignore"},
        }
    )
    mapper = compile_input(schema)
    assert mapper.policies == {"host": "create:host"}
    assert mapper.filters == {"deleted": "list:deleted"}


# ---- output only ----------------------------------------------------------------------------------------


def test_the_schema_is_a_whitelist():
    schema = obj({"server": obj({"id": STRING}, ["id"])}, ["server"])
    assert compile_output(schema).unflatten({"id": "1", "host": "secret"}) == {"server": {"id": "1"}}


def test_an_absent_required_is_an_error_that_names_it():
    item = obj({"status": STRING}, ["status"])
    mapper = compile_output(obj({"servers": listing(item)}, ["servers"]), "servers.detail output 2.1")
    with pytest.raises(OutputError) as caught:
        mapper.unflatten({"servers": [{"status": "ACTIVE"}, {}]})
    assert str(caught.value) == (
        "servers.detail output 2.1: "
        "the controller's answer has no servers[1]['status'], which 'servers[]/status' requires"
    )
    with pytest.raises(OutputError, match="'servers' must be a list of dicts, not NoneType"):
        mapper.unflatten({"servers": None})
    with pytest.raises(OutputError, match=r"servers\[0\] must be a dict"):
        mapper.unflatten({"servers": ["x"]})


GUARDED = obj(
    {
        "servers": listing(
            obj(
                {
                    "id": STRING,
                    "host": STRING | {"ext:policy": "show:host"},
                    "status": STRING | {"ext:policy": "show:status"},
                    "hosting": obj({"node": STRING | {"ext:policy": "show:host"}}, ["node"]),
                },
                ["id", "host"],
            )
        )
    },
    ["servers"],
)


def test_a_guarded_property_is_there_for_those_who_may_see_it_only():
    row = {"id": "1", "host": "h", "status": "UP", "node": "n"}
    mapper = compile_output(GUARDED)
    full = {"id": "1", "host": "h", "status": "UP", "hosting": {"node": "n"}}
    assert mapper.unflatten({"servers": [row]}) == {"servers": [full]}
    assert mapper.unflatten({"servers": [row]}, lambda rule: rule == "show:status") == {
        "servers": [{"id": "1", "status": "UP"}]
    }


def test_a_rule_is_asked_for_once_however_many_rows_there_are():
    asked = []
    compile_output(GUARDED).unflatten(
        {"servers": [{"id": str(i), "host": "h", "node": "n"} for i in range(50)]}, lambda rule: not asked.append(rule)
    )
    assert sorted(asked) == ["show:host", "show:status"]


def test_a_client_reads_the_flat_names_out_of_an_answer():
    flat = {"servers": [{"id": "1", "host": "h", "node": "n"}]}
    mapper = compile_output(GUARDED)
    assert mapper.flatten(mapper.unflatten(flat)) == flat


@pytest.mark.parametrize("key", ["it's", 'a"b', "a\\", "{x}", "\n", "__import__('os')", "OS-EXT-STS:vm_state"])
def test_no_key_can_become_code(key):
    schema = obj({key: STRING, "list": listing(obj({key: STRING}))}, [key], mapping={"list": key + "!"})
    document = {key: "v", "list": [{key: "w"}]}
    mapper = compile_output(schema)
    assert mapper.unflatten(mapper.flatten(document)) == document


def test_an_ignored_property_of_an_item_is_not_handed_over():
    item = obj({"uuid": STRING, "legacy": {"ext:ignored": True}})
    open_item = {"type": "object", "properties": {"uuid": STRING}}
    mapper = compile_input(obj({"networks": listing(item), "disks": listing(open_item)}))
    document = {"networks": [{"uuid": "a", "legacy": 1}], "disks": [{"uuid": "b", "more": 1}]}
    assert mapper.flatten(document) == {"networks": [{"uuid": "a"}], "disks": [{"uuid": "b"}]}


def test_a_guarded_list_is_there_for_those_who_may_see_it_only():
    schema = obj({"id": STRING, "hosts": listing(obj({"name": STRING})) | {"ext:policy": "show:hosts"}}, ["hosts"])
    mapper = compile_output(schema)
    flat = {"id": "1", "hosts": [{"name": "h"}]}
    assert mapper.unflatten(flat, lambda rule: True) == flat
    assert mapper.unflatten(flat, lambda rule: False) == {"id": "1"}
