"""Stories of HTTP requests (gabbits/*.yaml), told to the API in process; each begins with a fresh database.

A story goes wrong as a whole, and the report shows each request that did not get its answer. (gabbi's own pytest plugin
is not used: it takes every test with a colon in its name for one of its own.)
"""

from __future__ import annotations

import unittest
from pathlib import Path

import pytest
from gabbi import handlers, suitemaker, utils

from tests.functional import cloud as clouds

STORIES = sorted(Path(__file__).parent.joinpath("gabbits").glob("*.yaml"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story: Path, cloud: clouds.Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_ID", clouds.IMAGE_ID)
    monkeypatch.setenv("PRIVATE_IMAGE_ID", clouds.PRIVATE_IMAGE_ID)
    suite = suitemaker.test_suite_from_dict(
        unittest.TestLoader(),
        story.stem,
        utils.load_yaml(yaml_file=str(story)),
        str(story.parent),
        host="compute.example.com",
        port=8774,
        fixture_module=None,
        intercept=lambda: cloud.app,
        handlers=[handler() for handler in handlers.RESPONSE_HANDLERS],
        test_loader_name="story",
    )
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun == suite.countTestCases()
    assert not result.unexpectedSuccesses
    faults = [f"{test}\n{trace}" for test, trace in result.failures + result.errors]
    assert not faults, "\n".join(faults)
