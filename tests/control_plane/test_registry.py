"""Who counts as online, as time and leadership go by."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from system.control_plane.registry import Registry
from system.control_plane.service import Gate


class Bench:
    def __init__(self) -> None:
        self.term = 1
        self.now_s = 100.0
        machine = SimpleNamespace(
            workers={name: {"address": "1.2.3.4:5", "cloud": "aws"} for name in ("w2", "w1")}
        )
        replica = SimpleNamespace(machine=machine, status=lambda: SimpleNamespace(term=self.term))
        gate = SimpleNamespace(driver=SimpleNamespace(replica=replica))
        self.registry = Registry(cast(Gate, gate), 15.0, now_s=lambda: self.now_s)

    def online(self) -> dict[str, bool]:
        return {view.id: view.online for view in self.registry.views()}


def test_offline_until_heard_and_again_after_the_timeout() -> None:
    bench = Bench()
    assert list(bench.online().items()) == [("w1", False), ("w2", False)]
    bench.registry.hear("w1")
    bench.now_s += 14.9
    assert bench.online() == {"w1": True, "w2": False}
    bench.now_s += 0.1
    assert bench.online() == {"w1": False, "w2": False}
    bench.registry.hear("w1")
    assert bench.online()["w1"]


def test_a_new_leadership_has_heard_of_nobody() -> None:
    bench = Bench()
    bench.registry.hear("w1")
    bench.term = 3
    assert not bench.online()["w1"]
    bench.registry.hear("w1")
    assert bench.online()["w1"]


def test_what_cluster_state_shows() -> None:
    bench = Bench()
    bench.registry.hear("w1")
    bench.now_s += 2.5
    now = datetime(2030, 1, 1, 12, 0, 10, tzinfo=UTC)
    shown: list[dict[str, Any]] = [view.to_json(now) for view in bench.registry.views()]
    assert shown[0] == {
        "id": "w1",
        "address": "1.2.3.4:5",
        "cloud": "aws",
        "status": "online",
        "last_seen": "2030-01-01T12:00:07.500+00:00",
    }
    assert (shown[1]["status"], shown[1]["last_seen"]) == ("offline", None)
