"""A service that stands still or is gone: what gateway and minio have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol

from nemesis.bursts import Length, bursts, choose, steps
from nemesis.in_force import in_force
from nemesis.nemesis import CanKill, CanPause, Choices, Cluster, Evidence, Link, Setting, Step
from nemesis.outages import hold_still, let_go, start_again, take_down
from nemesis.targets import Chosen, cloud, free, links_among

WEIGHTS = {"pause": 1, "kill": 1}
# Longer than an election timeout, and than a client waits for one answer.
LENGTHS: tuple[Length, ...] = ((3, 0.8, 1.8), (2, 1.8, 3.5))
# An object store that was killed takes some seconds to start again, and then there is work to do in peace.
GAP_S = (4.0, 5.5)


class CanHarmServices(CanKill, CanPause, Protocol):
    """The same verbs, given names of services."""


@dataclass(frozen=True)
class ServiceNemesis:
    """name: the service. carries_links: whatever goes from one cloud to another goes through it."""

    name: str
    carries_links: bool
    target_needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    on: Literal["nodes"] = "nodes"
    min_nodes: int = 1
    min_time_s: float = 3.0
    targets: tuple[str, ...] = tuple(WEIGHTS)
    options: Mapping[str, Choices] = field(default_factory=dict)
    checkers: tuple[str, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.name, "kill", "pause"})

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, shortest_s=LENGTHS[0][1])
        return steps(self.name, first, windows, choose(rng, WEIGHTS, len(windows)), dict)

    async def inject(self, cluster: CanHarmServices, step: Step) -> Evidence:
        there = [name for name in cluster.services if name == self.name]
        chosen = Chosen(tuple(await free(cluster, there) if there else ()))
        if chosen.nodes and self.carries_links:
            in_force(cluster).cut.extend(_between_clouds(cluster))
        if step.target == "pause":
            return await hold_still(cluster, step, chosen)
        return await take_down(
            cluster, step, chosen, "killed", lambda names: cluster.kill(names, lose_unsynced=False)
        )

    async def heal(self, cluster: CanHarmServices, step: Step) -> Evidence:
        force = in_force(cluster)
        was_injected = step.number in force.injected
        pause = step.target == "pause"
        evidence = await (let_go(cluster, step) if pause else start_again(cluster, step, "killed"))
        if was_injected and self.carries_links:
            force.mend(_between_clouds(cluster))
        return evidence


def _between_clouds(cluster: Cluster) -> tuple[Link, ...]:
    return tuple((src, dst) for src, dst in links_among(cluster.nodes) if cloud(src) != cloud(dst))
