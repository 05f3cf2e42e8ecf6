"""Removes a compose project, whatever state it was left in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT_LABEL = "com.docker.compose.project"
# The engine goes on taking containers and their endpoints apart after it has answered.
GONE_WITHIN_S = 10.0
POLL_S = 0.2


def remove_project(client: DockerClient, project: str) -> list[str]:
    """Containers, frozen and stopped ones too, networks and volumes; returns the names of the containers
    that were there. Raises docker.errors.APIError with the engine's last word, when the time is up."""
    of: dict[str, str | list[str] | bool] = {"label": f"{PROJECT_LABEL}={project}"}
    names: dict[str, None] = {}
    deadline_s = time.monotonic() + GONE_WITHIN_S
    while True:
        containers = client.containers.list(all=True, filters=of, ignore_removed=True)
        names |= {str(container.name): None for container in containers}
        refusals = _refusals(lambda each: each.remove(force=True, v=True), containers)
        refusals += _refusals(lambda each: each.remove(), client.networks.list(filters=of))
        refusals += _refusals(lambda each: each.remove(force=True), client.volumes.list(filters=of))
        if not refusals:
            return list(names)
        if time.monotonic() > deadline_s:
            raise refusals[-1]
        time.sleep(POLL_S)


def _refusals(remove: Callable[[Any], None], things: Iterable[Any]) -> list[Exception]:
    """Removes all at once; what is gone already is fine."""
    import docker

    def attempt(thing: Any) -> Exception | None:
        try:
            remove(thing)
        except docker.errors.NotFound:
            pass
        except docker.errors.APIError as error:
            return error
        return None

    with ThreadPoolExecutor(16) as threads:
        return [error for error in threads.map(attempt, things) if error is not None]
