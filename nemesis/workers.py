"""Workers that stop, die or stand still for long enough to be marked offline, and then come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal, Protocol

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import (
    conclude,
    ended,
    never_injected,
    nobody,
    not_gone,
    not_replaced,
    not_stopped,
    still_stopped,
)
from nemesis.in_force import in_force
from nemesis.nemesis import CanKill, CanPause, Choices, Evidence, Facts, Step
from nemesis.targets import drawn

WEIGHTS = {"one": 2, "two": 1}
HOW = ("stop", "kill", "pause")
# A worker is offline after three heartbeats of 5 s, and must be marked so within 20 s.
LENGTHS: tuple[Length, ...] = ((1, 22.0, 24.0),)
# Time to be seen online again before the next fault.
GAP_S = (8.0, 10.0)


class CanHarmWorkers(CanKill, CanPause, Protocol):
    """The same verbs, given names of workers."""


class Workers:
    name = "workers"
    needs = frozenset({"kill", "pause"})
    on: Literal["workers"] = "workers"
    min_nodes = 1
    min_time_s = 30.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK, "how": HOW}

    def plan(self, rng: Random, nodes: Sequence[str], time_limit_s: float, first: int) -> list[Step]:
        windows = bursts(rng, time_limit_s, LENGTHS, GAP_S, shortest_s=LENGTHS[0][1])
        targets = choose(rng, WEIGHTS if len(nodes) > 1 else {"one": 1}, len(windows))
        return steps(
            self.name, first, windows, targets, lambda: {"pick": draw_pick(rng), "how": rng.choice(HOW)}
        )

    async def inject(self, cluster: CanHarmWorkers, step: Step) -> Evidence:
        nodes = drawn(cluster.workers, step.options["pick"], {"one": 1, "two": 2}[step.target])
        if not nodes:
            return nobody(step.target)
        how = step.options["how"]
        injected = in_force(cluster).injected
        injected[step.number] = conclude(nodes, {}, [f"the {how} failed"], "")
        facts = await _harm(cluster, how, nodes)
        complaints = not_stopped(facts, nodes) if how == "pause" else not_gone(facts, nodes)
        evidence = conclude(nodes, {how: facts}, complaints, f"{how}: {', '.join(nodes)}")
        injected[step.number] = evidence
        return evidence

    async def heal(self, cluster: CanHarmWorkers, step: Step) -> Evidence:
        injected = in_force(cluster).injected
        begun: Evidence | None = injected.get(step.number)
        if begun is None:
            return never_injected()
        if step.options["how"] == "pause":
            facts = await cluster.resume(begun.nodes)
            complaints = still_stopped(facts, begun.nodes)
        else:
            facts = await cluster.start_nodes(begun.nodes)
            complaints = not_replaced(begun.facts.get(step.options["how"], {}), facts, begun.nodes)
        del injected[step.number]
        return ended(begun, {"back": facts}, complaints, "back")


async def _harm(cluster: CanHarmWorkers, how: Any, nodes: Sequence[str]) -> Facts:
    if how == "pause":
        return await cluster.pause(nodes)
    if how == "kill":
        return await cluster.kill(nodes, lose_unsynced=False)
    return await cluster.stop_nodes(nodes)
