"""Removes a compose project, whatever state it was left in."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT_LABEL = "com.docker.compose.project"
# The engine goes on taking containers and their endpoints apart after it has answered.
GONE_WITHIN_S = 10.0
POLL_S = 0.2


def remove_project(client: DockerClient, project: str) -> list[str]:
    """Containers, frozen and stopped ones too, networks and volumes; returns the names of the containers
    that were there. Raises docker.errors.APIError with the engine's last word, when the time is up. Warns of
    a network that is only there because the engine has lost count of what was on it: that is no fault of
    whoever ran, and the next of the project's clusters uses it."""
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
            miscounted = _miscounted(client, of)
            if not miscounted or not all("has active endpoints" in str(each) for each in refusals):
                raise refusals[-1]
            warnings.warn(
                f"the engine keeps {', '.join(miscounted)} with no container on it ({refusals[-1]}): it has"
                " lost count (moby#17217); a restart of the engine removes it",
                RuntimeWarning,
                stacklevel=2,
            )
            return list(names)
        time.sleep(POLL_S)


def _miscounted(client: DockerClient, of: dict[str, str | list[str] | bool]) -> list[str]:
    """The project's networks, where nothing else of it is left and nothing is on any of them."""
    if client.containers.list(all=True, filters=of, ignore_removed=True) or client.volumes.list(filters=of):
        return []
    networks = client.networks.list(filters=of, greedy=True)
    return [] if any(each.attrs["Containers"] for each in networks) else [str(each.name) for each in networks]


def _refusals(remove: Callable[[Any], None], things: Iterable[Any]) -> list[Exception]:
    """Removes one after another; what is gone already is fine. Docker 20.10 locks itself up for good where
    several containers leave their networks at once: libnetwork's processEndpointDelete holds the controller
    and waits for a network, getSvcRecords holds the network and waits for the controller."""
    import docker

    refusals: list[Exception] = []
    for thing in things:
        try:
            remove(thing)
        except docker.errors.NotFound:
            pass
        except docker.errors.APIError as error:
            refusals.append(error)
    return refusals
