"""docs/ext-mapping.md tells the truth: its examples are run."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "ext-mapping.md"


def test_the_examples_of_the_page_are_true():
    result = doctest.testfile(str(PAGE), module_relative=False, verbose=False)
    assert result.attempted > 30
    assert result.failed == 0
