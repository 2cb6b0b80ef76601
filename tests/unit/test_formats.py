"""The formats that schemas name: what Nova takes, they take."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nova_lite.api.formats import FORMATS, parse_time

UUID = "9ad2b0a3-4d1c-4d0e-8f4c-2f6a1f6f4d11"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("name", ["a", "a b", "名前", "a\u00a0b", ""], [" a", "a ", "a\n", "a\x00b", "\u2028", "\u200b"]),
        ("name_with_leading_trailing_spaces", [" a ", "a"], ["", "  ", "a\n"]),
        ("az_name", ["nova"], ["a:b", " a"]),
        ("printable", ["", " a ", "text, more."], ["a\nb", "\x07"]),
        (
            "uuid",
            [UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}"],
            ["", "1", UUID[:-1], UUID + "0", "g" * 32],
        ),
        ("uuid_or_empty", ["", UUID], ["x"]),
        (
            "date-time",
            [
                "2016-01-01T00:00:00Z",
                "2016-01-01T00:00:00",
                "2016-01-01",
                "20160101T000000",
                "2016-01-01 00:00:00+01:00",
            ],
            ["", "x", "2016-13-01", "2016-01-01T25:00:00", "0001-01-01T00:00:00+14:00"],
        ),
        ("regex", ["a", "^x.*$"], ["", "(", "a{5,1}", "(?P<a"]),
        ("base64", ["aGVsbG8=", "aGVs\nbG8=", ""], ["a", "\u00e9"]),
        ("cidr", ["10.0.0.0/8", "10.0.0.1/8", "::/0"], ["10.0.0.0", "10.0.0.0/33", "/8", ""]),
        ("ip", ["1.2.3.4", "::1"], ["1.2.3", "", "1.2.3.4/8"]),
        ("uri", ["http://h/x", "https://h:1/"], ["", "h/x", "http:///x", "http://h:x/", "http://a b/"]),
    ],
)
def test_a_format_takes_the_good_and_refuses_the_bad(name, good, bad):
    check = FORMATS[name][0]
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []


@pytest.mark.parametrize("name", FORMATS)
def test_no_text_breaks_a_format(name):
    for text in ("\x00", "\ud800", "(" * 5000, "9" * 5000, "💥", "a" * 100_000):
        assert FORMATS[name][0](text) in (True, False)


@pytest.mark.parametrize(
    "text",
    [
        "2016-01-01T01:00:00+01:00",
        "2016-01-01T01:00:00 01:00",  # a plus sign that was not encoded in a URL
        "2016-01-01T00:00:00Z",
        "2016-01-01T00:00:00",
        "2016-01-01",
    ],
)
def test_times_are_read_in_utc(text):
    assert parse_time(text) == datetime(2016, 1, 1, tzinfo=UTC)
