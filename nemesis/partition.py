"""Links between control-plane nodes that carry nothing, in one direction or both.

Clients keep their links: a leader cut off from its peers still hears its clients, and must not answer them
from what it believes. Halves, "one" and a majority are the same cut among three voters, so there is no
target of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, count, name, never_injected, nobody, not_held, not_passing
from nemesis.in_force import in_force
from nemesis.nemesis import CanCut, Choices, CutKind, Evidence, Facts, Link, Setting, Step
from nemesis.targets import choose_nodes, drawn_pair, find_leader, links_among, links_of

WEIGHTS = {
    "isolate-leader": 6,
    "one-way-messages": 3,
    "one-way-packets": 2,
    # Once they hear each other again, all of them stand for election at about the same time.
    "all-isolated": 2,
    "isolate-random": 1,
    "cut-one-link": 1,
}
# Where Raft has nothing to say, only keepalives pass, every 500 ms: a shorter cut could leave no proof.
SHORTEST_S = 0.8
LENGTHS: tuple[Length, ...] = ((2, SHORTEST_S, 1.0), (7, 1.0, 1.8), (2, 1.8, 2.8))


@dataclass(frozen=True, slots=True)
class _Cut:
    """links: what was cut. may_be_quiet: those of them on which there may be nothing to hold back.
    silenced: names whom another fault kept from speaking at any time since the cut."""

    nodes: tuple[str, ...]
    links: tuple[Link, ...]
    kind: CutKind
    may_be_quiet: tuple[Link, ...] = ()
    note: str = ""
    silenced: Callable[[], list[str]] = list


class Partition:
    name = "partition"
    needs = frozenset({"cut"})
    target_needs: Mapping[str, frozenset[str]] = {"one-way-messages": frozenset({"cut-messages"})}
    on: Literal["nodes"] = "nodes"
    min_nodes = 2
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    # Of the one-way targets only: whose messages are stopped, and whether those it sends or those sent to it.
    options: Mapping[str, Choices] = {"pick": PICK, "of": ("leader", "one"), "cannot": ("speak", "hear")}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, shortest_s=SHORTEST_S)
        needs = self.target_needs
        weights = {of: n for of, n in WEIGHTS.items() if needs.get(of, frozenset()) <= set(setting.can)}
        return steps(
            self.name,
            first,
            windows,
            choose(rng, weights, len(windows), ("isolate-leader",)),
            lambda: {
                "pick": draw_pick(rng),
                "of": rng.choices(("leader", "one"), (2, 1))[0],
                "cannot": rng.choice(("speak", "hear")),
            },
        )

    async def inject(self, cluster: CanCut, step: Step) -> Evidence:
        cut = await _select(cluster, step)
        if not cut.links:
            return nobody(step.target, cut.note)
        force = in_force(cluster)
        cut = replace(cut, silenced=force.watch())
        force.injected[step.number] = cut
        force.cut.extend(cut.links)
        return await _evidence(cluster, step, cut, await cluster.cut(cut.links, cut.kind))

    async def heal(self, cluster: CanCut, step: Step) -> Evidence:
        force = in_force(cluster)
        cut: _Cut | None = force.injected.get(step.number)
        if cut is None:
            return never_injected()
        facts = await cluster.mend(cut.links)
        del force.injected[step.number]
        force.mend(cut.links)
        return await _evidence(cluster, step, cut, facts)


async def _select(cluster: CanCut, step: Step) -> _Cut:
    """The concrete links of a step's target, both directions except for the one-way ones."""
    everyone, pick = tuple(cluster.nodes), step.options["pick"]
    if step.target == "all-isolated":
        return _Cut(everyone, links_among(everyone), "packets")
    if step.target == "cut-one-link":
        pair = drawn_pair(everyone, pick)
        return _Cut(pair, links_among(pair), "packets")
    whom = {"isolate-leader": "leader", "isolate-random": "one"}.get(step.target, step.options["of"])
    chosen = await choose_nodes(cluster, whom, pick)
    links = tuple(link for node in chosen.nodes for link in links_of(node, everyone))
    if not step.target.startswith("one-way-"):
        return _Cut(chosen.nodes, links, "packets", note=chosen.note)
    end = 0 if step.options["cannot"] == "speak" else 1
    links = tuple(link for link in links if link[end] in chosen.nodes)
    if step.target == "one-way-packets":
        return _Cut(chosen.nodes, links, "packets", note=chosen.note)
    return _Cut(chosen.nodes, links, "messages", await _without_leader(cluster, links), chosen.note)


async def _without_leader(cluster: CanCut, links: Sequence[Link]) -> tuple[Link, ...]:
    """Links between followers, who have no messages for each other until one of them is a candidate."""
    leader = await find_leader(cluster)
    return tuple(link for link in links if leader not in link)


async def _evidence(cluster: CanCut, step: Step, cut: _Cut, facts: Facts) -> Evidence:
    """Proven: bytes were held back on every link cut; where messages alone stop, the way back stays open."""
    silenced = cut.silenced()
    quiet = [link for link in cut.links if link in cut.may_be_quiet or link[0] in silenced]
    complaints = not_held(facts, cut.links, quiet)
    if cut.kind == "messages":
        complaints += not_passing(facts, await _open_ways(cluster, cut, facts))
    held_bytes = sum(count(facts, link, "held_bytes") for link in cut.links)
    who = ", ".join(cut.nodes)
    if step.target.startswith("one-way-"):
        who += f" cannot {step.options['cannot']}"
    proof = f"{step.target} {who}: {held_bytes} bytes held back on {len(cut.links)} links"
    said = {"kind": cut.kind, "cut": [name(link) for link in cut.links], "links": facts}
    return conclude(cut.nodes, said, complaints, proof, cut.note)


async def _open_ways(cluster: CanCut, cut: _Cut, facts: Facts) -> list[Link]:
    """Links in the reverse of a cut of messages that must go on carrying some.

    A node that is not heard still hears whoever leads by now, though not the other followers; one that does
    not hear asks everyone for votes, again and again. Without another leader somebody asks for votes: of
    all these ways the liveliest then.
    """
    silenced = cut.silenced()
    ways = [(dst, src) for src, dst in cut.links if src not in silenced and dst not in silenced]
    leader = await cluster.leader()
    if ways and (leader is None or leader in cut.nodes):
        return [min(ways, key=lambda way: count(facts, way, "quiet_ms"))]
    return [way for way in ways if leader in way]
