"""Regular expressions from callers: harmless ones pass, slow and malformed ones are refused at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_lite import exceptions
from nova_lite.db import patterns


@pytest.mark.parametrize(
    "pattern", ["", "web", "^web-[0-9]+$", "web.*prod", "(web|db)-1", "a.*b.*c", "(prod-)?web", "[a-z]{2,8}x", r"\bweb"]
)
def test_usual_patterns_pass(pattern: str) -> None:
    assert patterns.checked(pattern) == pattern


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a*)*", "(a|aa)+", "(.*a){20}", "a*a*a*a*b", r"(a)\1", "(?:x{2,}){2,}", "((a?){9}){9}"]
)
def test_patterns_that_could_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(exceptions.Invalid, match="could take too long"):
        patterns.checked(pattern)


@pytest.mark.parametrize("pattern", ["[", "(", "*", "(?P<a", "a{99999999999}", "(" * 200])
def test_malformed_patterns_are_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(exceptions.Invalid, match="is no regular expression"):
        patterns.checked(pattern)


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused_as_invalid(text: str) -> None:
    try:
        assert patterns.checked(text) == text
    except exceptions.Invalid as error:
        assert "Invalid filter" in str(error)
