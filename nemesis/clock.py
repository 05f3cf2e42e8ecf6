"""Clocks that go wrong: a node's own time goes up to 5 % faster or slower. It never goes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, ended, never_injected, nobody
from nemesis.in_force import in_force
from nemesis.nemesis import CanSkew, Choices, Evidence, Range, Setting, Step
from nemesis.targets import choose_nodes

WEIGHTS = {"leader": 3, "follower": 1, "one": 1}
LENGTHS: tuple[Length, ...] = ((2, 1.0, 2.0), (2, 2.0, 5.0))
SHORTEST_S = 1.0
SHARE = 0.05
LEAST_SHARE = 0.005
# How far what the clock gained may be from what it should have: it counts in whole nanoseconds.
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class _Skew:
    node: str
    evidence: Evidence


class Clock:
    name = "clock"
    needs = frozenset({"clock"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 2
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK, "share": Range(-0.5, 0.5)}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, shortest_s=SHORTEST_S)
        targets = choose(rng, WEIGHTS, len(windows))
        return steps(self.name, first, windows, targets, lambda: _options(rng))

    async def inject(self, cluster: CanSkew, step: Step) -> Evidence:
        chosen = await choose_nodes(cluster, step.target, step.options["pick"])
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        (node,) = chosen.nodes
        facts = await cluster.skew(node, step.options["share"])
        proof = f"the clock of {node} goes {step.options['share']:+.1%} faster"
        evidence = conclude([node], {"skewed": facts}, [], proof, chosen.note)
        in_force(cluster).injected[step.number] = _Skew(node, evidence)
        return evidence

    async def heal(self, cluster: CanSkew, step: Step) -> Evidence:
        """Proven by how far the clock went besides the true one."""
        skew: _Skew | None = in_force(cluster).injected.pop(step.number, None)
        if skew is None:
            return never_injected()
        facts = await cluster.unskew(skew.node)
        said = facts.get(skew.node, {})
        gained_ms, expected_ms = said["gained_ms"], said["true_ms"] * step.options["share"]
        wrong = abs(gained_ms - expected_ms) > TOLERANCE * abs(expected_ms)
        complaints = [f"it gained {gained_ms:g} ms, not {expected_ms:g}"] if wrong else []
        return ended(skew.evidence, {"unskewed": facts}, complaints, f"it gained {gained_ms:g} ms")


def _options(rng: Random) -> dict[str, float]:
    share = round(rng.uniform(LEAST_SHARE, SHARE), 3) * rng.choice((1, -1))
    return {"pick": draw_pick(rng), "share": share}
