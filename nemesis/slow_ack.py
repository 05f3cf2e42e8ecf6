"""A leader's acknowledgements that come too late: held back past an election, and then delivered.

They say truly that a majority followed the leader when they were sent; whoever takes them for an answer to
something asked later is wrong by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, count, name, never_injected, nobody
from nemesis.in_force import in_force
from nemesis.nemesis import (
    CanCut,
    CanHold,
    CanTellElections,
    Choices,
    Evidence,
    Facts,
    Link,
    Range,
    Setting,
    Step,
)
from nemesis.targets import choose_nodes, links_of

# "isolated": nothing else passes between the leader and its peers, either.
WEIGHTS = {"isolated": 4, "answers": 1}
LENGTHS: tuple[Length, ...] = ((3, 0.2, 0.6), (1, 0.6, 1.2))
SHORTEST_S = 0.2
GAP_S = (0.5, 1.2)
ACKNOWLEDGEMENTS = ("append-reply",)
OTHERS = ("append", "vote", "vote-reply")
# For so long acknowledgements are held before all else is, and after somebody else leads.
BEFORE_MS = (0, 160)
LATE_MS = (0, 400)
# An isolated leader resigns in about this time: what comes later comes to nobody.
ELECTED_WITHIN_S = 1.2


class CanHoldAnswers(CanHold, CanCut, CanTellElections, Protocol):
    """The verbs it takes."""


@dataclass(slots=True)
class _Held:
    """to, of: links to the leader, and from it. facts: of the acknowledgements, once they were released."""

    node: str
    note: str
    to: tuple[Link, ...]
    of: tuple[Link, ...]
    isolated: bool = False
    released: bool = False
    facts: Facts = field(default_factory=dict)


class SlowAck:
    name = "slow-ack"
    needs = frozenset({"hold", "cut", "elections"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {
        "pick": PICK,
        "before_ms": Range(0, 10_000),
        "late_ms": Range(0, 10_000),
    }
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, SHORTEST_S)
        targets = choose(rng, WEIGHTS, len(windows))
        return steps(self.name, first, windows, targets, lambda: _options(rng))

    async def inject(self, cluster: CanHoldAnswers, step: Step) -> Evidence:
        """Returns when the acknowledgements were released; the rest of the isolation goes on."""
        chosen = await choose_nodes(cluster, "leader", step.options["pick"])
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        (node,) = chosen.nodes
        links = links_of(node, cluster.nodes)
        to, of = (tuple(link for link in links if link[end] == node) for end in (1, 0))
        held = _Held(node, chosen.note, to, of)
        in_force(cluster).injected[step.number] = held
        await cluster.hold(to, ACKNOWLEDGEMENTS)
        await asyncio.sleep(step.options["before_ms"] / 1e3)
        if step.target == "isolated":
            await _isolate(cluster, held)
        leads = await cluster.elected(0, 0.0)
        won = await cluster.elected(leads[1] if leads else 0, ELECTED_WITHIN_S)
        if won is not None:
            held.facts["elected"] = {"node": won[0], "term": won[1]}
            await asyncio.sleep(step.options["late_ms"] / 1e3)
        await _release(cluster, held)
        return _evidence(step, held)

    async def heal(self, cluster: CanHoldAnswers, step: Step) -> Evidence:
        held: _Held | None = in_force(cluster).injected.get(step.number)
        if held is None:
            return never_injected()
        if not held.released:
            await _release(cluster, held)
        if held.isolated:
            await cluster.release(held.to, OTHERS)
            await cluster.mend(held.of)
            in_force(cluster).mend((*held.to, *held.of))
        del in_force(cluster).injected[step.number]
        return _evidence(step, held)


def _options(rng: Random) -> dict[str, Any]:
    return {
        "pick": draw_pick(rng),
        "before_ms": rng.randint(*BEFORE_MS),
        "late_ms": rng.randint(*LATE_MS),
    }


async def _isolate(cluster: CanHoldAnswers, held: _Held) -> None:
    held.isolated = True
    in_force(cluster).cut.extend((*held.to, *held.of))
    await cluster.hold(held.to, OTHERS)
    await cluster.cut(held.of, "messages")


async def _release(cluster: CanHoldAnswers, held: _Held) -> None:
    held.released = True
    held.facts["links"] = await cluster.release(held.to, ACKNOWLEDGEMENTS)


def _evidence(step: Step, held: _Held) -> Evidence:
    """Proven by acknowledgements held back from the leader."""
    links = held.facts.get("links", {})
    held_bytes = sum(count(links, link, "held_bytes") for link in held.to)
    complaints = [] if held_bytes else [f"nothing was held back on {', '.join(map(name, held.to))}"]
    won = held.facts.get("elected")
    until = f"until {won['node']} led term {won['term']}" if won else "for a while"
    proof = f"{step.target} {held.node}: {held_bytes} bytes of answers held back {until}"
    return conclude([held.node], held.facts, complaints, proof, held.note)
