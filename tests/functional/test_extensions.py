"""Extensions: a fixed list, for clients that look for a part of the API before they use it."""

from __future__ import annotations

from tests.functional.cloud import NOBODY, Cloud


def test_the_list_names_each_once_and_each_can_be_shown(cloud: Cloud) -> None:
    listed = cloud("GET", "/extensions", "2.1", NOBODY).json["extensions"]
    assert len({extension["alias"] for extension in listed}) == len(listed) > 90
    assert cloud("GET", "/extensions/os-consoles", "2.104", NOBODY).json["extension"] == next(
        extension for extension in listed if extension["alias"] == "os-consoles"
    )


def test_an_unknown_one_is_not_found(cloud: Cloud) -> None:
    assert cloud("GET", "/extensions/os-nothing", "2.1").status_code == 404
    assert cloud("GET", "/extensions", "3.0").status_code == 404
