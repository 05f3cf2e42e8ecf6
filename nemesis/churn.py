"""Each new leader is cut off soon after it wins, and then the next: terms that begin, and hardly more.

This is what it takes to see an entry of an earlier term committed and lost again (figure 8 of Raft's paper).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol

from nemesis.bursts import Length, bursts, steps
from nemesis.evidence import conclude, count, never_injected
from nemesis.in_force import in_force
from nemesis.nemesis import CanCut, CanTellElections, Choices, Evidence, Link, Range, Setting, Step
from nemesis.targets import links_of

# Long enough for two leaders to follow one another, or many.
LENGTHS: tuple[Length, ...] = ((2, 1.2, 2.0), (3, 2.0, 4.0), (1, 4.0, 7.0))
SHORTEST_S = 1.2
GAP_S = (0.4, 1.0)
AFTER_MS = (0, 300)
# How long one leader is cut off: around what it takes to elect the next.
FOR_MS = (300, 1500)
WIN_WITHIN_S = 2.5


class CanChurn(CanCut, CanTellElections, Protocol):
    """The verbs it takes."""


@dataclass(slots=True)
class _Churn:
    """cuts: links cut now, by the term of the leader that they cut off. cut_off: who was, of each term."""

    following: asyncio.Task[None] | None = None
    lifting: list[asyncio.Task[None]] = field(default_factory=list)
    cuts: dict[int, tuple[Link, ...]] = field(default_factory=dict)
    cut_off: list[dict[str, Any]] = field(default_factory=list)


class Churn:
    name = "churn"
    needs = frozenset({"cut", "elections"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3
    min_time_s = 3.0
    targets = ("leaders",)
    options: Mapping[str, Choices] = {"after_ms": Range(0, 10_000), "for_ms": Range(1, 10_000)}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, SHORTEST_S)
        return steps(self.name, first, windows, [*self.targets] * len(windows), lambda: _options(rng))

    async def inject(self, cluster: CanChurn, step: Step) -> Evidence:
        """Returns when the first leader is cut off, or none was to be seen in time."""
        churn = _Churn()
        in_force(cluster).injected[step.number] = churn
        begun = asyncio.Event()
        churn.following = asyncio.create_task(_follow(cluster, step, churn, begun))
        try:
            async with asyncio.timeout(WIN_WITHIN_S):
                await begun.wait()
        except TimeoutError:
            pass
        return _evidence(churn)

    async def heal(self, cluster: CanChurn, step: Step) -> Evidence:
        churn: _Churn | None = in_force(cluster).injected.get(step.number)
        if churn is None:
            return never_injected()
        tasks = [task for task in (churn.following, *churn.lifting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for term in list(churn.cuts):
            await _lift(cluster, churn, term)
        del in_force(cluster).injected[step.number]
        return _evidence(churn)


def _options(rng: Random) -> dict[str, int]:
    return {"after_ms": rng.randint(*AFTER_MS), "for_ms": rng.randint(*FOR_MS)}


async def _follow(cluster: CanChurn, step: Step, churn: _Churn, begun: asyncio.Event) -> None:
    """Cuts one leader after another off, each for as long as the step says."""
    after_s, for_s = step.options["after_ms"] / 1e3, step.options["for_ms"] / 1e3
    last = 0
    while True:
        won = await cluster.elected(last, WIN_WITHIN_S)
        if won is None:
            continue
        node, last = won
        await asyncio.sleep(after_s)
        links = links_of(node, cluster.nodes)
        churn.cuts[last] = links
        churn.cut_off.append({"node": node, "term": last, "held_bytes": 0})
        in_force(cluster).cut.extend(links)
        churn.lifting.append(asyncio.create_task(_cut_for(cluster, churn, last, for_s)))
        begun.set()


async def _cut_for(cluster: CanChurn, churn: _Churn, term: int, for_s: float) -> None:
    cutting = asyncio.create_task(cluster.cut(churn.cuts[term], "packets"))
    try:
        await asyncio.sleep(for_s)
    finally:
        cutting.cancel()  # it has cut, and only waits to see that it did
    await _lift(cluster, churn, term)


async def _lift(cluster: CanChurn, churn: _Churn, term: int) -> None:
    links = churn.cuts.pop(term)
    in_force(cluster).mend(links)
    facts = await cluster.mend(links)
    held_bytes = sum(count(facts, link, "held_bytes") for link in links)
    next(cut for cut in churn.cut_off if cut["term"] == term)["held_bytes"] = held_bytes


def _evidence(churn: _Churn) -> Evidence:
    """Proven by what was held back of what the leaders had to say, of all of them together."""
    cut_off = churn.cut_off
    nodes = [*dict.fromkeys(cut["node"] for cut in cut_off)]
    held_bytes = sum(cut["held_bytes"] for cut in cut_off)
    said = ", ".join(f"{cut['node']} in term {cut['term']}" for cut in cut_off)
    complaints = [] if held_bytes else ["no byte of any new leader was held back"]
    proof = f"{len(cut_off)} leaders cut off after their election, {held_bytes} bytes held back: {said}"
    return conclude(nodes, {"cut_off": [dict(cut) for cut in cut_off]}, complaints, proof)
