"""The list of versions, the version headers, and the proofs about ranges of versions."""

from __future__ import annotations

import pytest

from nova_lite.api import versions
from nova_lite.api.versions import InvalidVersion, Range, RangeError, Version, VersionNotSupported


def test_history_holds_every_version_once_in_order():
    expected = [Version(2, minor) for minor in range(1, 105)] + [Version(3, 0)]
    assert list(versions.ALL) == expected
    assert (versions.MIN_2, versions.MAX_2) == ((2, 1), (2, 104))
    assert (versions.MIN_3, versions.MAX_3) == ((3, 0), (3, 0))


def test_every_version_has_one_sentence_of_its_own():
    sentences = [entry.sentence for entry in versions.HISTORY]
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence[0].isupper() and sentence.endswith("."), sentence
        assert ". " not in sentence, f"more than one sentence: {sentence}"


def test_versions_compare_as_numbers_not_as_text():
    assert Version.parse("2.9") < Version.parse("2.10") < Version.parse("3.0")
    assert Version.parse("2.53") >= (2, 53)
    assert str(Version(2, 53)) == "2.53"


@pytest.mark.parametrize(
    "text",
    ["", "x", "2", "2.", ".1", "2.01", "02.1", "2.1.1", " 2.1", "2.1\n", "-2.1", "2,1", "２.１", "2." + "9" * 40],
)
def test_parse_refuses_what_is_not_two_plain_numbers(text):
    with pytest.raises(ValueError):
        Version.parse(text)


def test_3_0_follows_the_newest_of_2():
    assert versions.following(versions.MAX_2) == versions.MIN_3
    assert versions.previous(versions.MIN_3) == versions.MAX_2
    assert versions.previous(versions.MIN_2) is None
    assert versions.following(versions.MAX_3) is None


@pytest.mark.parametrize(
    ("version", "release"),
    [("2.1", "Kilo"), ("2.53", "Pike"), ("2.54", "Queens"), ("2.103", "2026.1"), ("2.104", None)],
)
def test_the_first_release_with_a_version(version, release):
    assert versions.names_release(Version.parse(version)) == release


# ---- headers --------------------------------------------------------------------------------------------


def standard(value):
    return {"HTTP_OPENSTACK_API_VERSION": value}


def legacy(value):
    return {"HTTP_X_OPENSTACK_NOVA_API_VERSION": value}


@pytest.mark.parametrize(
    ("headers", "major", "version"),
    [
        ({}, 2, "2.1"),
        ({}, 3, "3.0"),
        (standard("compute 2.53"), 2, "2.53"),
        (standard("Compute  2.53 "), 2, "2.53"),
        (standard("compute latest"), 2, "2.104"),
        (standard("compute latest"), 3, "3.0"),
        (standard("identity 3.1, compute 2.53"), 2, "2.53"),
        (standard("compute 2.53, identity 3.1,"), 2, "2.53"),
        (standard("identity 3.1"), 2, "2.1"),
        (standard("compute 2.3,compute 2.3"), 2, "2.3"),
        (standard(""), 2, "2.1"),
        (legacy("2.53"), 2, "2.53"),
        (legacy("latest"), 2, "2.104"),
        (legacy("2.3, 2.3"), 2, "2.3"),
        (standard("compute 2.53") | legacy("2.1"), 2, "2.53"),
        (standard("identity 3.1") | legacy("2.7"), 2, "2.7"),
        ({"OPENSTACK-API-VERSION": "compute 2.5"}, 2, "2.5"),
        ({"openstack-api-version": "compute 2.5"}, 2, "2.5"),
        ({"X-OpenStack-Nova-API-Version": "2.5"}, 2, "2.5"),
    ],
)
def test_the_version_a_request_asks_for(headers, major, version):
    assert versions.from_headers(headers, major) == Version.parse(version)


@pytest.mark.parametrize(
    "headers",
    [
        standard("compute"),
        standard("2.53"),
        standard("compute 2.01"),
        standard("compute 2"),
        standard("compute x"),
        standard("compute 2.1 2.2"),
        standard("compute LATEST"),
        standard("compute 2.1, compute 2.2"),
        standard("compute 2." + "9" * 5000),
        legacy("2.01"),
        legacy("compute 2.1"),
        legacy("2.1, 2.2"),
        legacy(","),
    ],
)
def test_a_malformed_header_is_refused_in_novas_words(headers):
    with pytest.raises(InvalidVersion) as caught:
        versions.from_headers(headers, 2)
    message = str(caught.value)
    assert message.startswith("API Version String ")
    assert message.endswith(" is of invalid format. Must be of format MajorNum.MinorNum.")
    assert len(message) < 200


@pytest.mark.parametrize(
    ("headers", "major", "message"),
    [
        (
            standard("compute 99999999999.1"),
            2,
            "Version 99999999999.1 is not supported by the API. Minimum is 2.1 and maximum is 2.104.",
        ),
        (standard("compute 2.0"), 2, "Version 2.0 is not supported by the API. Minimum is 2.1 and maximum is 2.104."),
        (
            standard("compute 2.105"),
            2,
            "Version 2.105 is not supported by the API. Minimum is 2.1 and maximum is 2.104.",
        ),
        (standard("compute 3.0"), 2, "Version 3.0 is not supported by the API. Minimum is 2.1 and maximum is 2.104."),
        (legacy("2.1"), 3, "Version 2.1 is not supported by the API. Minimum is 3.0 and maximum is 3.0."),
    ],
)
def test_a_version_outside_of_the_endpoints_range_is_not_acceptable(headers, major, message):
    with pytest.raises(VersionNotSupported) as caught:
        versions.from_headers(headers, major)
    assert str(caught.value) == message
    assert (caught.value.min_version, caught.value.max_version) == versions.MAJORS[major]


# ---- ranges ---------------------------------------------------------------------------------------------


def ranges(*ends):
    return [Range.parse(*pair) for pair in ends]


def test_a_range_holds_both_of_its_ends():
    span = Range.parse("2.14", "2.28")
    assert span.contains(Version(2, 14)) and span.contains(Version(2, 28))
    assert not span.contains(Version(2, 13)) and not span.contains(Version(2, 29))
    assert len(list(span.versions())) == 15


def test_a_range_without_max_goes_to_the_newest_of_all():
    assert Range.parse("2.95").max == (3, 0)


def test_ranges_in_any_order_are_proved_and_returned_sorted():
    found = versions.check_ranges(ranges(("2.29", "2.104"), ("3.0",), ("2.1", "2.28")))
    assert [str(span) for span in found] == ["2.1 - 2.28", "2.29 - 2.104", "3.0"]


def test_an_operation_may_end_in_one_major_and_come_back_in_the_next():
    assert len(versions.check_ranges(ranges(("2.1", "2.35"), ("3.0",)))) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([("2.1", "2.14"), ("2.14", "2.20")], "both hold 2.14: end the first with max='2.13'"),
        ([("2.1",), ("2.1",)], "drop one of them"),
        ([("2.1", "2.10"), ("2.12", "2.20")], "no range holds 2.11: let the range 2.1 - 2.10 end at 2.11"),
        ([("2.1", "2.10"), ("2.15", "2.20")], "no range holds 2.11 to 2.14"),
        ([], "no version range at all"),
    ],
)
def test_wrong_ranges_are_refused_with_the_cure(given, message):
    with pytest.raises(RangeError) as caught:
        versions.check_ranges(ranges(*given), "evacuate.evacuate")
    assert str(caught.value).startswith("evacuate.evacuate: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("ends", "message"), [(("2.5", "2.4"), "swap them"), (("2.999",), "HISTORY"), (("2.01",), "2.01")]
)
def test_a_range_of_versions_that_do_not_exist_is_refused(ends, message):
    with pytest.raises(RangeError, match=message):
        Range.parse(*ends)
