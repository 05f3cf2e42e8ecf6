"""Crashes at a message: whoever sends one of a kind is killed when it has left, and starts again soon.

No schedule hits the moment between a promise and the disk; this does. Votes are cast only where somebody
stands for election, so that links are cut for a while to have one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, never_injected
from nemesis.in_force import in_force
from nemesis.kill import LOSE_UNSYNCED
from nemesis.nemesis import CanCut, CanTrigger, Choices, Evidence, Facts, Link, Range, Setting, Step
from nemesis.targets import choose_nodes, links_among, links_of

WEIGHTS = {"vote-reply": 5, "vote": 2, "append-reply": 2, "append": 2}
LENGTHS: tuple[Length, ...] = ((3, 1.8, 2.4), (1, 2.4, 3.0))
SHORTEST_S = 1.8
GAP_S = (0.3, 1.0)
DOWN_MS = (1, 300)
MOST = 3
# Whose links are cut to have an election, and how long: followers miss the leader in 0.3 to 0.6 s; it resigns
# in 0.6 to 1.2 s, before which there is none once all hear each other again.
STIR_MS = {"leader": (800, 1200), "all": (1250, 1600)}
STIRS = ("nobody", *STIR_MS)


class CanStir(CanTrigger, CanCut, Protocol):
    """The verbs it takes."""


@dataclass(slots=True)
class _Armed:
    """stirring: ends by itself. links: cut now, to have an election."""

    stirring: asyncio.Task[None] | None = None
    links: tuple[Link, ...] = ()


class Trigger:
    name = "trigger"
    needs = frozenset({"trigger", "cut"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {
        "pick": PICK,
        "most": tuple(range(1, MOST + 1)),
        "down_ms": Range(1, 10_000),
        "lose_unsynced": (False, True),
        "stir": STIRS,
        "stir_ms": Range(1, 10_000),
    }
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, SHORTEST_S)
        kinds = choose(rng, WEIGHTS, len(windows))
        drawn = iter(kinds)
        return steps(self.name, first, windows, kinds, lambda: _options(rng, next(drawn)))

    async def inject(self, cluster: CanStir, step: Step) -> Evidence:
        armed = _Armed()
        in_force(cluster).injected[step.number] = armed
        options = step.options
        facts = await cluster.arm(
            step.number,
            step.target,
            most=options["most"],
            down_ms=options["down_ms"],
            lose_unsynced=options["lose_unsynced"],
        )
        if options["stir"] != "nobody":
            armed.stirring = asyncio.create_task(_stir(cluster, step, armed))
        return _evidence(cluster, step, facts)

    async def heal(self, cluster: CanStir, step: Step) -> Evidence:
        armed: _Armed | None = in_force(cluster).injected.get(step.number)
        if armed is None:
            return never_injected()
        if armed.stirring is not None:
            armed.stirring.cancel()
            await asyncio.gather(armed.stirring, return_exceptions=True)
        await _calm(cluster, armed)
        facts = await cluster.disarm(step.number)
        del in_force(cluster).injected[step.number]
        return _evidence(cluster, step, facts)


def _options(rng: Random, kind: str) -> dict[str, Any]:
    stir = rng.choice(tuple(STIR_MS)) if kind.startswith("vote") else "nobody"
    return {
        "pick": draw_pick(rng),
        "most": rng.randint(1, MOST),
        "down_ms": rng.randint(*DOWN_MS),
        "lose_unsynced": rng.random() < LOSE_UNSYNCED,
        "stir": stir,
        "stir_ms": rng.randint(*STIR_MS.get(stir, (1, 1))),
    }


async def _stir(cluster: CanStir, step: Step, armed: _Armed) -> None:
    """Cut off from the leader, or from everybody, nodes stand for election, some at the same time."""
    links = links_among(cluster.nodes)
    if step.options["stir"] == "leader":
        chosen = await choose_nodes(cluster, "leader", step.options["pick"])
        links = tuple(link for node in chosen.nodes for link in links_of(node, cluster.nodes))
    armed.links = links
    in_force(cluster).cut.extend(links)
    cutting = asyncio.create_task(cluster.cut(links, "packets"))
    try:
        await asyncio.sleep(step.options["stir_ms"] / 1e3)
    finally:
        cutting.cancel()  # it has cut, and only waits to see that it did
    await _calm(cluster, armed)


async def _calm(cluster: CanStir, armed: _Armed) -> None:
    links, armed.links = armed.links, ()
    if links:
        in_force(cluster).mend(links)
        await cluster.mend(links)


def _evidence(cluster: CanStir, step: Step, facts: Facts) -> Evidence:
    """Proven by whom it killed, at which message, and that they are back."""
    fired: Sequence[Mapping[str, Any]] = facts["fired"]
    silenced = in_force(cluster).silenced
    nodes = [*dict.fromkeys(fact["node"] for fact in fired)]
    gone = [f["node"] for f in fired if f.get("pid") == f["was_pid"] and f["node"] not in silenced]
    complaints = [f"{node} is not back" for node in gone]
    if not fired:
        complaints = [f"nobody sent a {step.target}"]
    return conclude(nodes, facts, complaints, f"killed at a {step.target}: {', '.join(nodes)}; started again")
