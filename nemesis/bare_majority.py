"""Everybody is killed while a deposed leader is alone with what it wrote; then no more than a majority starts
again, and has to go on by itself with logs that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, ended, never_injected, nobody, not_gone, not_replaced
from nemesis.in_force import in_force
from nemesis.nemesis import CanCut, CanKill, CanTellElections, Choices, Evidence, Facts, Setting, Step
from nemesis.targets import choose_nodes, drawn, links_of

WEIGHTS = {"with-old-leader": 1}
# As long as it takes to see that a majority does not go on.
LENGTHS: tuple[Length, ...] = ((1, 8.0, 8.5),)
GAP_S = (2.0, 3.0)
ELECTED_WITHIN_S = 3.0


class CanRestart(CanCut, CanKill, CanTellElections, Protocol):
    """The verbs it takes."""


@dataclass(frozen=True, slots=True)
class _Down:
    """left: who is down now."""

    evidence: Evidence
    left: tuple[str, ...]


class BareMajority:
    name = "bare-majority"
    needs = frozenset({"cut", "kill", "elections"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3
    min_time_s = 12.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, shortest_s=LENGTHS[0][1])
        return steps(
            self.name, first, windows, choose(rng, WEIGHTS, len(windows)), lambda: {"pick": draw_pick(rng)}
        )

    async def inject(self, cluster: CanRestart, step: Step) -> Evidence:
        """Returns when a bare majority runs again."""
        chosen = await choose_nodes(cluster, "leader", step.options["pick"])
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        force, everyone = in_force(cluster), tuple(cluster.nodes)
        (old,) = chosen.nodes
        links = links_of(old, everyone)
        before = await cluster.elected(0, 0.0)
        force.cut.extend(links)
        await cluster.cut(links, "packets")
        won = await cluster.elected(before[1] if before else 0, ELECTED_WITHIN_S)
        # Whom another fault holds down, that fault's heal starts again.
        victims = tuple(node for node in everyone if force.silenced.get(node) != "down")
        force.silence(victims, "down")
        force.injected[step.number] = _Down(conclude(everyone, {}, ["it failed half-way"], ""), victims)
        killed = await cluster.kill(victims, lose_unsynced=False)
        force.mend(links)
        await cluster.mend(links)
        new = won[0] if won is not None else None
        up = _bare_majority(victims, len(everyone) // 2 + 1, (old, new), step.options["pick"])
        started = await cluster.start_nodes(up)
        force.hear(up, "down")
        left = tuple(node for node in victims if node not in up)
        complaints = not_gone(killed, victims) + not_replaced(killed, started, up)
        if victims != everyone:
            complaints.append("not everybody was there to be killed")
        if won is None:
            complaints.append(f"nobody led in the place of {old}")
        proof = f"{old} isolated until another led; killed: all; back: {', '.join(up)}"
        evidence = conclude(everyone, {"killed": killed, "back": started}, complaints, proof, chosen.note)
        force.injected[step.number] = _Down(evidence, left)
        return evidence

    async def heal(self, cluster: CanRestart, step: Step) -> Evidence:
        force = in_force(cluster)
        down: _Down | None = force.injected.get(step.number)
        if down is None:
            return never_injected()
        facts: Facts = await cluster.start_nodes(down.left)
        force.hear(down.left, "down")
        del force.injected[step.number]
        killed: dict[str, Any] = down.evidence.facts.get("killed", {})
        return ended(
            down.evidence, {"started": facts}, not_replaced(killed, facts, down.left), "all started again"
        )


def _bare_majority(
    nodes: tuple[str, ...], quorum: int, leaders: tuple[str, str | None], pick: float
) -> tuple[str, ...]:
    """The old leader and the new one, and of the others as many as it takes."""
    first = [node for node in nodes if node in leaders]
    others = [node for node in nodes if node not in first]
    return (*first, *drawn(others, pick, max(0, quorum - len(first))))
