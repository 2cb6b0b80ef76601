"""Fixtures of the functional tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.cloud import Cloud


@pytest.fixture(scope="session")
def one_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.close()


@pytest.fixture
def cloud(one_cloud: Cloud) -> Iterator[Cloud]:
    """The API with nothing in it but what ships; what a test leaves behind, the next one does not see."""
    yield one_cloud
    one_cloud.reset()


@pytest.fixture(scope="module")
def module_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The API for all tests of a file, which keeps what they put into it."""
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.close()
