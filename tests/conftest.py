"""What all tests need."""

import signal
from functools import cache

import pytest

from system.clusters.docker import DockerCluster
from system.clusters.errors import ClusterError
from tests.required import lacking


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """Whom a shell starts in the background ignores SIGINT, and so do its children; some tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `docker` are skipped where they cannot run, or fail where they must."""
    if item.get_closest_marker("docker") is not None and (missing := missing_docker()) is not None:
        lacking("docker", "Docker", missing)


@cache
def missing_docker() -> str | None:
    """Why no container of the cluster can run here, or None."""
    try:
        DockerCluster.check()
    except ClusterError as error:
        return str(error)
    return None
