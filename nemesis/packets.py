"""Packets that do not arrive as sent: what loss, duplicate, reorder, corrupt and rate have in common.

Below TCP a lost or corrupted packet is one that comes later, so all of these are delays in the end, each of
its own shape. The evidence is what the cluster counted of the packets it harmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, count, never_injected, nobody, not_harmed
from nemesis.in_force import in_force
from nemesis.nemesis import CanShape, Choices, Evidence, Facts, Link, Range, Setting, Step
from nemesis.targets import choose_nodes, drawn, links_among, links_of

WEIGHTS = {"leader": 4, "all": 3, "one-link": 1}
# Long enough that packets pass for the harm to fall on.
SHORTEST_S = 0.8
LENGTHS: tuple[Length, ...] = ((2, SHORTEST_S, 1.2), (7, 1.2, 2.0), (2, 2.0, 3.0))


@dataclass(frozen=True, slots=True)
class _Harm:
    nodes: tuple[str, ...]
    links: tuple[Link, ...]
    note: str


@dataclass(frozen=True)
class PacketNemesis:
    """needed:  the capability
    how:     the harm's word in CanShape.shape, and the name of the option that says how much
    counted: what it makes of a packet, in the facts of CanShape
    draws:   how much is drawn, from and to
    """

    name: str
    needed: str
    how: str
    counted: str
    draws: tuple[float, float]
    target_needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    on: Literal["nodes"] = "nodes"
    min_nodes: int = 2
    min_time_s: float = 3.0
    targets: tuple[str, ...] = tuple(WEIGHTS)
    checkers: tuple[str, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.needed})

    @property
    def options(self) -> Mapping[str, Choices]:
        return {"pick": PICK, self.how: Range(1, 1e9) if self._is_rate else Range(0.001, 1)}

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, shortest_s=SHORTEST_S)
        targets = choose(rng, WEIGHTS, len(windows))
        return steps(self.name, first, windows, targets, lambda: self._drawn_options(rng))

    async def inject(self, cluster: CanShape, step: Step) -> Evidence:
        harm = await _select(cluster, step)
        if not harm.links:
            return nobody(step.target, harm.note)
        in_force(cluster).injected[step.number] = harm
        return self._evidence(step, harm, await cluster.shape(harm.links, {self.how: step.options[self.how]}))

    async def heal(self, cluster: CanShape, step: Step) -> Evidence:
        injected = in_force(cluster).injected
        harm: _Harm | None = injected.get(step.number)
        if harm is None:
            return never_injected()
        facts = await cluster.unshape(harm.links, [self.how])
        del injected[step.number]
        return self._evidence(step, harm, facts)

    @property
    def _is_rate(self) -> bool:
        return self.how == "rate_bytes_s"

    def _drawn_options(self, rng: Random) -> dict[str, float]:
        drawn_amount = rng.uniform(*self.draws)
        amount = round(drawn_amount) if self._is_rate else round(drawn_amount, 2)
        return {"pick": draw_pick(rng), self.how: amount}

    def _evidence(self, step: Step, harm: _Harm, facts: Facts) -> Evidence:
        """Proven by the packets harmed, of all links together: on some there may be little to harm."""
        amount = step.options[self.how]
        packets = sum(count(facts, link, "packets") for link in harm.links)
        harmed = sum(count(facts, link, self.counted) for link in harm.links)
        asked = f"{amount:g} bytes/s" if self._is_rate else f"{amount:.0%}"
        proof = (
            f"{step.target} {', '.join(harm.nodes)}: {harmed} of {packets} packets {self.counted} on"
            f" {len(harm.links)} links ({asked})"
        )
        complaints = not_harmed(facts, harm.links, self.counted, None if self._is_rate else amount)
        return conclude(harm.nodes, {"links": facts, self.how: amount}, complaints, proof, harm.note)


async def _select(cluster: CanShape, step: Step) -> _Harm:
    """Both directions of the leader's links, of one of them, or of all."""
    everyone, pick = tuple(cluster.nodes), step.options["pick"]
    if step.target == "all":
        return _Harm(everyone, links_among(everyone), "")
    chosen = await choose_nodes(cluster, "leader", pick)
    if step.target == "leader":
        links = tuple(link for node in chosen.nodes for link in links_of(node, everyone))
        return _Harm(chosen.nodes, links, chosen.note)
    # Between two followers hardly a packet passes.
    peers = [node for node in everyone if node not in chosen.nodes]
    pair = (*chosen.nodes, *drawn(peers, pick, 1)) if chosen.nodes else ()
    return _Harm(pair, links_among(pair), chosen.note)
