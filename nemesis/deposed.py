"""A leader deposed while clients write to it: isolated until another leads; then one of the two crashes as
the network comes back, and old and new meet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal, Protocol

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, count, ended, never_injected, nobody, not_gone, not_held, not_replaced
from nemesis.in_force import in_force
from nemesis.nemesis import CanCut, CanKill, CanTellElections, Choices, Evidence, Link, Range, Setting, Step
from nemesis.targets import choose_nodes, links_of

WEIGHTS = {"old": 3, "new": 3}
# How long the crashed node stays away.
LENGTHS: tuple[Length, ...] = ((3, 0.05, 0.5), (2, 0.5, 1.5))
SHORTEST_S = 0.05
# Besides, the isolation takes a second or more.
GAP_S = (0.6, 1.4)
WHILE_MS = (0, 400)
ELECTED_WITHIN_S = 3.0
LOSE_UNSYNCED = 0.5


class CanDepose(CanCut, CanKill, CanTellElections, Protocol):
    """The verbs it takes."""


@dataclass(frozen=True, slots=True)
class _Deposed:
    """links: cut now. crashed: who is down now."""

    evidence: Evidence
    links: tuple[Link, ...] = ()
    crashed: tuple[str, ...] = ()


class Deposed:
    name = "deposed"
    needs = frozenset({"cut", "kill", "elections"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3
    min_time_s = 4.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {
        "pick": PICK,
        "while_ms": Range(0, 10_000),
        "lose_unsynced": (False, True),
    }
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, SHORTEST_S)
        targets = choose(rng, WEIGHTS, len(windows))
        return steps(self.name, first, windows, targets, lambda: _options(rng))

    async def inject(self, cluster: CanDepose, step: Step) -> Evidence:
        """Returns when one of them is down and the network whole again."""
        chosen = await choose_nodes(cluster, "leader", step.options["pick"])
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        force = in_force(cluster)
        (old,) = chosen.nodes
        links = links_of(old, cluster.nodes)
        cut = _Deposed(conclude([old], {}, ["it failed half-way"], ""), links)
        force.injected[step.number] = cut
        force.cut.extend(links)
        silenced = force.watch()
        before = await cluster.elected(0, 0.0)
        await cluster.cut(links, "packets")
        won = await cluster.elected(before[1] if before else 0, ELECTED_WITHIN_S)
        if won is not None:
            await asyncio.sleep(step.options["while_ms"] / 1e3)
        new = won[0] if won is not None else old
        whom = (old if step.target == "old" else new,)
        force.injected[step.number] = replace(cut, crashed=whom)
        force.silence(whom, "down")
        killed = await cluster.kill(whom, lose_unsynced=step.options["lose_unsynced"])
        force.mend(links)
        facts = await cluster.mend(links)
        quiet = [link for link in links if link[0] in silenced() or link[0] == whom[0]]
        complaints = not_gone(killed, whom) + not_held(facts, links, quiet)
        if won is None:
            complaints.append(f"nobody led in the place of {old}")
        held_bytes = sum(count(facts, link, "held_bytes") for link in links)
        proof = f"{old} isolated ({held_bytes} bytes held back) until {new} led; killed: {whom[0]}"
        said: dict[str, Any] = {"links": facts, "killed": killed, "old": old, "new": new}
        evidence = conclude([*dict.fromkeys((old, new))], said, complaints, proof, chosen.note)
        force.injected[step.number] = _Deposed(evidence, (), whom)
        return evidence

    async def heal(self, cluster: CanDepose, step: Step) -> Evidence:
        force = in_force(cluster)
        deposed: _Deposed | None = force.injected.get(step.number)
        if deposed is None:
            return never_injected()
        if deposed.links:
            await cluster.mend(deposed.links)
            force.mend(deposed.links)
        facts = await cluster.start_nodes(deposed.crashed)
        force.hear(deposed.crashed, "down")
        del force.injected[step.number]
        complaints = not_replaced(deposed.evidence.facts.get("killed", {}), facts, deposed.crashed)
        return ended(deposed.evidence, {"started": facts}, complaints, "started again")


def _options(rng: Random) -> dict[str, Any]:
    return {
        "pick": draw_pick(rng),
        "while_ms": rng.randint(*WHILE_MS),
        "lose_unsynced": rng.random() < LOSE_UNSYNCED,
    }
