"""Stories of HTTP requests (gabbits/*.yaml), told to the API in process; each begins with a fresh database.

A story goes wrong as a whole, and the report shows each request that did not get its answer. (gabbi's own pytest plugin
is not used: it takes every test with a colon in its name for one of its own.)
"""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from pathlib import Path

import pytest
from gabbi import handlers, suitemaker, utils

from tests.functional import belongings
from tests.functional import cloud as clouds

LAUNCHED = datetime(2026, 11, 21, 9, 40, tzinfo=UTC)
STORIES = sorted(Path(__file__).parent.joinpath("gabbits").glob("*.yaml"))


def _active_server(cloud: clouds.Cloud) -> str:
    """A server of p1 that an agent has started, if there were one."""
    server_id = cloud.add_server("s")
    cloud.set_server(server_id, vm_state="active", task_state=None, power_state=1, launched_at=LAUNCHED)
    return server_id


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story: Path, cloud: clouds.Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_ID", clouds.IMAGE_ID)
    monkeypatch.setenv("PRIVATE_IMAGE_ID", clouds.PRIVATE_IMAGE_ID)
    told = story.read_text()
    if "VOLUME_ID" in told:
        for name, value in belongings.furnish(cloud).items():
            monkeypatch.setenv(name.upper(), value)
    elif "SERVER_ID" in told:
        monkeypatch.setenv("SERVER_ID", _active_server(cloud))
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
