"""What is removed of a compose project, and what of it the engine does not let go of."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from system.clusters import leftovers


class Thing:
    """A container, network or volume that goes when it has been asked often enough."""

    says = "has active endpoints"

    def __init__(self, name: str, asked: float, on_it: dict[str, Any] | None = None) -> None:
        self.name = name
        self.attrs = {"Containers": on_it or {}}
        self.left = asked

    def remove(self, **_: Any) -> None:
        self.left -= 1
        if self.left > 0:
            raise docker.errors.APIError(f"{self.name} {self.says}")


def client(containers: list[Thing], networks: list[Thing], volumes: list[Thing]) -> Any:
    def those(things: list[Thing]) -> Any:
        return SimpleNamespace(list=lambda **_: [thing for thing in things if thing.left > 0])

    return SimpleNamespace(containers=those(containers), networks=those(networks), volumes=those(volumes))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "GONE_WITHIN_S", 0.2)
    monkeypatch.setattr(leftovers, "POLL_S", 0.01)


def test_what_goes_after_a_while_is_gone() -> None:
    engine = client([Thing("c-1", 1), Thing("c-2", 3)], [Thing("n", 4)], [Thing("v", 2)])
    assert leftovers.remove_project(engine, "project") == ["c-1", "c-2"]
    assert not engine.networks.list() and not engine.volumes.list()


@pytest.mark.parametrize(
    "engine",
    [
        client([Thing("c", 1)], [Thing("n", 1e9, {"c": {}})], []),
        client([Thing("c", 1e9)], [Thing("n", 1e9)], []),
        client([], [Thing("n", 1e9)], [Thing("v", 1e9)]),
        client([], [], [Thing("v", 1e9)]),
    ],
    ids=["a container is on it", "a container stays", "a volume stays", "only a volume stays"],
)
def test_what_stays_is_an_error(engine: Any) -> None:
    with pytest.raises(docker.errors.APIError, match="has active endpoints"):
        leftovers.remove_project(engine, "project")


def test_a_network_that_nothing_is_on_is_the_engines_own_affair() -> None:
    engine = client([Thing("c", 1)], [Thing("n-1", 1), Thing("n-2", 1e9)], [Thing("v", 1)])
    with pytest.warns(RuntimeWarning, match=r"the engine keeps n-2 with no container on it \(n-2 has active"):
        assert leftovers.remove_project(engine, "project") == ["c"]


def test_whatever_else_the_engine_says_of_a_network_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thing, "says", "cannot be removed: the disk is full")
    with pytest.raises(docker.errors.APIError, match="the disk is full"):
        leftovers.remove_project(client([], [Thing("n", 1e9)], []), "project")


def test_containers_go_one_after_another() -> None:
    going: list[str] = []

    class Slow(Thing):
        def remove(self, **_: Any) -> None:
            assert not going, "two at once can lock the engine up"
            going.append(self.name)
            time.sleep(0.01)
            going.remove(self.name)
            self.left = 0

    engine = client([Slow(f"c-{n}", 1) for n in range(4)], [], [])
    assert leftovers.remove_project(engine, "project") == ["c-0", "c-1", "c-2", "c-3"]
